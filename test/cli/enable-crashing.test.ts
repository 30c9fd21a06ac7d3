import { afterAll, beforeAll, expect, it } from 'vitest';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox.close());

it('does not wait for pods that crash again and again', async () => {
  const args = 'Deployment:spec.template.spec.containers[etcd].args=["--trusted-ca-file=/nowhere"]';
  const startedAt = Date.now();
  const result = await meshctl(enable('mesh-1', '--set', args, '--wait-duration', '3m'));
  expect(Date.now() - startedAt).toBeLessThan(60_000);
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/is not ready after \d+(\.\d)? s: pod \S+: container etcd: CrashLoopBackOff/);
});
