import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Before Cilium 1.17 a cluster has a user of its own among those of its peers: by it its agents read KVStoreMesh's cache. */
let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1, ciliumVersion: '1.16.4' });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const usersOf = (index: number) => {
  const { store } = found(sandbox.clusters[index], 'the cluster');
  const { data } = found(store.get(refs.configMap('clustermesh-remote-users')), 'the users') as {
    data?: Record<string, string>;
  };
  return [...(data?.['users.yaml'] ?? '').matchAll(/name: (\S+)/g)].map(([, name]) => name);
};

describe("a cluster's own user", () => {
  it('is no peer that is let in', async () => {
    const plan = await meshctl.ok(enable('mesh-1', '--dry-run'));
    expect(plan.stdout).toContain('create ConfigMap kube-system/clustermesh-remote-users (will hold the peers)');
    await meshctl.ok(enable('mesh-1,mesh-2'));
    expect(usersOf(0)).toEqual(['remote-mesh-1']);
    const { stdout } = await meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
    expect(stdout).toContain('mesh-1 is connected to no cluster');
    expect(stdout).toContain('--destination-context mesh-2');
    const checks = await meshctl(['clustermesh', 'check', '--context', 'mesh-1']);
    expect(checks.stdout).not.toContain('although it lets');
  });

  it('is none that disable cuts off', async () => {
    const { stdout, stderr } = await meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-1', '--dry-run']);
    expect(stdout).not.toContain('peer mesh-1');
    expect(stderr).not.toContain('still dials');
  });

  it('stays when the cluster is told to forget its own name, or its peers', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    const forget = (peer: string) =>
      meshctl(['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', peer, '-y']);
    expect((await forget('mesh-1')).stderr).toContain('knows no cluster "mesh-1"; it knows mesh-2');
    expect(usersOf(0)).toEqual(['remote-mesh-1', 'remote-mesh-2']);
    await meshctl.ok(['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '-y']);
    expect([usersOf(0), usersOf(1)]).toEqual([['remote-mesh-1'], ['remote-mesh-2']]);
  });
});
