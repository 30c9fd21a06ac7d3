import { afterAll, beforeAll, expect, it } from 'vitest';
import { configure } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(waitForStatus('mesh-1', '2m'));
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

interface Plan {
  clusters: {
    peers: { peer: string; becomes: string; why: string; mend: string }[];
    steps: { action: string; object: { name: string }; why: string }[];
  }[];
}

it('a cluster that was renamed: the pods follow with their certificates and users, and the peers that knew it are named', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  configure(two, { 'cluster-name': 'west', 'cluster-id': '7' });
  const [cluster] = (jsonOf(await meshctl(enable('mesh-2', '--dry-run', '-o', 'json'))) as unknown as Plan).clusters;
  const changed = cluster?.steps.filter(({ action }) => action !== 'keep').map(({ object, why }) => [object.name, why]);
  expect(changed).toEqual([
    ['clustermesh-apiserver-admin-cert', 'it is for "admin-mesh-2", not "admin-west"'],
    ['clustermesh-apiserver-local-cert', 'it is for "local-mesh-2", not "local-west"'],
    ['clustermesh-apiserver', 'differs; its programs read the name and the id of the cluster only when they start'],
  ]);
  expect(cluster?.peers).toEqual([
    {
      peer: 'mesh-1',
      becomes: 'cut',
      why: 'it knows this cluster as "mesh-2"',
      mend:
        'meshctl clustermesh disconnect --context mesh-1 --peer mesh-2 && ' +
        'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1',
    },
  ]);
  expect(await meshctl(enable('mesh-2'))).toMatchObject({ exitCode: 2 });
  await meshctl.ok(enable('mesh-2', '--yes'));
  expect(two.store.get(refs.deployment('clustermesh-apiserver'))).toMatchObject({
    spec: { template: { metadata: { annotations: { 'meshctl.io/cluster': 'west/7' } } } },
  });
  // Agents are restarted by hand, as the hint says.
  const pods = two.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  for (const { metadata } of pods.filter(({ metadata: { labels } }) => labels?.['k8s-app'] === 'cilium')) {
    two.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: metadata.name });
  }
  await two.settled();
  for (const line of (cluster?.peers[0]?.mend ?? '').split(' && ')) {
    await meshctl.ok([...line.split(' ').slice(1), ...(line.includes('disconnect') ? ['--yes'] : [])]);
  }
  await meshctl.ok(waitForStatus('mesh-1', '2m'));
  await meshctl.ok(waitForStatus('mesh-2', '2m'));
}, 90_000);
