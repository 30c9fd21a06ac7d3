import { afterEach, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';

/** All clusters are to part, or to leave, and one of them cannot be used: the others do, and nothing is taken from it unasked. */
let clusters: ConnectClusters;

afterEach(async () => {
  clusters.fault = undefined;
  expect(clusters.errors).toEqual([]);
  await clusters.close();
});

const DISABLE = ['clustermesh', 'disable', '--all'];
const DISCONNECT = ['clustermesh', 'disconnect', '--all', '--yes', '--no-wait'];
const USERS = refs.configMap('clustermesh-remote-users');
const LEFT_OUT = { context: 'mesh-3', code: 'Forbidden', message: expect.stringContaining('user "ann" may not') };

async function startMesh(count: number): Promise<void> {
  clusters = await startConnectClusters(count);
  if (count < 3) return;
  const joined = await clusters.meshctl(['clustermesh', 'connect', '--all', '--yes']);
  expect(joined.exitCode, joined.stderr).toBe(0);
}

function refuseWritesTo(context: string): void {
  clusters.requests.length = 0;
  clusters.fault = async (request) => {
    if (request.context !== context || !isMeshWrite(request)) return undefined;
    const what = `cannot ${request.verb} resource "${request.resource}" in API group "" in the namespace "kube-system"`;
    throw new ApiError(403, 'Forbidden', `${request.resource} is forbidden: User "ann" ${what}`);
  };
}

const written = () => [
  ...new Set(clusters.requests.filter((one) => isMeshWrite(one) && !one.dryRun).map(({ context }) => context)),
];
const enabled = () =>
  clusters.clusters.filter(({ store }) => store.get(refs.deployment('clustermesh-apiserver'))).map(({ name }) => name);

/** Whom a cluster dials, and whom it lets in. */
function peersOf(context: string): { dials: string[]; letsIn: string[] } {
  const { store } = clusterAt(clusters, context);
  const { data } = found(store.get(refs.secret('cilium-kvstoremesh')), 'peers') as { data?: Record<string, string> };
  const { data: users } = found(store.get(USERS), 'users') as { data?: Record<string, string> };
  const named = (text: string) => [...new Set(text.match(/mesh-\d/g) ?? [])].sort();
  const own = (names: string[]) => names.filter((name) => name !== context);
  const letsIn = (users?.['users.yaml'] ?? '').match(/remote-mesh-\d/g) ?? [];
  return { dials: own(named(Object.keys(data ?? {}).join())), letsIn: own(named(letsIn.join())) };
}

it('disconnect parts the others, and leaves one as it is where this user may not write, on both sides', async () => {
  await startMesh(3);
  refuseWritesTo('mesh-3');
  const plan = jsonOf(await clusters.meshctl([...DISCONNECT, '--dry-run=server', '-o', 'json']));
  expect(plan.unreachable).toMatchObject([LEFT_OUT]);
  expect(written()).toEqual([]);
  const parted = await clusters.meshctl([...DISCONNECT, '-o', 'json']);
  expect(parted.exitCode, parted.stderr).toBe(3);
  const { disconnected, unreachable } = jsonOf(parted);
  expect(disconnected).toEqual([
    { from: 'mesh-1', to: 'mesh-2' },
    { from: 'mesh-2', to: 'mesh-1' },
  ]);
  expect(unreachable).toMatchObject([LEFT_OUT]);
  expect(peersOf('mesh-1')).toEqual({ dials: ['mesh-3'], letsIn: ['mesh-3'] });
  expect(peersOf('mesh-2')).toEqual({ dials: ['mesh-3'], letsIn: ['mesh-3'] });
  expect(peersOf('mesh-3')).toEqual({ dials: ['mesh-1', 'mesh-2'], letsIn: ['mesh-1', 'mesh-2'] });
  // Of two there is nothing that the other one could do alone.
  clusters.requests.length = 0;
  const both = await clusters.meshctl([...DISCONNECT, '--context', 'mesh-1']);
  expect(both.exitCode, both.stderr).toBe(3);
  expect(peersOf('mesh-1')).toEqual({ dials: ['mesh-3'], letsIn: ['mesh-3'] });
});

it.each<[state: string, act: () => void, says: string]>([
  [
    'has another name by now',
    () =>
      clusterAt(clusters, 'mesh-3').store.update(refs.configMap('cilium-config'), (config) => {
        config.data = { ...(config.data as object), 'cluster-name': 'anew' };
      }),
    'its clustermesh-apiserver runs as "mesh-3"',
  ],
  [
    'has lost its list of users',
    () => clusterAt(clusters, 'mesh-3').store.delete(USERS),
    'the list of etcd users for peers is missing',
  ],
])('disconnect parts the others of one that %s, which is known to be wrong', async (_state, act, says) => {
  await startMesh(3);
  act();
  const parted = await clusters.meshctl(DISCONNECT);
  expect(parted.exitCode, parted.stderr).toBe(1);
  expect(parted.stderr).toContain(`context "mesh-3" is left out: ${says}`);
  expect(peersOf('mesh-1')).toEqual({ dials: ['mesh-3'], letsIn: ['mesh-3'] });
  expect(peersOf('mesh-2')).toEqual({ dials: ['mesh-3'], letsIn: ['mesh-3'] });
});

it('disable goes on without one in which nothing may be removed once it is said that it is to be left dialling', async () => {
  await startMesh(3);
  refuseWritesTo('mesh-3');
  for (const choice of [[], ['--disconnect']]) {
    const refused = await clusters.meshctl([...DISABLE, ...choice, '--yes', '-o', 'json']);
    expect(refused.exitCode, refused.stderr).toBe(3);
    expect(jsonOf(refused)).toMatchObject({
      error: { details: { disabled: [], failed: ['mesh-3'], notBegun: ['mesh-1', 'mesh-2'] } },
    });
    expect(refused.stderr).toMatch(
      /Nothing was removed\. mesh-3 stays, and still dials mesh-1 and mesh-2\. .*\s+→ meshctl clustermesh disable --all --disconnect=false --yes\n/,
    );
    expect({ written: written(), enabled: enabled() }).toEqual({
      written: [],
      enabled: ['mesh-1', 'mesh-2', 'mesh-3'],
    });
  }
  // Whoever is asked reads it first.
  const asked = await clusters.meshctl(DISABLE, { answers: ['n'] });
  expect(asked.exitCode).toBe(1);
  expect(asked.stderr).toMatch(/"mesh-3" still dials "mesh-1" and "mesh-2" .*\[y\/N\]/s);
  expect(written()).toEqual([]);
  const left = await clusters.meshctl([...DISABLE, '--disconnect=false', '--yes']);
  expect(left.exitCode, left.stderr).toBe(3);
  expect(left.stdout).toContain('❌ context "mesh-3": cannot delete Secret');
  expect(left.stderr).toContain('meshctl clustermesh disconnect --context mesh-3 --peer mesh-1,mesh-2\n');
  expect({ written: written(), enabled: enabled() }).toEqual({ written: ['mesh-1', 'mesh-2'], enabled: ['mesh-3'] });
});

it('disable goes on without one that does not answer, and dials those that leave, once it is said that it is to be left so', async () => {
  await startMesh(3);
  clusters.requests.length = 0;
  clusters.fault = async ({ context, user }) =>
    context === 'mesh-3' && !user.startsWith('system:serviceaccount:') ? 'drop' : undefined;
  const line = [...DISABLE, '--request-timeout', '2s'];
  for (const choice of [['--yes'], ['--disconnect', '--yes'], ['--dry-run'], ['--yes', '--dry-run']]) {
    const refused = await clusters.meshctl([...line, ...choice]);
    expect(refused.exitCode, refused.stderr).toBe(3);
    const says = refused.stderr.replaceAll(/\s+/g, ' ');
    expect(says).toContain('"mesh-3" may be the cluster of context "mesh-3", which does not answer');
    expect(says).toMatch(/leave peers alone: meshctl clustermesh disable [^→]*--disconnect=false --yes/);
    expect(written()).toEqual([]);
  }
  const asked = await clusters.meshctl(line, { answers: ['n'] });
  expect(asked.exitCode).toBe(1);
  expect(asked.stderr).toMatch(/"mesh-3" still dials "mesh-1", unless it is gone, .*\[y\/N\]/s);
  expect(written()).toEqual([]);
  const left = await clusters.meshctl([...line, '--disconnect=false', '--yes']);
  expect(left.exitCode, left.stderr).toBe(3);
  expect({ written: written(), enabled: enabled() }).toEqual({ written: ['mesh-1', 'mesh-2'], enabled: ['mesh-3'] });
});

it.each([[[]], [['--disconnect=false']], [['--disconnect']]])(
  'disable tries each write once before it begins, with %j',
  async (choice) => {
    await startMesh(3);
    clusters.requests.length = 0;
    const done = await clusters.meshctl([...DISABLE, ...choice, '--yes']);
    expect(done.exitCode, done.stderr).toBe(0);
    const tried = clusters.requests
      .filter(({ dryRun }) => dryRun)
      .map((one) => `${one.verb} ${one.context}${one.path}`);
    expect(tried.length).toBeGreaterThan(0);
    expect(tried).toEqual([...new Set(tried)]);
    expect(enabled()).toEqual([]);
  },
);

it('disable asks nobody of one that dials none of the others, and needs no list of users where all of it goes', async () => {
  await startMesh(2);
  refuseWritesTo('mesh-2');
  const left = await clusters.meshctl([...DISABLE, '--yes']);
  expect(left.exitCode, left.stderr).toBe(3);
  expect({ written: written(), enabled: enabled() }).toEqual({ written: ['mesh-1'], enabled: ['mesh-2'] });
  clusters.fault = undefined;
  expect((await clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-1'])).exitCode).toBe(0);
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  clusterAt(clusters, 'mesh-2').store.delete(USERS);
  const gone = await clusters.meshctl([...DISABLE, '--yes']);
  expect(gone.exitCode, gone.stderr).toBe(0);
  expect(enabled()).toEqual([]);
});
