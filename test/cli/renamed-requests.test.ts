import { afterAll, beforeAll, expect, it } from 'vitest';
import { CILIUM_CONFIG, configMapRef } from '../../src/mesh/objects/names.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { echoWorkload } from '../support/echo-workload.ts';
import { found } from '../support/sandbox-mesh.ts';

let mesh: ConnectedMesh;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1, clusters: 2 });
  for (const cluster of [mesh.one, mesh.two]) {
    for (const object of echoWorkload(cluster.name)) cluster.store.create(object);
    await cluster.settled();
  }
});

afterAll(async () => {
  expect(mesh?.sandbox.errors).toEqual([]);
  await mesh?.sandbox.close();
});

/** What answers requests of mesh-1, by the name that each pod has of its cluster. */
async function answers(): Promise<string> {
  const client = mesh.sandbox.client('mesh-1');
  const pods = await client.listAll({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'default',
    labelSelector: 'app=x-wing',
  });
  const { name } = found(pods[0], 'x-wing').metadata;
  const ask = () =>
    client.exec({
      ...{ namespace: 'default', pod: name, container: 'x-wing', timeoutMs: 20_000 },
      command: ['curl', '-s', '-m', '1', 'rebel-base'],
    });
  const all = [];
  for (let sent = 0; sent < 8; sent++) all.push((await ask()).stdout || 'none');
  return all.join('\n');
}

it('a cluster that has got another name answers requests of its peers, once they have forgotten the former one', async () => {
  await expect.poll(answers).toMatch(/mesh-2/);
  mesh.two.store.update(configMapRef('kube-system', CILIUM_CONFIG), (object) => {
    object.data = { ...(object.data as Record<string, string>), 'cluster-name': 'west' };
  });
  for (const pod of mesh.two.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' })) {
    if (pod.metadata.labels?.['k8s-app'] === 'cilium')
      mesh.two.store.delete({ ...pod, name: pod.metadata.name, namespace: 'kube-system' });
  }
  await mesh.two.settled();
  for (const words of [
    ['enable', '--context', 'mesh-2', '--yes'],
    ['disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes'],
    ['connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
    ['status', '--context', 'mesh-1,mesh-2', '--wait'],
  ]) {
    const { exitCode, stderr } = await mesh.meshctl(['clustermesh', ...words]);
    expect(exitCode, `${words.join(' ')}\n${stderr}`).toBe(0);
  }
  await expect.poll(answers).toMatch(/mesh-2/);
  expect(await answers()).not.toContain('none');
});
