import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { clusterAt, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** `helm uninstall cilium` in mesh-1, which leaves what connect wrote. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
const LEFT = ['cilium-clustermesh', 'cilium-kvstoremesh', 'clustermesh-remote-users'];

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  const { store, namespace } = clusterAt(sandbox, 'mesh-1');
  for (const [apiVersion, kind] of [
    ['apps/v1', 'DaemonSet'],
    ['apps/v1', 'Deployment'],
    ['v1', 'Service'],
    ['v1', 'Secret'],
    ['v1', 'ConfigMap'],
  ] as const)
    for (const { metadata } of store.list({ apiVersion, kind, namespace }))
      if (!LEFT.includes(metadata.name) && /cilium|clustermesh|hubble/.test(metadata.name))
        store.delete({ apiVersion, kind, namespace, name: metadata.name });
});

afterAll(() => sandbox.close());

it('check of a cluster from which Cilium is gone says to install it, and no command that would be refused', async () => {
  const { exitCode, stdout, stderr } = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2']);
  expect(exitCode, stdout).toBe(1);
  expect(stdout + stderr).toContain('Install Cilium first');
  expect(stdout).not.toMatch(/meshctl clustermesh enable --context mesh-1/);
});
