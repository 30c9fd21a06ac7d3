import { describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, requireValid } from '../support/schemas.ts';

/** What decides the exit status of a command is a finding of the GitHub Action, whatever kind of document has it. */
interface Finding {
  level: string;
  where: string;
  says: string;
  hint?: string;
}

const findingsOf = async (document: Record<string, unknown>): Promise<Finding[]> => {
  const { reportOf } = await import(new URL('.ci/action/report.mjs', PACKAGE_ROOT).href);
  const report = reportOf(JSON.stringify({ apiVersion: 'meshctl.io/v1alpha1', ...document }));
  return report?.findings ?? [];
};

const LEFT = { context: 'a', secret: 's', subject: 'x', says: 'stays', hint: 'meshctl x' };
const STEPS = { steps: [], warnings: [] };

it.each<[kind: string, field: string, document: Record<string, unknown>, says: string]>([
  ['RotationResult', 'unissued', { certificates: [], warnings: [], unissued: [LEFT] }, 'stays'],
  ['RotationResult', 'left', { certificates: [], warnings: [], left: [LEFT] }, 'stays'],
  ['CertificateList', 'faults', { certificates: [], rotations: [], faults: [LEFT] }, 'stays'],
  ['CertificateList', 'unread', { faults: [], unread: [{ context: 'a', secrets: ['s'] }] }, 'may not be read: s'],
  ['FailoverReport', 'survivable', { survivable: false, services: [] }, 'survives'],
  ['VersionReport', 'supported', { supported: false, findings: [] }, 'together'],
  [
    'VersionReport',
    'findings',
    { findings: [{ id: 'version-skew', severity: 'fail', contexts: ['a'], message: 'too far apart' }] },
    'too far apart',
  ],
  ['RoutesReport', 'complete', { complete: false, untold: [{ from: 'a', node: 'n' }] }, 'node n could not be asked'],
  ['FirewallRules', 'unknown', { rules: [], unknown: [{ context: 'a', why: 'no address' }] }, 'no address'],
  ['ConnectResult', 'unproved', { ...STEPS, unproved: [{ from: 'a', to: 'b', addresses: ['x:1'] }] }, 'answers at x:1'],
  ['AcceptResult', 'unproved', { ...STEPS, unproved: ['not seen'] }, 'not seen'],
  ['DisconnectResult', 'verified', { ...STEPS, verified: false }, 'could not be verified'],
  ['ApplyResult', 'verified', { ...STEPS, verified: false }, 'could not be verified'],
  [
    'ApplyResult',
    'stillEnabled',
    { ...STEPS, stillEnabled: [{ cluster: 'a', says: 'by Helm', hint: 'h' }] },
    'by Helm',
  ],
  [
    'DisableResult',
    'stillEnabled',
    { ...STEPS, context: 'a', stillEnabled: { says: 'by Helm', hint: 'h' } },
    'by Helm',
  ],
  [
    'DisableResult',
    'stillEnabled of several',
    { ...STEPS, clusters: [{ context: 'a', stillEnabled: { says: 'by Helm', hint: 'h' } }] },
    'by Helm',
  ],
  ['EnableResult', 'interrupted', { clusters: [], warnings: [], interrupted: true }, 'interrupted'],
  [
    'InvitationList',
    'invitations',
    { invitations: [{ context: 'a', id: 'i', state: 'unreadable' }] },
    'cannot be read',
  ],
  ['Plan', 'unissued', { dryRun: 'client', summary: {}, clusters: [], unissued: [LEFT] }, 'stays'],
])('%s: %s', async (kind, _field, document, says) => {
  const findings = await findingsOf({ kind, ...document });
  expect(findings.map((finding) => finding.says).join('\n')).toContain(says);
});

describe('what is no failure by itself is a warning', () => {
  it('of a status and a check', async () => {
    const status = {
      ...{ kind: 'StatusReport', context: 'a', namespace: 'kube-system', cluster: { name: 'a', id: 1 } },
      ...{ healthy: false, enabled: true, nodes: { total: 1, connected: 1 }, peers: [], serves: [] },
      ...{ kvstoremesh: { enabled: false, replicas: 0, connected: 0 }, problems: [], faults: [] },
      reasons: [{ id: 'no-peers', says: 'the cluster is connected to no cluster', hint: 'meshctl c' }],
      leftOut: [{ by: 'taint x', nodes: ['n'] }],
      unaddressed: true,
      invitationsUnread: true,
    };
    requireValid({ apiVersion: 'meshctl.io/v1alpha1', ...status });
    expect((await findingsOf(status)).map(({ level, says }) => [level, says])).toEqual([
      ['warning', 'no agent runs on n (taint x)'],
      ['warning', 'its Service has no address yet'],
      ['warning', 'its invitations could not be read'],
      ['error', 'the cluster is connected to no cluster'],
    ]);
    const check = {
      ...{ kind: 'CheckReport', checks: [] },
      ...{ oneSided: { peers: ['b'] }, untried: { checks: ['network'], hint: 'meshctl p' } },
    };
    expect((await findingsOf(check)).map(({ says }) => says)).toEqual([
      'judged by one side: b',
      'no packet was sent for network',
    ]);
  });
});
