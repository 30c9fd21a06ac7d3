import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { agentReports, kvstoremeshReports } from '../support/peer-reports.ts';
import {
  enableByHand,
  eventually,
  execIn,
  found,
  peerByHand,
  refs,
  setSecret,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

const OPTIONS = { kvstoremesh: true };

let sandbox: TestSandbox;
let gke: SandboxCluster;
let eks: SandboxCluster;
let hostOfEks: { host: string; port: number };

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: [
      { context: 'gke', provider: 'gce' },
      { context: 'eks', provider: 'aws', ciliumVersion: '1.18.12' },
    ],
  });
  gke = found(sandbox.clusters[0], 'gke');
  eks = found(sandbox.clusters[1], 'eks');
  const atGke = await enableByHand(gke, OPTIONS);
  hostOfEks = await enableByHand(eks, { ...OPTIONS, ciliumVersion: '1.18.12' });
  await peerByHand(gke, eks, hostOfEks, OPTIONS);
  await peerByHand(eks, gke, atGke, OPTIONS);
});

afterAll(async () => {
  await sandbox?.close();
});

afterEach(() => {
  expect(sandbox.errors).toEqual([]);
});

const agentsReady = (context: string) =>
  eventually(
    () => agentReports(sandbox, context),
    (peers) => peers.length === 1 && peers.every(({ ready }) => ready),
    `agents of ${context} ready`,
  );

it('connects both ways through the cache, over an address and over a host name', async () => {
  expect(hostOfEks.host).toMatch(/\.elb\.amazonaws\.com$/);
  const [fromGke] = await agentsReady('gke');
  expect(fromGke).toMatchObject({ name: 'mesh-2', config: { kvstoremesh: true, 'cluster-id': 2 }, 'num-nodes': 2 });
  const [fromEks] = await agentsReady('eks');
  expect(fromEks).toMatchObject({ name: 'mesh-1', config: { kvstoremesh: true, 'cluster-id': 1 } });
  const [replica] = await kvstoremeshReports(sandbox, 'gke');
  expect(replica).toMatchObject({ name: 'mesh-2', ready: true, connected: true });
  expect(replica?.config).not.toHaveProperty('kvstoremesh');
});

it('leaves the agents with the cached state while KVStoreMesh has lost the peer', async () => {
  await agentsReady('gke');
  sandbox.network.cutLink('mesh-1', 'mesh-2');
  await eventually(
    () => kvstoremeshReports(sandbox, 'gke'),
    ([peer]) => !peer?.connected,
    'KVStoreMesh not connected',
  );
  expect(await agentReports(sandbox, 'gke')).toMatchObject([{ ready: true }]);
  sandbox.network.mendLink('mesh-1', 'mesh-2');
  await eventually(
    () => kvstoremeshReports(sandbox, 'gke'),
    ([peer]) => peer?.ready === true,
    'KVStoreMesh ready',
  );
});

it('leaves agents connected but without the configuration where a new KVStoreMesh has no data yet', async () => {
  sandbox.network.cutLink('mesh-1', 'mesh-2');
  const [pod] = gke.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } });
  gke.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: found(pod, 'pod').metadata.name });
  const [peer] = await eventually(
    () => agentReports(sandbox, 'gke'),
    ([report]) => report?.connected === true && !report.ready,
    'connected to the new pod',
  );
  expect(peer?.config).toEqual({ required: true });
  sandbox.network.mendLink('mesh-1', 'mesh-2');
  await agentsReady('gke');
});

it('honours host aliases in the peering file only from Cilium 1.20 on', async () => {
  const alias = (peer: string, ip: string) => ({
    [peer]: remotePeerFile(peer, { addresses: [], alias: { ips: [ip], ports: [2379], in: 'file' } }, `${peer}.`),
  });
  const service = gke.store.get(refs.service('clustermesh-apiserver'));
  const { loadBalancer } = found(service, 'the Service').status as { loadBalancer: { ingress: { ip: string }[] } };
  const atGke = found(loadBalancer.ingress[0], 'the address').ip;
  const troubleshootMesh = async (context: string) => {
    const command = ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'troubleshoot'];
    return (await execIn(sandbox, context, 'clustermesh-apiserver', 'kvstoremesh', command)).stdout;
  };

  setSecret(eks, 'cilium-kvstoremesh', alias('mesh-1', atGke));
  await eventually(
    () => troubleshootMesh('eks'),
    (text) => text.includes('lookup mesh-1.mesh.cilium.io on 10.96.0.10:53: no such host'),
    'Cilium 1.18 looks the name up',
  );
  // Before 1.20 the alias is one of the pods'.
  eks.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
    const { template } = deployment.spec as { template: { spec: Record<string, unknown> } };
    template.spec.hostAliases = [{ ip: atGke, hostnames: ['mesh-1.mesh.cilium.io'] }];
  });
  await eventually(
    () => kvstoremeshReports(sandbox, 'eks').catch(() => []),
    ([peer]) => peer?.ready === true,
    'Cilium 1.18 connects through the pods’ aliases',
  );

  setSecret(gke, 'cilium-kvstoremesh', alias('mesh-2', '172.18.2.100'));
  await eventually(
    () => troubleshootMesh('gke'),
    (text) => text.includes('✅ Hostname resolved to: 172.18.2.100') && text.includes('✅ Etcd connection'),
    'Cilium 1.20 takes the alias of the file',
  );
});

it('drops the peer and its cache when the peering files go', async () => {
  const gone = {
    'mesh-2': undefined,
    'mesh-2.etcd-client.crt': undefined,
    'mesh-2.etcd-client.key': undefined,
    'mesh-2.etcd-client-ca.crt': undefined,
  };
  setSecret(gke, 'cilium-kvstoremesh', gone);
  setSecret(gke, 'cilium-clustermesh', { 'mesh-2': undefined });
  await eventually(
    async () => [await kvstoremeshReports(sandbox, 'gke'), await agentReports(sandbox, 'gke')],
    ([replicas, agents]) => replicas?.length === 0 && agents?.length === 0,
    'no peers',
  );
});
