import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { serviceSpec } from '../objects/service.ts';
import {
  type Endpoint,
  hostPort,
  listEndpoints,
  nodesWithReadyPod,
  reachableEndpoints,
  serviceEndpoints,
  splitHostPort,
} from './endpoints.ts';
import { apiserverService } from './live.ts';

/**
 * Whether a node that is Ready has an address and the Service's NodePort: it answers there for as long as it is, also one that is
 * cordoned or kept out of load balancing, at which nobody is to be connected anew; and nodes behind a load balancer, unless it is to
 * allocate no node ports (Kubernetes' docs, "Service", type LoadBalancer).
 */
export function answersByNode(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'nodes'>,
  address: string,
): boolean {
  const { host } = splitHostPort(address);
  return (
    isAtNodePort(snapshot, address) &&
    snapshot.nodes.some(({ ready, addresses }) => ready && addresses.some((one) => one.address === host))
  );
}

/** Whether an address has the Service's node port, and no node was read, so that nobody can say whether it is a node's. */
export function isNodeUnseen(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'nodes'>,
  address: string,
): boolean {
  return snapshot.nodes.length === 0 && isAtNodePort(snapshot, address);
}

function isAtNodePort(snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>, address: string): boolean {
  const service = apiserverService(snapshot);
  const { type, ports } = service ? serviceSpec(service) : {};
  return (type === 'NodePort' || type === 'LoadBalancer') && ports?.[0]?.nodePort === splitHostPort(address).port;
}

/**
 * Whether a Service still has the addresses that peers are to dial. Of a NodePort these are some of its nodes, which all answer alike: as
 * long as each of those is there, which others there are does not matter.
 * @param before the cluster as it was when they were chosen
 */
export function keepsEndpoints(before: ClusterSnapshot, now: ClusterSnapshot): boolean {
  const chosen = listEndpoints(before);
  const isByNodes = [before, now].every((one) => serviceSpec(apiserverService(one)).type === 'NodePort');
  if (!isByNodes || chosen.length === 0)
    return JSON.stringify(serviceEndpoints(before)) === JSON.stringify(serviceEndpoints(now));
  return chosen.every(({ host, port }) => answersByNode(answeringByNode(now), hostPort(host, port)));
}

/** Whether anybody answers at an address of a cluster's now, also at a node's that none of its endpoints names. */
export function answersAt(snapshot: ClusterSnapshot, address: string): boolean {
  const isEndpoint = ({ host, port }: Endpoint) => hostPort(host, port) === address;
  return (reachableEndpoints(snapshot)?.some(isEndpoint) ?? false) || answersByNode(answeringByNode(snapshot), address);
}

/**
 * Whether an address is a cluster's own, whether or not anybody answers there now: its Service's or, with the node port, any of its
 * nodes', which a load balancer has as well as a NodePort has.
 * @returns undefined where that is not known: nothing has an address, or nodes were not read
 */
export function isAddressOf(snapshot: ClusterSnapshot, address: string): boolean | undefined {
  const { host } = splitHostPort(address);
  const isOfNode = () => snapshot.nodes.some(({ addresses }) => addresses.some((one) => one.address === host));
  const present = reachableEndpoints(snapshot);
  if (present?.some((one) => hostPort(one.host, one.port) === address)) return true;
  if (isAtNodePort(snapshot, address) && isOfNode()) return true;
  return present === undefined || isNodeUnseen(snapshot, address) ? undefined : false;
}

/** A cluster with those of its nodes that answer: of all of them only those with a pod where the Service wants that. */
function answeringByNode(snapshot: ClusterSnapshot): Pick<ClusterSnapshot, 'objects' | 'namespace' | 'nodes'> {
  const { objects, namespace, nodes } = snapshot;
  const serving = nodesWithReadyPod(snapshot) ?? new Set();
  const isLocal = serviceSpec(apiserverService(snapshot)).externalTrafficPolicy === 'Local' && serving.size > 0;
  return { objects, namespace, nodes: nodes.filter(({ name }) => !isLocal || serving.has(name)) };
}
