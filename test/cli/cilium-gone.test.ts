import { afterAll, beforeAll, expect, it } from 'vitest';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { lookByStatusAndChecks, untilHealthy } from '../support/open-look.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';
import { clusterAt, eventually, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const ALL = ['mesh-1', 'mesh-2', 'mesh-3'];
const SURVIVORS = 'mesh-1,mesh-2';
let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, clusters: 3 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable(ALL.join()));
  await meshctl.ok([...connect('mesh-1', 'mesh-2,mesh-3'), '--connection-mode', 'mesh']);
  await untilHealthy(sandbox, ALL);
  // Cilium's namespace is deleted with all that is in it; the cluster answers.
  const { store, settled } = clusterAt(sandbox, 'mesh-3');
  const kinds = ['Deployment', 'DaemonSet', 'Service', 'Secret', 'ConfigMap', 'Pod'];
  for (const kind of kinds) {
    const apiVersion = ['Deployment', 'DaemonSet'].includes(kind) ? 'apps/v1' : 'v1';
    for (const object of store.list({ apiVersion, kind, namespace: 'kube-system' }))
      if (store.get(refOf(object))) store.delete(refOf(object));
  }
  await settled();
  for (const other of ['mesh-1', 'mesh-2']) {
    sandbox.network.cutLink(other, 'mesh-3');
    sandbox.network.mendLink(other, 'mesh-3');
  }
});

afterAll(() => sandbox?.close());

it.each([
  ['status', SURVIVORS],
  ['status', ALL.join()],
  ['check', SURVIVORS],
])('a cluster whose Cilium is gone is forgotten by what %s of %s prints', async (command, contexts) => {
  const result = await eventually(
    () => meshctl(['clustermesh', command, '--context', contexts]),
    ({ stdout }) => stdout.includes('cannot be reached'),
    'it is noticed',
  );
  const mends = printedCommands(result).filter((printed) => !isLook(printed));
  const lines = mends.map(({ argv }) => argv.filter((word) => word !== sandbox.kubeconfigPath).join(' '));
  expect(lines).toEqual(['clustermesh disconnect --context mesh-1,mesh-2 --peer mesh-3']);
});

it('and with these typed, the others are well', async () => {
  const { stdout } = await meshctl(['clustermesh', 'check', '--context', SURVIVORS]);
  const mends = printedCommands({ stdout, stderr: '' }).filter((printed) => !isLook(printed));
  for (const { argv } of mends) await meshctl.ok([...argv, '--yes']);
  await eventually(
    () => lookByStatusAndChecks(sandbox, SURVIVORS.split(',')),
    (well) => well,
    'the others are well',
  );
});
