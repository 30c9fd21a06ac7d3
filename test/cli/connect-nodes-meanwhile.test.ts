import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectClusters, isMeshWrite, startBareClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { restartApiserver } from '../support/fault-parts.ts';
import { clusterAt, found } from '../support/sandbox-mesh.ts';

/** Which nodes answer at a NodePort changes between the plan of a connect and its writes. */
let clusters: ConnectClusters;
const two = () => clusterAt(clusters, 'mesh-2');
const nodeRef = (name: string) => ({ apiVersion: 'v1', kind: 'Node', name });
const cordon = (name: string, is: boolean) =>
  two().store.update(nodeRef(name), ({ spec }) => Object.assign(spec as object, { unschedulable: is }), 'kubectl');
function placeOfPod(): string {
  const pods = two().store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  const own = pods.find(({ metadata }) => metadata.name.startsWith('clustermesh-apiserver'));
  return (found(own, 'its pod').spec as { nodeName: string }).nodeName;
}

beforeAll(async () => {
  clusters = await startBareClusters(2, { nodes: 2 });
  const nodePort = ['--service-type', 'NodePort', '--node-port', '32379', '--external-traffic-policy', 'Local'];
  const enabled = await clusters.meshctl(enable('mesh-1,mesh-2', ...nodePort, '--yes'));
  expect(enabled.exitCode, enabled.stderr).toBe(0);
});
afterEach(() => {
  clusters.fault = undefined;
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

async function expectStopped(change: () => Promise<void> | void): Promise<void> {
  let isChanged = false;
  clusters.fault = async (request) => {
    if (isMeshWrite(request) && !isChanged) {
      isChanged = true;
      await change();
    }
    return undefined;
  };
  const result = await clusters.meshctl(connect('mesh-1', 'mesh-2', '--yes'));
  expect(isChanged).toBe(true);
  expect(result.exitCode, result.stderr).toBe(1);
  expect(result.stderr.replaceAll(/\s+/g, ' ')).toContain('context "mesh-2": its addresses changed meanwhile');
}

it('is stopped where the pod has moved, which alone answers, and connects when it is run again', async () => {
  const former = placeOfPod();
  await expectStopped(async () => {
    cordon(former, true);
    restartApiserver(two());
    await two().settled();
  });
  expect(placeOfPod()).not.toBe(former);
  cordon(former, false);
  clusters.fault = undefined;
  expect(await clusters.meshctl(connect('mesh-1', 'mesh-2', '--yes'))).toMatchObject({ exitCode: 0 });
});

it('is stopped where a node is gone that would be dialled', async () => {
  await clusters.meshctl([
    'clustermesh',
    'disconnect',
    '--context',
    'mesh-1',
    '--destination-context',
    'mesh-2',
    '--yes',
  ]);
  const opened = await clusters.meshctl(enable('mesh-2', '--external-traffic-policy', 'Cluster', '--yes'));
  expect(opened.exitCode, opened.stderr).toBe(0);
  await expectStopped(() => {
    const [gone] = two()
      .store.list({ apiVersion: 'v1', kind: 'Node' })
      .filter(({ metadata }) => metadata.name !== placeOfPod());
    if (gone) two().store.delete(refOf(gone));
  });
});
