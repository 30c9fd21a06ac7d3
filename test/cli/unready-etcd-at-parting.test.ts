import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { podsOf } from '../support/cluster-pods.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { connect } from '../support/e2e-cli.ts';
import { found } from '../support/sandbox-mesh.ts';

/** mesh-2 has a second clustermesh-apiserver, which cannot be asked whom its etcd lets in. */
let mesh: ConnectedMesh;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
});
afterAll(async () => {
  expect(mesh.sandbox.errors).toEqual([]);
  await mesh.sandbox.close();
});

const DISCONNECT = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
const NAME = 'clustermesh-apiserver-cut-off';

it.each([
  ['on a node that is cut off', { phase: 'Running', ready: 'False' }, {}, 'not ready'],
  ['on its way out', { phase: 'Running', ready: 'True' }, { finalizers: ['example.com/held'] }, 'ending'],
  ['that has not begun', { phase: 'Pending', ready: 'False' }, {}, undefined],
])('of a pod %s it is said that it may still let the peer in', async (_where, { phase, ready }, metadata, why) => {
  const { store } = mesh.two;
  await mesh.meshctl.ok(connect('mesh-1', 'mesh-2'));
  const pod = found(podsOf(mesh.two, 'clustermesh-apiserver')[0], 'a pod') as KubeObject;
  const status = { ...(pod.status as object), phase, conditions: [{ type: 'Ready', status: ready }] };
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: NAME };
  const labels = { 'k8s-app': 'clustermesh-apiserver' };
  const spec = { ...(pod.spec as object), nodeName: 'cut-off' };
  store.create(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: NAME, namespace: 'kube-system', labels, ...metadata },
      spec,
      status,
    } as never,
    'kubelet',
  );
  if (why === 'ending') store.delete(ref);
  try {
    const { exitCode, stderr } = await mesh.meshctl(DISCONNECT);
    const says = `whether the etcd of ${NAME} (${why}) still lets "mesh-1" in could not be verified`;
    expect(exitCode, stderr).toBe(why === undefined ? 0 : 3);
    if (why === undefined) expect(stderr).not.toContain(NAME);
    else expect(stderr).toContain(says);
  } finally {
    if (store.get(ref))
      store.update(ref, ({ metadata: held }) => {
        held.finalizers = [];
      });
    if (store.get(ref)) store.delete(ref);
  }
});
