import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';
import { backendsOf, sharedService } from '../support/shared-service.ts';

/** In a tunnel a cluster that does not dial its client answers none of its pods: said, and asked for, before it is made so. */
let clusters: ConnectClusters;
const ONE_WAY = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
const UNICAST = [...ONE_WAY, '--connection-mode', 'unicast'];
const BOTH = [...ONE_WAY, '--connection-mode', 'bidirectional'];
const APPLY = ['apply', '-f', '-'];
const PRUNE = [...APPLY, '--prune'];
const input = meshText({
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
  topology: { type: 'pairs', pairs: [{ from: 'mesh-1', to: 'mesh-2' }] },
});
const FAILS = 'requests from mesh-1 for shop/api that go to mesh-2 get no answer';
const WHY = 'mesh-2 sends packets through the tunnel only to pods of clusters that it dials, and is not to dial mesh-1';
const NO_ANSWER = `context "mesh-1": pods get no answer from pods of mesh-2: ${WHY} → To have both dial`;
const BY_CONNECT = `: meshctl ${BOTH.join(' ')}`;
const BY_FILE = ', write [mesh-1, mesh-2] instead of {from: mesh-1, to: mesh-2} in topology.pairs';

function share(context: string): void {
  const { store } = clusterAt(clusters, context);
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  store.create(sharedService('shop', 'api'));
}

beforeEach(async () => {
  await clusters?.close();
  clusters = await startConnectClusters(2);
});

afterAll(() => clusters?.close());

const setRouting = (context: string, mode: string) =>
  clusterAt(clusters, context).store.update(
    refs.configMap('cilium-config'),
    ({ data }) => void Object.assign(data as object, { 'routing-mode': mode }),
  );
const run = (argv: readonly string[]) => clusters.meshctl(argv, { input });
const ok = async (argv: readonly string[]) => {
  const result = await run(argv);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  return result;
};
const planOf = async (argv: readonly string[]) => {
  const plan = jsonOf(await ok([...argv, '--dry-run', '-o', 'json']));
  const of = plan.clusters as { context: string; hazards?: string[] }[];
  return {
    hazards: of.flatMap(({ context, hazards = [] }) => hazards.map((says) => `${context}: ${says}`)),
    warnings: ((plan.warnings ?? []) as string[]).filter((words) => words.includes('no answer')),
  };
};

describe.each([
  [UNICAST, BY_CONNECT],
  [APPLY, BY_FILE],
])('one that is made by %j', (argv, mend) => {
  it('names the global Services whose requests get no answer, and asks', async () => {
    for (const context of ['mesh-1', 'mesh-2']) share(context);
    expect(await planOf(argv)).toEqual({ hazards: [`mesh-1: ${FAILS}`], warnings: [NO_ANSWER + mend] });
    const refused = await run(argv);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining(FAILS)]);
    const done = await ok([...argv, '--yes', '-o', 'json']);
    expect(done.stderr).toContain(`context "mesh-1": ${FAILS}`);
    expect(jsonOf(done).warnings).toEqual(expect.arrayContaining([`context "mesh-1": ${FAILS}`, NO_ANSWER + mend]));
    // It stands, and nobody need agree again; that it is so is said.
    expect(await planOf(argv)).toEqual({
      hazards: [],
      warnings: [`context "mesh-1": ${FAILS}: ${WHY} → To have both dial${mend}`],
    });
    await ok(argv);
  });

  it('says it and asks nobody where no Service is shared', async () => {
    share('mesh-1');
    expect(await planOf(argv)).toEqual({ hazards: [], warnings: [NO_ANSWER + mend] });
    await ok(argv);
    expect((await planOf(argv)).warnings).toEqual([]);
  });

  it('says nothing of it where pods are routed natively', async () => {
    for (const context of ['mesh-1', 'mesh-2']) share(context);
    for (const context of ['mesh-1', 'mesh-2']) setRouting(context, 'native');
    expect(await planOf(argv)).toEqual({ hazards: [], warnings: [] });
  });
});

it('says nothing of it where both dial', async () => {
  for (const context of ['mesh-1', 'mesh-2']) share(context);
  expect(await planOf(BOTH)).toEqual({ hazards: [], warnings: [] });
  await ok(UNICAST.concat('--yes'));
  expect(await planOf(BOTH)).toEqual({ hazards: [], warnings: [] });
  await ok(BOTH);
  expect(await planOf(APPLY)).toEqual({ hazards: [], warnings: [] });
});

it('a dry run that would have to end a connection names no command that does', async () => {
  await ok(BOTH);
  const hintOf = async (...more: string[]) => (await run([...UNICAST, ...more])).stderr.replaceAll(/\s+/g, ' ');
  const cut = 'meshctl clustermesh disconnect --context mesh-2 --destination-context mesh-1 --connection-mode unicast';
  expect(await hintOf()).toContain(`first: ${cut} && meshctl ${UNICAST.join(' ')}`);
  for (const dryRun of ['--dry-run', '--dry-run=server'])
    expect(await hintOf(dryRun)).toMatch(new RegExp(`: ${cut} --dry-run $`));
  await ok(`${cut} --dry-run`.split(' ').slice(1));
  expect((await planOf(BOTH)).warnings).toEqual([]);
});

it.each([
  [
    'disconnect',
    [
      'clustermesh',
      'disconnect',
      '--context',
      'mesh-2',
      '--destination-context',
      'mesh-1',
      '--connection-mode',
      'unicast',
    ],
  ],
  ['apply --prune', PRUNE],
])('%s of one half says what requests of the other one get no answer', async (_, argv) => {
  for (const context of ['mesh-1', 'mesh-2']) share(context);
  await ok(BOTH);
  expect((await planOf(argv)).hazards).toContain(`mesh-2: ${FAILS}`);
  for (const context of ['mesh-1', 'mesh-2']) setRouting(context, 'native');
  expect((await planOf(argv)).hazards).not.toContain(`mesh-2: ${FAILS}`);
});

it('is told by status, fails a check, and is called at risk by service list and failover, with what has both dial', async () => {
  for (const context of ['mesh-1', 'mesh-2']) share(context);
  clusterAt(clusters, 'mesh-2').store.create(backendsOf('shop', 'api'));
  const services = ['--context', 'mesh-1,mesh-2'];
  await ok([...UNICAST, '--yes']);
  const status = ['clustermesh', 'status', ...services, '--wait'];
  // It was chosen, and all are connected as they are to be: a word on it, and no failure.
  expect((await ok(status)).stdout).toContain('Requests from mesh-1 for shop/api that go to mesh-2 get no answer');
  const unanswered = [{ from: 'mesh-1', to: 'mesh-2', services: ['shop/api'], later: [] }];
  expect(jsonOf(await ok([...status, '-o', 'json']))).toMatchObject({ healthy: true, unanswered });
  const check = ['clustermesh', 'check', ...services, '--category', 'peers'];
  const checked = await run(check);
  expect([checked.exitCode, checked.stdout]).toEqual([
    1,
    expect.stringContaining(FAILS.replace('from mesh-1 ', '').replace('to mesh-2', 'there')),
  ]);
  const listed = (await run(['service', 'list', ...services])).stdout;
  expect(listed).toContain('mesh-2 (1, at risk)');
  expect(listed).toContain('requests that go there get no answer, as mesh-2 does not dial mesh-1');
  expect(listed).toMatch(
    /→ To have both dial:\s+meshctl clustermesh connect --context mesh-1 --destination-context mesh-2 --connection-mode bidirectional\n/,
  );
  expect(listed.match(/meshctl clustermesh status/g)).toHaveLength(1);
  const failover = ['service', 'failover', ...services, '--without', 'mesh-1', '-o', 'json'];
  expect(JSON.stringify(jsonOf(await run(failover)).clusters)).toContain('get no answer');
  await ok(BOTH);
  expect((await ok(status)).stdout).not.toContain('answer');
  await ok(check);
  expect((await ok(['service', 'list', ...services])).stdout).not.toMatch(/at risk|answer/);
});

it('is told by status, as by check, where affinity keeps requests at home until those backends are gone', async () => {
  for (const context of ['mesh-1', 'mesh-2']) share(context);
  for (const context of ['mesh-1', 'mesh-2']) clusterAt(clusters, context).store.create(backendsOf('shop', 'api'));
  const both = ['--context', 'mesh-1,mesh-2'];
  await ok(['service', 'global', 'shop/api', ...both, '--affinity', 'local', '--yes']);
  await ok([...UNICAST, '--yes']);
  const status = ['clustermesh', 'status', ...both, '--wait'];
  const told = (await ok(status)).stdout.replaceAll(/\s+/g, ' ');
  expect(told).toContain('Requests from mesh-1 for shop/api do not go to mesh-2 so far, and would get no answer there');
  expect(told).toContain(`→ To have both dial${BY_CONNECT}`);
  const unanswered = [{ from: 'mesh-1', to: 'mesh-2', services: [], later: ['shop/api'] }];
  expect(jsonOf(await ok([...status, '-o', 'json']))).toMatchObject({ healthy: true, unanswered });
  expect((await ok(['clustermesh', 'check', ...both, '--category', 'peers'])).stdout).toContain('would get no answer');
});

it('nothing that shows clusters tells to connect one that is not enabled, which connect refuses', async () => {
  for (const context of ['mesh-1', 'mesh-2']) share(context);
  const all = ['--context', 'mesh-1,mesh-2'];
  await ok(BOTH);
  await ok(['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect=false', '--yes']);
  for (const argv of [
    ['clustermesh', 'status'],
    ['clustermesh', 'check'],
    ['service', 'list'],
    ['service', 'failover'],
    ['service', 'describe', 'shop/api'],
  ]) {
    const { stdout, stderr } = await run([...argv, ...all]);
    const hints = `${stdout}${stderr}`.split(/\n(?!\s{6,})/).filter((line) => line.includes('clustermesh connect'));
    for (const hint of hints)
      expect(hint).toMatch(/clustermesh enable --context mesh-2 &&\s+meshctl clustermesh connect/);
    if (argv[0] === 'service') expect(stdout).toContain('→ meshctl clustermesh status --context mesh-1,mesh-2');
  }
});
