/** What is seen of pods that do not come up is told before a rollback takes them away. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let folder: string;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  folder = await mkdtemp(join(tmpdir(), 'meshctl-not-ready-'));
});

afterAll(async () => {
  await sandbox.close();
  await rm(folder, { recursive: true });
});

it.each([
  ['takes it away', [], false],
  ['leaves it', ['--no-rollback'], true],
])('apply says why pods do not come up, and what becomes of it: a run that %s', async (_what, more, stays) => {
  const file = join(folder, 'mesh.yaml');
  const set = { 'Deployment:spec.template.spec.containers[etcd].args': ['--trusted-ca-file=/nowhere'] };
  const spec = { topology: { type: 'mesh' }, clusters: [{ name: 'mesh-1', context: 'mesh-1', enable: { set } }] };
  const mesh = { apiVersion: 'meshctl.io/v1alpha1', kind: 'Mesh', metadata: { name: 'a' }, spec };
  await writeFile(file, JSON.stringify(mesh));
  const deployment = () => found(sandbox.clusters[0], 'mesh-1').store.get(refs.deployment('clustermesh-apiserver'));
  const { exitCode, stderr } = await meshctl(['apply', '-f', file, '--yes', '--wait-duration', '3m', ...more]);
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toMatch(/is not ready after \d+(\.\d)? s: pod \S+: container etcd: CrashLoopBackOff/);
  expect(deployment() !== undefined).toBe(stays);
  expect(stderr.includes('--unset')).toBe(stays);
  expect(stderr.replaceAll(/\s+/g, ' ').includes('with --no-rollback the same command leaves it')).toBe(!stays);
});
