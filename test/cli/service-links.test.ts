import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type FaultMesh, ONE, startFaultMesh, TWO } from '../support/fault-mesh.ts';
import { eventually, setUsers } from '../support/sandbox-mesh.ts';
import { addService } from '../support/service-clusters.ts';

const BOTH = ['--context', ONE, '--context', TWO];

let mesh: FaultMesh;

beforeAll(async () => {
  mesh = await startFaultMesh();
});
beforeEach(() => {
  const { one, two } = mesh;
  addService(one.store, 'shared', { ready: 2 });
  addService(two.store, 'shared', { ready: 2 });
  addService(one.store, 'borrowed', { ready: 0 });
  addService(two.store, 'borrowed', { ready: 1 });
});
afterEach(async () => {
  await mesh.restore();
  const slices = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default' };
  for (const { store } of [mesh.one, mesh.two]) {
    for (const { metadata } of store.list(slices)) {
      store.delete({ ...slices, name: metadata.name });
    }
  }
});
afterAll(() => mesh.close());

interface Listing {
  clusters: { cluster: string; brokenLinks?: { peer: string; state: string; reason: string }[] }[];
  services: {
    name: string;
    warnings: { id: string; clusters: string[] }[];
    clusters: { cluster: string; definition: { uses: unknown[]; usesDisconnected: string[] } }[];
  }[];
}

const service = (...argv: string[]) => mesh.meshctl(['service', ...argv, ...BOTH]);

/** mesh-2 lets mesh-1 in no more; who is connected notices when it dials anew. */
async function shutOut(): Promise<void> {
  setUsers(mesh.two, []);
  for (const pod of mesh.one.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: mesh.one.namespace })) {
    mesh.one.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: mesh.one.namespace, name: pod.metadata.name });
  }
  await mesh.one.settled();
  await eventually(mesh.isConnected, (connected) => !connected, 'mesh-1 is not connected');
}

describe('services behind a broken connection', () => {
  it('are counted while all is well', async () => {
    const { clusters, services } = jsonOf(await service('list', '-o', 'json')) as unknown as Listing;
    expect(clusters.map(({ brokenLinks }) => brokenLinks)).toEqual([[], []]);
    const [borrowed] = services;
    expect(borrowed?.clusters[0]?.definition).toMatchObject({ uses: [{ cluster: 'mesh-2', backends: 1 }] });
  });

  it('are not counted where agents are not connected, and it is said why', async () => {
    await shutOut();
    // mesh-1's pods are new: for a moment mesh-2 reads its state anew.
    const { clusters, services } = await eventually(
      async () => jsonOf(await service('list', '-o', 'json')) as unknown as Listing,
      (listing) => listing.clusters[1]?.brokenLinks?.every(({ reason }) => reason.includes('answer')) === true,
      'mesh-2 has read mesh-1 again',
    );
    expect(clusters[0]?.brokenLinks).toMatchObject([{ peer: 'mesh-2', state: 'disconnected' }]);
    // Where mesh-1 hears of no pod of mesh-2, no answer finds there through the tunnel.
    expect(clusters[1]?.brokenLinks).toMatchObject([{ peer: 'mesh-1', state: 'at-risk' }]);
    expect(clusters[0]?.brokenLinks?.[0]?.reason).toMatch(/^0 of 1 node connected: .*no such user/);
    const [borrowed, shared] = services;
    expect(borrowed?.clusters[0]?.definition).toMatchObject({ uses: [], usesDisconnected: ['mesh-2'] });
    expect(borrowed?.warnings).toContainEqual(expect.objectContaining({ id: 'unserved', clusters: ['mesh-1'] }));
    expect(shared?.clusters[0]?.definition.uses).toEqual([{ cluster: 'mesh-1', backends: 2 }]);
    expect(shared?.clusters[1]?.definition.uses).toHaveLength(2);

    const failover = await service('failover', 'default/borrowed');
    expect(failover.stdout).toMatch(/^⚠️ {2}1 of 1 global service fails already:$/m);
    expect(failover.stdout).toContain('default/borrowed: already now for mesh-1 (no connection to mesh-2)');
    const text = (await service('list')).stdout;
    expect(text).toContain('nothing, mesh-2 (not connected)');
    expect(text).toMatch(/⚠️ {2}mesh-1 is not connected to mesh-2, so backends there do not count for it: 0 of 1 node/);
    expect(text).toMatch(/→ meshctl clustermesh status .*--context 'admin@prod b \(old\),mesh-2'/);
    expect((await service('describe', 'default/borrowed')).stdout).toContain('nothing, mesh-2 (not connected)');
    expect((await service('list', '-o', 'name')).stderr).toContain('mesh-1 is not connected to mesh-2');
  });

  it('are a gate by what was seen: with agents it opens, without any nothing was checked', async () => {
    const gate = () => service('failover', 'default/shared', '--drained', '--require-survivable');
    // After another test the clusters read each other's state anew.
    const opened = await eventually(gate, ({ exitCode }) => exitCode === 0, 'each has read the other one');
    expect(opened.stdout).toContain('✅ 1 global service');
    const one = await service(
      'failover',
      'default/borrowed',
      '--require-survivable',
      '--without',
      'mesh-1',
      '--drained',
    );
    expect(one).toMatchObject({ exitCode: 0 });
    const network = (...more: string[]) =>
      mesh.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'network', ...more]);
    expect(await network()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/✅ Checks: .*[1-9] passed/) });
    for (const { store, namespace, settled } of [mesh.one, mesh.two]) {
      const agents = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name: 'cilium' };
      store.update(agents, ({ spec }) => {
        const { template } = spec as { template: { spec: object } };
        template.spec = { ...template.spec, nodeSelector: { none: 'such' } };
      });
      await settled();
    }
    expect(await gate()).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('which no agent could be asked'),
    });
    expect(await network()).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('all checks were skipped (nothing-checked)'),
    });
    const junit = await network('-o', 'junit');
    expect(junit.stdout).toMatch(/<testsuites tests="\d+" failures="1"/);
    const { checks } = jsonOf(await network('-o', 'json')) as { checks: { id: string; severity: string }[] };
    expect(checks.at(-1)).toMatchObject({ id: 'nothing-checked', severity: 'fail' });
  });

  it('are counted where only a restart would lose them, and called at risk', async () => {
    await Promise.all([mesh.one.settled(), mesh.two.settled()]);
    await eventually(
      async () => jsonOf(await service('list', '-o', 'json')) as unknown as Listing,
      ({ clusters }) => clusters.every(({ brokenLinks }) => brokenLinks?.length === 0),
      'the agents that were away are connected',
    );
    // Who is connected goes on hearing; after a restart nobody is let in.
    setUsers(mesh.two, []);
    const listed = await service('list', '-o', 'json');
    const { clusters, services } = jsonOf(listed) as unknown as Listing;
    expect(clusters[0]?.brokenLinks).toMatchObject([{ peer: 'mesh-2', state: 'at-risk' }]);
    expect(services[0]?.clusters[0]?.definition.uses).toEqual([{ cluster: 'mesh-2', backends: 1, atRisk: true }]);
    expect((await service('list')).stdout).toContain('mesh-2 (1, at risk)');

    const failover = await service('failover');
    expect(failover.stdout).toContain('mesh-1 is connected to mesh-2, but cannot count on the backends');
    expect(failover.stdout).toContain('no such user');
  });
});
