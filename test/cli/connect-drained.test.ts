import { afterEach, expect, it, vi } from 'vitest';
import type { Clock } from '../../src/mesh/clock.ts';
import { workloadSpec } from '../../src/mesh/objects/workload.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { restartApiserver } from '../support/fault-parts.ts';
import { untilHealthy } from '../support/open-look.ts';
import { plainWords } from '../support/rebuilt-mesh.ts';
import { clusterAt, eventually, refs } from '../support/sandbox-mesh.ts';

/** KVStoreMesh holds on to a peer that it lost; one that is enabled anew holds on to none. */
let clusters: ConnectClusters;

afterEach(() => clusters?.close());

const HOUR_MS = 3_600_000;
const PAIR = ['mesh-1', 'mesh-2'];

/** A clock on which looks for what takes minutes follow each other at once. @param onLook is done at the first of these waits */
function hastyClock(onLook?: () => unknown): Clock {
  const clock = briskClock();
  let aheadMs = 0;
  return {
    ms: () => clock.ms() + aheadMs,
    async sleep(ms, signal) {
      // Proofs are tried again sooner.
      if (ms < 2_000) return clock.sleep(ms, signal);
      const isFirst = aheadMs === 0;
      aheadMs += ms;
      if (isFirst) await onLook?.();
      return clock.sleep(50, signal);
    },
  };
}

/** Two clusters that were connected, and of which the second has left and was enabled again. */
async function rejoining(): Promise<void> {
  clusters = await startConnectClusters(2, { timings: { drainMs: HOUR_MS } });
  const ok = async (...argv: string[]) => {
    const { exitCode, stderr } = await clusters.meshctl(argv);
    expect(exitCode, stderr).toBe(0);
  };
  await ok(...connect('mesh-1', 'mesh-2'));
  await untilHealthy(clusters, PAIR);
  await ok('clustermesh', 'disable', '--context', 'mesh-2', '--disconnect', '--yes');
  await ok(...enable('mesh-2'));
}

const dialled = (context: string) =>
  Object.keys(clusterAt(clusters, context).store.get(refs.secret('cilium-kvstoremesh'))?.data ?? {}).filter(
    (key) => !key.includes('.'),
  );

it('a cluster that left and comes back dials its peer when that one can take it up again', async () => {
  await rejoining();
  // One that is started anew has nothing left of anybody.
  const atFirstLook = () => {
    expect(PAIR.map(dialled)).toEqual([[], []]);
    restartApiserver(clusterAt(clusters, 'mesh-1'));
  };
  const plan = await clusters.meshctl([...connect('mesh-1', 'mesh-2'), '--dry-run']);
  expect(plan.stderr).toContain(
    'before anybody dials, connect waits until KVStoreMesh of mesh-1 has dropped what it had of mesh-2',
  );
  const result = await clusters.meshctl(connect('mesh-1', 'mesh-2'), { clock: hastyClock(atFirstLook) });
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.stderr).toContain('Former peers can be taken up again');
  expect(result.stderr).not.toContain('get no answer');
  await untilHealthy(clusters, PAIR);
});

it('a connect that waits for it ends where the pair is parted again meanwhile, and no one has dialled', async () => {
  await rejoining();
  const parting = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  const written: string[] = [];
  clusters.fault = async ({ verb, name, context }) => {
    if (verb === 'patch' && name === 'cilium-kvstoremesh') written.push(context);
    return undefined;
  };
  const atFirstLook = () => clusters.meshctl.ok(parting);
  const { exitCode, stderr } = await clusters.meshctl(connect('mesh-1', 'mesh-2'), { clock: hastyClock(atFirstLook) });
  expect(exitCode, stderr).toBe(1);
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /user remote-mesh-2 in ConfigMap \S+; context "mesh-2": user remote-mesh-1 in ConfigMap \S+: someone else has removed it meanwhile/,
  );
  expect(written).toEqual([]);
  expect(PAIR.map(dialled)).toEqual([[], []]);
});

it('and where that takes too long, the result says which requests fail until then', async () => {
  await rejoining();
  const result = await clusters.meshctl([...connect('mesh-1', 'mesh-2'), '-o', 'json'], { clock: hastyClock() });
  expect(result.exitCode, result.stderr).toBe(0);
  const warning = expect.stringMatching(
    /^KVStoreMesh of mesh-1 still holds what it had of mesh-2: .*requests from mesh-2 to pods of mesh-1 get no answer → meshctl clustermesh status --context mesh-1,mesh-2 --wait$/,
  );
  expect(jsonOf(result).warnings).toEqual([warning]);
  expect(PAIR.map(dialled)).toEqual([['mesh-2'], ['mesh-1']]);
});

it('while both hold on to each other, no one waits, and the plan and the run say once what fails until they have let go', async () => {
  clusters = await startConnectClusters(2, { timings: { drainMs: HOUR_MS } });
  const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  const run = async (command: string, ...more: string[]) => {
    const result = await clusters.meshctl(['clustermesh', command, ...pair, ...more]);
    expect([result.exitCode, result.stderr]).toEqual([0, expect.not.stringMatching(/Waiting until KVStoreMesh/)]);
    return result;
  };
  const note =
    /mesh-1 and mesh-2 were disconnected from each other minutes ago: .*, which takes up to three minutes; until both have, mesh-1 and mesh-2 are not connected, and while only one has, its requests to the other get no answer\s+→ meshctl clustermesh status --context mesh-1,mesh-2 --wait\n/g;
  const first = await run('connect');
  expect(first.stderr).not.toContain('were disconnected');
  await untilHealthy(clusters, PAIR);
  await run('disconnect');
  const plan = jsonOf(await run('connect', '--dry-run', '-o', 'json')) as { warnings: string[] };
  expect(plan.warnings.filter((one) => one.includes('get no answer'))).toHaveLength(1);
  const again = await run('connect');
  expect(again.stderr.match(note), again.stderr).toHaveLength(1);
});

/** Two clusters that both still hold on to each other, and are to be connected again. */
async function reconnecting(ciliumVersion = '1.20.0'): Promise<void> {
  clusters = await startConnectClusters(2, { ciliumVersion, timings: { drainMs: HOUR_MS } });
  const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  await clusters.meshctl.ok(['clustermesh', 'connect', ...pair]);
  await untilHealthy(clusters, PAIR);
  await clusters.meshctl.ok(['clustermesh', 'disconnect', ...pair]);
  await clusters.meshctl.ok(['clustermesh', 'connect', ...pair]);
}

const templateOf = (context: string) =>
  workloadSpec(clusterAt(clusters, context).store.get(refs.deployment('clustermesh-apiserver'))).template;

it.each([
  ['enable', [...enable('mesh-1'), '--set', 'Deployment:spec.template.metadata.annotations.new=pods', '--yes']],
  ['certs rotate', ['clustermesh', 'certs', 'rotate', '--ca', '--context', 'mesh-1,mesh-2', '--yes']],
])(
  '%s replaces pods only when their KVStoreMesh has let go of who was disconnected a moment ago: new ones take it up before it does the same',
  async (_, argv) => {
    await reconnecting();
    const former = templateOf('mesh-1');
    const atFirstLook = vi.fn(() => {
      expect(templateOf('mesh-1')).toEqual(former);
      for (const context of PAIR) restartApiserver(clusterAt(clusters, context));
    });
    const { exitCode, stderr } = await clusters.meshctl(argv, { clock: hastyClock(atFirstLook) });
    expect(exitCode, stderr).toBe(0);
    expect(atFirstLook).toHaveBeenCalledOnce();
    expect(stderr).toContain('mesh-1: KVStoreMesh has dropped what it had of mesh-2');
    expect(templateOf('mesh-1')).not.toEqual(former);
    await untilHealthy(clusters, PAIR);
  },
);

it('so does connect where a name is dialled by hostAliases of the pods', async () => {
  await reconnecting('1.19.0');
  // Nobody can have the server's certificate cover that address.
  const { store } = clusterAt(clusters, 'mesh-2');
  store.update(refs.secret('cilium-ca'), ({ data }) => void delete (data as Record<string, string>)['ca.key']);
  const former = templateOf('mesh-1');
  const atFirstLook = vi.fn(() => {
    expect(templateOf('mesh-1')).toEqual(former);
    for (const context of PAIR) restartApiserver(clusterAt(clusters, context));
  });
  const argv = [...connect('mesh-1', 'mesh-2'), '--destination-endpoint', '172.18.2.77:2379', '--yes'];
  const { exitCode, stderr } = await clusters.meshctl(argv, { clock: hastyClock(atFirstLook) });
  expect(exitCode, stderr).toBe(0);
  expect(atFirstLook, stderr).toHaveBeenCalledOnce();
  expect(templateOf('mesh-1')).not.toEqual(former);
});

it.each([
  ['waits for that', [], 'KVStoreMesh has dropped what it had of mesh-2'],
  ['says what is lost', ['--no-wait'], 'KVStoreMesh still holds what it had of mesh-2'],
])('a disconnect that takes hostAliases from the pods %s', async (_, more, says) => {
  await reconnectingBeside();
  const former = templateOf('mesh-1');
  const atFirstLook = vi.fn(() => {
    expect(templateOf('mesh-1')).toEqual(former);
    for (const context of PAIR) restartApiserver(clusterAt(clusters, context));
  });
  const { exitCode, stderr } = await clusters.meshctl([...PARTING, ...more], { clock: hastyClock(atFirstLook) });
  expect(stderr).toContain(`mesh-1: ${says}`);
  expect(atFirstLook).toHaveBeenCalledTimes(more.length > 0 ? 0 : 1);
  expect([exitCode, templateOf('mesh-1')]).toEqual([0, expect.not.objectContaining(former)]);
});

it('and no longer than the operator says, with a look at the context of who is still held', async () => {
  await reconnectingBeside();
  const clock = hastyClock();
  const from = clock.ms();
  const { exitCode, stderr } = await clusters.meshctl([...PARTING, '--wait-duration', '10s'], { clock });
  expect(exitCode, stderr).toBe(0);
  expect(plainWords(stderr)).toContain('no answer → meshctl clustermesh status --context mesh-1,mesh-2 --wait');
  expect(clock.ms() - from).toBeLessThan(60_000);
});

const PARTING = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-3', '--yes'];

/** mesh-1 dials mesh-3 by hostAliases of its pods, and was disconnected from mesh-2 and connected again a moment ago. */
async function reconnectingBeside(): Promise<void> {
  clusters = await startConnectClusters(3, { ciliumVersion: '1.19.0', timings: { drainMs: HOUR_MS } });
  const { store } = clusterAt(clusters, 'mesh-3');
  store.update(refs.secret('cilium-ca'), ({ data }) => void delete (data as Record<string, string>)['ca.key']);
  await clusters.meshctl.ok([...connect('mesh-1', 'mesh-3'), '--destination-endpoint', '172.18.3.77:2379', '--yes']);
  // Pods that come only later would hold nothing.
  await clusters.meshctl.ok(enable('mesh-1'));
  const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  await clusters.meshctl.ok(['clustermesh', 'connect', ...pair]);
  const connected = async () =>
    (await clusters.meshctl.status('mesh-1')).peers.find(({ name }) => name === 'mesh-2')?.agents.connected;
  await eventually(connected, (nodes) => nodes === 1, 'mesh-2 is connected');
  await clusters.meshctl.ok(['clustermesh', 'disconnect', ...pair]);
  await clusters.meshctl.ok(['clustermesh', 'connect', ...pair]);
}

it('and where that takes too long, enable says which requests fail until then', async () => {
  await reconnecting();
  const result = await clusters.meshctl(
    [...enable('mesh-1'), '--set', 'Deployment:spec.template.metadata.annotations.new=pods', '--yes', '-o', 'json'],
    { clock: hastyClock() },
  );
  expect(result.exitCode, result.stderr).toBe(0);
  expect(jsonOf(result).warnings).toContainEqual(
    expect.stringMatching(
      /^mesh-1: KVStoreMesh still holds what it had of mesh-2, .* requests from here to pods there get no answer → meshctl clustermesh status --context mesh-1,mesh-2 --wait$/,
    ),
  );
});

it('and certs rotate so too, with the context of the peer, which is one of its own', async () => {
  await reconnecting();
  const argv = ['clustermesh', 'certs', 'rotate', '--ca', '--context', 'mesh-1,mesh-2', '--yes'];
  const { exitCode, stderr } = await clusters.meshctl(argv, { clock: hastyClock() });
  expect(exitCode, stderr).toBe(0);
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /mesh-1: KVStoreMesh still holds what it had of mesh-2, [^→]* get no answer → meshctl clustermesh status --context mesh-1,mesh-2 --wait /,
  );
});
