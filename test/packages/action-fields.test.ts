import { describe, expect, it } from 'vitest';
import { fieldSamples, requiredFields } from '../support/schema-samples.ts';
import { PACKAGE_ROOT, SCHEMA_KINDS } from '../support/schemas.ts';

/**
 * Every field of every kind of documents is one of two: the GitHub Action finds something in it, or no command ends with another exit
 * status than 0 by it, which is said here. A field that comes new has to be made one of them.
 */
const IN_EACH = ['apiVersion', 'kind', 'leftOut', 'context', 'cluster', 'clusters', 'steps'];
const DECIDES_NOTHING: Readonly<Record<string, readonly string[]>> = {
  AcceptResult: ['peer', 'user', 'peers'],
  ApplyResult: ['meshes', 'enabled', 'connections', 'disconnected', 'shutOut', 'disabled'],
  CertificateList: ['certificates', 'rotations', 'outside'],
  CheckReport: [],
  ClusterMeshInvitation: [
    'step',
    'id',
    'issued',
    'expires',
    'invited',
    'answers',
    'request',
    'certificate',
    'signature',
  ],
  ConnectResult: ['connections', 'probed', 'peers'],
  ConnectivityReport: ['namespace', 'image'],
  DisableResult: ['stillPointingHere', 'looked'],
  DisconnectResult: ['disconnected', 'shutOut', 'unreached', 'peers', 'looked'],
  EnableResult: [],
  Error: [],
  ExplanationList: ['explanations'],
  FailoverReport: ['drainedOnly', 'services', 'assumed', 'notGlobal'],
  FirewallRules: ['rules'],
  GlobalServiceResult: ['namespace', 'name', 'global'],
  HelmResult: ['dryRun'],
  InvitationList: [],
  Mesh: ['spec'],
  MeshDiff: ['summary'],
  MeshGraph: ['title', 'nodes', 'edges'],
  MeshStatusReport: ['matrix', 'unanswered', 'outside'],
  Plan: ['dryRun', 'summary', 'untried', 'unconnected', 'later'],
  // What was not tested fails by its path.
  ProbeReport: ['tests', 'untested'],
  RevokeResult: ['id', 'shutOut', 'connected', 'because', 'peers'],
  RotationResult: ['certificates', 'replaced', 'staying', 'switched', 'parted', 'peers'],
  // The warnings tell of peers that are outside.
  RoutesReport: ['unpaired', 'bgpPeers', 'outside', 'unheard'],
  ServiceDescription: ['service', 'assumed'],
  ServiceList: ['services', 'assumed'],
  // What is wrong with these is a problem, a fault or a reason as well.
  StatusReport: [
    ...[
      'namespace',
      'unproved',
      'clockAheadMs',
      'enabled',
      'nodes',
      'kvstoremesh',
      'peers',
      'sample',
      'serves',
      'servesUnseen',
      'runsAs',
    ],
    ...[
      'ofOtherMeshes',
      'onRecord',
      'admits',
      'ofOthers',
      'keptFor',
      'unsigned',
      'signing',
      'caExpired',
      'caBundle',
      'unfinished',
    ],
    'invitations',
    // What keeps a cluster's state in a kvstore is a fault of its own; whose fields a hint takes over is said by the hint.
    ...['contested', 'kvstore'],
    // Who is at work there, and what may not be read, are told beside what is found.
    ...['runs', 'runsUnread'],
  ],
  VersionReport: ['client'],
};

type Document = Record<string, unknown>;

/** What is found in a document, as text. */
async function reader(): Promise<(document: Document) => string> {
  const { reportOf } = await import(new URL('.ci/action/report.mjs', PACKAGE_ROOT).href);
  return (document) => JSON.stringify(reportOf(JSON.stringify(document))?.findings ?? []);
}

/** One with what each of its kind has, in which nothing is found. */
function wellDocument(kind: string, fields: ReadonlyMap<string, readonly unknown[]>): Document {
  const required = requiredFields(kind);
  const value = (name: string) => {
    const [first] = fields.get(name) ?? [];
    return Array.isArray(first) ? [] : first;
  };
  return Object.fromEntries(required.map((name) => [name, value(name)]));
}

describe.each(SCHEMA_KINDS)('%s', (kind) => {
  it('has no field that decides the exit status and that the Action does not know', async () => {
    const findingsIn = await reader();
    const fields = fieldSamples(kind);
    const well = wellDocument(kind, fields);
    const known = [...fields].filter(([name, values]) => {
      const found = values.map((value) => findingsIn({ ...well, [name]: value }));
      return new Set([...found, findingsIn(well)]).size > 1;
    });
    const unknown = [...fields.keys()].filter(
      (name) => !known.some(([one]) => one === name) && !IN_EACH.includes(name),
    );
    expect(unknown.sort()).toEqual([...(DECIDES_NOTHING[kind] ?? [])].sort());
  });
});

it.each(SCHEMA_KINDS)('%s: what is said of clocks, and warned of, is in the summary of the step', async (kind) => {
  const [{ reportOf }, { summaryOf }] = await Promise.all(
    ['report', 'summary'].map((name) => import(new URL(`.ci/action/${name}.mjs`, PACKAGE_ROOT).href)),
  );
  const fields = fieldSamples(kind);
  const told = ['clocks', 'warnings'].filter((name) => typeof (fields.get(name)?.[0] as unknown[])?.[0] === 'string');
  for (const name of told) {
    const says = `what ${name} tell of ${kind}`;
    const output = JSON.stringify({ ...wellDocument(kind, fields), [name]: [says] });
    expect(summaryOf({ line: 'meshctl', exitCode: 0, output: '', report: reportOf(output) }), name).toContain(says);
  }
});

it('a document of a run that is not well has a finding, whatever else it says', async () => {
  const findingsIn = await reader();
  for (const kind of SCHEMA_KINDS) {
    const fields = fieldSamples(kind);
    const verdicts = ['passed', 'healthy', 'verified', 'survivable', 'supported', 'complete'];
    for (const verdict of verdicts.filter((name) => fields.has(name))) {
      const document = { ...wellDocument(kind, fields), [verdict]: false };
      expect(findingsIn(document), `${kind}: ${verdict}`).not.toBe('[]');
    }
  }
});
