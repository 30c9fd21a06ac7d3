import { loadTemplates, templateRefs } from '../../manifests/load.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import { type Disturbance, disturbanceOf } from '../../mesh/demo/disturbance.ts';
import type { DemoCluster, DemoPlan } from '../../mesh/demo/plan-demo.ts';
import { DEMO_SELECTOR, recordOf } from '../../mesh/demo/record.ts';
import { planDisable, usersOfAuthority } from '../../mesh/enable/plan-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { configuredPeers, knownPeers } from '../../mesh/peers/peers.ts';
import { sharedOnceConnected } from '../../mesh/services/services.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { readMembers } from '../connect/read-members.ts';
import type { Flow, Target } from '../flow.ts';
import { readServiceClusters } from '../services/read-service-clusters.ts';
import { readConfiguredServices } from '../services/read-services.ts';

/**
 * Reads whether Cluster Mesh is enabled in a cluster, or something of it is there, whom it is connected with, and what demos
 * left in it.
 * @param demoNamespace that of the demo
 * @throws MeshctlError what the API server refuses
 */
export async function readDemoCluster(
  { installation }: Pick<Flow, 'installation'>,
  { client, namespace }: Target,
  demoNamespace: string,
): Promise<DemoCluster> {
  const possible = templateRefs(await loadTemplates(installation), namespace);
  const refs = [...possible, ...usersOfAuthority(namespace)];
  const [snapshot, taken, demos] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'certificates', refs }),
    client.get({ apiVersion: 'v1', kind: 'Namespace', name: demoNamespace }),
    client.listAll({ apiVersion: 'v1', kind: 'Namespace', labelSelector: DEMO_SELECTOR }),
  ]);
  const { name } = identityOf(snapshot.ciliumConfig ?? {});
  const { steps } = planDisable({ snapshot, possible, keepCertificates: false });
  const isOther = (peer: string) => peer !== name;
  return {
    context: client.context,
    name,
    deployment: apiserverDeployment(snapshot)?.metadata.uid,
    parts: steps.flatMap(({ action, object, before }) => {
      const uid = before?.metadata.uid;
      return action === 'delete' && uid !== undefined ? [{ uid, object: describeRef(object) }] : [];
    }),
    dials: configuredPeers(snapshot).filter(isOther),
    knows: knownPeers(snapshot).filter(isOther),
    taken:
      taken && !taken.metadata.deletionTimestamp
        ? { record: recordOf(taken), uid: taken.metadata.uid, since: taken.metadata.creationTimestamp }
        : undefined,
    others: demos
      .filter(({ metadata }) => metadata.name !== demoNamespace && !metadata.deletionTimestamp)
      .map(({ metadata }) => metadata.name),
  };
}

/**
 * What connecting two clusters does to those of their pods that run already, and to other peers. Where the demo enables one of
 * them, that is nothing: nobody hangs on its own pods, and the certificate that it gets covers its address.
 * @throws MeshctlError what keeps them from being connected
 */
export async function readDisturbance(
  flow: Flow,
  pair: readonly [Target, Target],
  { enable, connect }: DemoPlan,
): Promise<Disturbance> {
  if (!connect || enable.length > 0) return { restarts: [], effects: [] };
  const [one, other] = await readMembers(pair, pair.length);
  if (!one || !other) throw new MeshctlError('Bug', 'a pair is of two');
  return disturbanceOf(one, other, flow.now());
}

/**
 * The Services, as `namespace/name`, whose backends the two clusters come to share as soon as they are connected.
 * @throws MeshctlError what {@link readServiceClusters} throws, and what an API server refuses
 */
export async function readSharedOnceConnected(pair: readonly [Target, Target]): Promise<string[]> {
  const [one, other] = await readConfiguredServices(await readServiceClusters(pair), {});
  return one && other ? sharedOnceConnected(one, other) : [];
}
