import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { clusterAt, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
});

afterAll(() => sandbox.close());

const authority = () => dataOf(clusterAt(sandbox, 'mesh-1').store.get(refs.secret('cilium-ca')))['ca.crt'];

it('a run that has replaced the CA and did not come to its end says how one goes on with that CA', async () => {
  const former = authority();
  const failed = await meshctl(enable('mesh-1', '--replace-ca', '--wait-duration', '1ms', '--yes'));
  expect(failed.exitCode).toBe(1);
  const made = authority();
  expect(made).not.toBe(former);
  const said = failed.stderr.replaceAll(/\s+/g, ' ');
  expect(said).not.toMatch(/same command/i);
  const unreplaced = 'without --replace-ca, which would make a new CA once more';
  expect(said).toContain(
    `it continues from there ${unreplaced}: meshctl clustermesh enable --context mesh-1 --wait-duration 1ms`,
  );
  expect(said).toContain(`Run it again ${unreplaced}.`);
  await meshctl.ok(enable('mesh-1', '--yes'));
  expect(authority()).toBe(made);
  await meshctl.ok(connect('mesh-1', 'mesh-2', '--yes'));
});
