import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { reachableEndpoints } from '../mesh/apiserver/endpoints.ts';
import { apiserverDeployment } from '../mesh/apiserver/live.ts';
import { canonicalIp } from '../mesh/cilium/cidr.ts';
import type { ApiserverPodFacts, ClusterSnapshot, NodeFacts } from '../mesh/cluster-snapshot.ts';
import { type PodsLeft, podsLeft } from '../mesh/enable/remaining-pods.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { APISERVER_SELECTOR } from '../mesh/objects/names.ts';
import { isPodReady, isPodRunning, livingPods, nodeOf } from '../mesh/objects/pods.ts';
import { imageIn } from './agent-version.ts';

/** One function, so that a client that remembers knows what was kept. */
const keepFacts = (node: KubeObject): NodeFacts[] => [nodeFactsOf(node)];

/** All nodes, page by page. */
export function readNodes(client: ClusterClient): Promise<NodeFacts[]> {
  return client.collect({ apiVersion: 'v1', kind: 'Node' }, keepFacts);
}

/** The nodes that a snapshot of a cluster's health lacks; none where they may not be listed. */
export async function readNodesIfAllowed(client: ClusterClient): Promise<NodeFacts[]> {
  return (await unlessForbidden(readNodes(client))) ?? [];
}

/** So many nodes are read one by one; of more, the list is fewer requests. */
const MOST_BY_NAME = 20;

/**
 * Nodes of which the names are known, without those that are gone: of thousands a look needs those few. Whoever may only list them gets
 * all of them; undefined where they may not be read.
 */
export async function readNodesNamed(
  client: ClusterClient,
  names: readonly string[],
): Promise<NodeFacts[] | undefined> {
  const named = names.length <= MOST_BY_NAME ? await unlessForbidden(getNodes(client, names)) : undefined;
  return named ?? unlessForbidden(readNodes(client));
}

async function getNodes(client: ClusterClient, names: readonly string[]): Promise<NodeFacts[]> {
  const nodes = await Promise.all(names.map((name) => client.get({ apiVersion: 'v1', kind: 'Node', name })));
  return nodes.flatMap((node) => (node ? keepFacts(node) : []));
}

/** The pods of the clustermesh-apiserver. @param namespace Cilium's */
export async function readApiserverPods(client: ClusterClient, namespace: string): Promise<ApiserverPodFacts[]> {
  const pods = await client.listAll(livingPods(namespace, APISERVER_SELECTOR));
  return pods.map((pod) => {
    const runs = isPodRunning(pod) ? imageIn(pod, 'apiserver') : undefined;
    const facts = { name: pod.metadata.name, node: nodeOf(pod), ready: isPodReady(pod) };
    return runs === undefined ? facts : { ...facts, runs };
  });
}

/**
 * Pods of a clustermesh-apiserver that has no Deployment any more: they are listed only where there is none. Undefined without any, and
 * where they may not be listed.
 */
export async function readPodsLeft(
  client: ClusterClient,
  { namespace, objects, apiserverPods }: Pick<ClusterSnapshot, 'namespace' | 'objects' | 'apiserverPods'>,
): Promise<PodsLeft | undefined> {
  if (apiserverDeployment({ namespace, objects }) || apiserverPods?.length === 0) return undefined;
  const pods = await unlessForbidden(client.listAll(livingPods(namespace, APISERVER_SELECTOR)));
  return podsLeft({ context: client.context, namespace }, pods ?? []);
}

/**
 * A snapshot that tells at which addresses the Service is reached: those of a NodePort are its nodes', which are read only
 * where they are asked for. As it is where they may not be read.
 */
export async function withReachableAddresses(
  client: ClusterClient,
  snapshot: ClusterSnapshot,
): Promise<ClusterSnapshot> {
  return reachableEndpoints(snapshot) === undefined ? withServingNodes(client, snapshot) : snapshot;
}

/** A snapshot with its nodes, if it has none yet, and which of them have a pod that serves; as it is where they may not be read. */
export async function withServingNodes(client: ClusterClient, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  if (snapshot.nodes.length > 0) return snapshot;
  const [nodes, apiserverPods] = await Promise.all([
    readNodesIfAllowed(client),
    unlessForbidden(readApiserverPods(client, snapshot.namespace)),
  ]);
  return { ...snapshot, nodes, apiserverPods };
}

interface NodeSpec {
  providerID?: string;
  podCIDR?: string;
  podCIDRs?: string[];
  unschedulable?: boolean;
  taints?: { key: string; value?: string; effect: string }[];
}

function nodeFactsOf(node: KubeObject): NodeFacts {
  const spec = (node.spec ?? {}) as NodeSpec;
  const status = (node.status ?? {}) as {
    addresses?: { type: string; address: string }[];
    conditions?: { type: string; status: string }[];
  };
  return {
    name: node.metadata.name,
    ready: status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
    providerId: spec.providerID || undefined,
    labels: node.metadata.labels ?? {},
    addresses: (status.addresses ?? []).map(({ type, address }) => ({ type, address: canonicalIp(address) })),
    podCidrs: spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : []),
    unschedulable: spec.unschedulable === true || undefined,
    taints: spec.taints,
  };
}
