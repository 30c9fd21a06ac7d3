import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { podIdentity } from '../mesh/apiserver/recorded-identity.ts';
import type { MeshRemains } from '../mesh/cilium/cilium-missing.ts';
import { describeRef } from '../mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  apiserverServiceRef,
  KVSTOREMESH_PEERS_SECRET,
  secretRef,
} from '../mesh/objects/names.ts';
import { dialledPeers } from '../mesh/peers/peers.ts';

/**
 * What a cluster without Cilium still has of a mesh, as far as that may be read: with a clustermesh-apiserver or peering files it was one
 * of its clusters. Cilium's chart puts the label that is listed by on the Service.
 * @param namespace where Cilium would be; other ones are found by the Service
 */
export async function findMeshRemains(client: ClusterClient, namespace: string): Promise<MeshRemains | undefined> {
  const selection = { apiVersion: 'v1', kind: 'Service', labelSelector: APISERVER_SELECTOR };
  const services = (await unlessForbidden(client.listAll(selection))) ?? [];
  const namespaces = new Set([namespace, ...services.flatMap(({ metadata }) => metadata.namespace ?? [])]);
  const found = await Promise.all([...namespaces].map((one) => remainsIn(client, one)));
  return found.find((remains) => remains !== undefined);
}

async function remainsIn(client: ClusterClient, namespace: string): Promise<MeshRemains | undefined> {
  const served = [apiserverDeploymentRef(namespace), apiserverServiceRef(namespace)];
  const secrets = [AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET].map((name) => secretRef(namespace, name));
  const [[deployment, service], dialling] = await Promise.all([
    Promise.all(served.map((ref) => unlessForbidden(client.get(ref)))),
    Promise.all(secrets.map((ref) => unlessForbidden(client.get(ref)))),
  ]);
  const peers = [...new Set(dialling.flatMap((secret) => dialledPeers(secret)))].sort();
  const objects = served.filter((_, index) => (index === 0 ? deployment : service)).map(describeRef);
  if (objects.length === 0 && peers.length === 0) return undefined;
  return { namespace, objects, peers, was: podIdentity(deployment) };
}
