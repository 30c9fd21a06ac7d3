import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { DemoCluster } from '../../mesh/demo/plan-demo.ts';
import { DEMO_SELECTOR, recordOf } from '../../mesh/demo/record.ts';
import { configuredPeers, knownPeers } from '../../mesh/peers/peers.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

/**
 * Reads whether Cluster Mesh is enabled in a cluster, whom it is connected with, and what demos left in it.
 * @param demoNamespace that of the demo
 * @throws MeshctlError what the API server refuses
 */
export async function readDemoCluster({ client, namespace }: Target, demoNamespace: string): Promise<DemoCluster> {
  const [snapshot, taken, demos] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'disconnect' }),
    client.get({ apiVersion: 'v1', kind: 'Namespace', name: demoNamespace }),
    client.listAll({ apiVersion: 'v1', kind: 'Namespace', labelSelector: DEMO_SELECTOR }),
  ]);
  const { name } = identityOf(snapshot.ciliumConfig ?? {});
  const isOther = (peer: string) => peer !== name;
  return {
    context: client.context,
    name,
    deployment: apiserverDeployment(snapshot)?.metadata.uid,
    dials: configuredPeers(snapshot).filter(isOther),
    knows: knownPeers(snapshot).filter(isOther),
    taken:
      taken && !taken.metadata.deletionTimestamp
        ? { record: recordOf(taken), since: taken.metadata.creationTimestamp }
        : undefined,
    others: demos
      .filter(({ metadata }) => metadata.name !== demoNamespace && !metadata.deletionTimestamp)
      .map(({ metadata }) => metadata.name),
  };
}
