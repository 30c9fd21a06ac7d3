/** Whatever right is taken away: no command that reads takes what it may not see for well. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT, requireValid } from '../support/schemas.ts';
import { addService } from '../support/service-clusters.ts';

let mesh: ConnectedMesh;

const LINES: readonly string[] = [
  'clustermesh status',
  'clustermesh check',
  'clustermesh check --pre',
  'clustermesh certs list',
  'clustermesh invitations list',
  'clustermesh routes',
  'clustermesh firewall',
  'clustermesh graph',
  'service list',
  'service describe default/web',
  'service failover',
  'service failover --require-survivable --drained',
  'export',
  'version',
];

/**
 * Who has few rights may look all the same: these show what there is, judge nothing, and have in the document what they did not see.
 */
const ONLY_SHOW: Readonly<Record<string, RegExp>> = {
  'clustermesh graph': /"unread":\["/,
  'service list': /"assumed":\["/,
  'service describe default/web': /"assumed":\["/,
  'service failover': /"assumed":\["/,
  // Whether versions go together does not hang on etcd's, nor on who makes them.
  version: /"etcd":\{"image":"[^"]+"\}|"madeBy":\{[^}]*"unread":\["DaemonSet /,
};

/** That something is not there, or did not do something, as a fact of the cluster. */
const ABSENCE =
  /\b(there is no|has no|no other|no (running )?pod(?! ranges)|no agent|none of its pods|was not|were not|skipped, because)\b/;

/** Each resource that a rule of the operator's roles is about. */
const RESOURCES = [...new Set(['role', 'cluster-role'].flatMap(resourcesOf))];

function resourcesOf(file: string): string[] {
  const text = readFileSync(new URL(`templates/rbac/${file}.yaml`, PACKAGE_ROOT), 'utf8');
  return (parse(text) as { rules: { resources: string[] }[] }).rules.flatMap(({ resources }) => resources);
}

interface Outcome {
  exitCode: number;
  document: Record<string, unknown>;
  checks: readonly CheckEntry[];
  /** What it says, whenever it is asked. */
  text: string;
}

const whole = new Map<string, Outcome>();

async function run(line: string): Promise<Outcome> {
  const argv = [...line.split(' '), '--context', 'mesh-1,mesh-2', '--as', 'ann', '-o', 'json'];
  const { exitCode, stdout } = await mesh.meshctl(argv);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  requireValid(document);
  return { exitCode, document, checks: (document.checks ?? []) as CheckEntry[], text: JSON.stringify(document) };
}

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  for (const { store } of mesh.sandbox.clusters) addService(store, 'web', { ready: 1 });
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  grantAnn(mesh.sandbox.clusters, undefined);
  for (const line of LINES) whole.set(line, await run(line));
});

afterAll(() => mesh?.sandbox.close());

it.each(LINES)('with all rights all is seen, and well: meshctl %s', (line) => {
  expect(whole.get(line)).toMatchObject({ exitCode: 0, text: expect.not.stringContaining('"blind"') });
});

describe.each(RESOURCES)('without %s', (resource) => {
  beforeAll(() => grantAnn(mesh.sandbox.clusters, resource));

  it.each(LINES)('what was not seen is not called well: meshctl %s', async (line) => {
    const { exitCode, document, checks, text } = await run(line);
    if (text === whole.get(line)?.text) return;
    // Connections are as well as they were, whoever is at work: it is only said.
    const says = ONLY_SHOW[line] ?? (resource === 'leases' ? /"runsUnread":true/ : undefined);
    if (exitCode === 0 && says) expect(text).toMatch(says);
    else expect(exitCode, text).not.toBe(0);
    if (document.kind !== 'CheckReport') return;
    expect({ exitCode, passed: document.passed }).toEqual({ exitCode: 3, passed: false });
    // What could not be listed is not said not to be there.
    const known = new Set(found(whole.get(line), line).checks.map(({ message }) => message));
    for (const { message = '' } of checks) if (!known.has(message)) expect(message).not.toMatch(ABSENCE);
    // Of what was judged before, only what is said to be unseen may be missing.
    if (checks.some(({ id }) => id === 'cluster-answers')) return;
    const before = found(whole.get(line), line).checks.filter(({ severity }) => severity === 'pass');
    const isSeen = ({ id, args }: CheckEntry) =>
      checks.some(
        (one) => one.id === id && one.severity === 'pass' && JSON.stringify(one.args) === JSON.stringify(args),
      );
    const lost = before.filter((one) => !isSeen(one)).map(({ id }) => id);
    for (const id of lost)
      expect(
        checks.filter((one) => one.id === id && one.blind),
        id,
      ).not.toEqual([]);
  });
});
