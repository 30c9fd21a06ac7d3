import { afterAll, beforeAll, expect, it } from 'vitest';
import { CILIUM_CONFIG, configMapRef } from '../../src/mesh/objects/names.ts';
import { connect, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, clusters: 2 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  found(sandbox.clusters[0], 'mesh-1').store.update(configMapRef('kube-system', CILIUM_CONFIG), (object) => {
    object.data = { ...(object.data as Record<string, string>), 'identity-allocation-mode': 'kvstore' };
  });
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

it.each([
  ['status', ['clustermesh', 'status', '--context', 'mesh-1']],
  ['status of several', ['clustermesh', 'status', '--context', 'mesh-1,mesh-2']],
  ['enable', ['clustermesh', 'enable', '--context', 'mesh-1']],
  ['connect', connect('mesh-1', 'mesh-2')],
  ['check', ['clustermesh', 'check', '--context', 'mesh-1']],
  ['export', ['export', '--context', 'mesh-1']],
])('%s says of a cluster with its state in a kvstore what keeps it out, and not to enable it', async (_, argv) => {
  const { stdout, stderr, exitCode } = await meshctl(argv);
  const said = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
  expect(exitCode).toBe(1);
  expect(said).toContain('Cilium keeps its state in an external kvstore (identity-allocation-mode: kvstore)');
  expect(said).toContain('meshctl explain cluster-identity');
  expect(said).not.toMatch(/clustermesh enable --context (\S+,)?mesh-1\b/);
});

it('what the hint leads to has the steps by which it moves', async () => {
  const { stdout, exitCode } = await meshctl(['explain', 'cluster-identity']);
  expect(exitCode).toBe(0);
  for (const step of [
    'doublewrite-readkvstore',
    'doublewrite-readcrd',
    'cilium_operator_doublewrite_crd_only_identities',
  ])
    expect(stdout).toContain(step);
});
