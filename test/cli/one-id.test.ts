import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-2 and mesh-3 have one id; whoever dials both is connected to the first of them. */
let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, clusters: [{}, {}, { id: 2 }] });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3'));
});
afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

it('agents refuse the second peer with an id, status says so, and it comes once the first has gone', async () => {
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  const refused = await meshctl(connect('mesh-1', 'mesh-3'));
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('cluster-id-unique') });
  await meshctl.ok(connect('mesh-1', 'mesh-3', '--skip-checks', 'cluster-id-unique'));
  const status = () => meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
  // What is connected stays so; the other one is told, and never counts as connected.
  for (const _look of [1, 2, 3, 4, 5]) {
    const { exitCode, stdout } = await status();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('  • mesh-2: 1/1 configured, 1/1 connected\n');
    expect(stdout).toMatch(/ {2}• mesh-3: \d\/1 configured, 0\/1 connected/);
  }
  const check = await meshctl(['clustermesh', 'check', '--all', '-o', 'short']);
  expect(check).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('(cluster-id-unique)') });
  await meshctl.ok(['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes']);
  await untilHealthy(sandbox, ['mesh-1', 'mesh-3']);
});
