import { hostPort, listEndpoints } from '../../apiserver/endpoints.ts';
import { apiserverService } from '../../apiserver/live.ts';
import { nodesWithRoom } from '../../apiserver/room.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand } from '../../command-line.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import { serviceSpec } from '../../objects/service.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import { clusterKnownAs, contextOfPeer, namesOf } from '../concerned-peers.ts';
import { dialledAddresses } from '../file/dialled-addresses.ts';
import { isLetIn, peersOfSharedUser } from '../peers.ts';

/**
 * Whether peers are answered only where a pod of the clustermesh-apiserver is: by a NodePort with `externalTrafficPolicy: Local`
 * (Kubernetes' reference, "Traffic Policies"). A load balancer follows the pods by itself.
 */
export function answersWherePodsAre(snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  const { type, externalTrafficPolicy } = serviceSpec(apiserverService(snapshot));
  return type === 'NodePort' && externalTrafficPolicy === 'Local';
}

/** Pods that a plan replaces, and who dials them. */
export interface MovedServing {
  /** The cluster of the pods, with its Service as it will be. */
  served: ClusterSnapshot;
  /** The Deployment as it will be; default as it is. */
  after?: KubeObject | undefined;
  /** Other clusters, as far as they were read. */
  others: readonly ClusterSnapshot[];
  /** `host:port` that the peer is to dial once the plan is carried out; default what it dials now. */
  dials?: readonly string[] | undefined;
}

/**
 * What becomes of a peer whose addresses may answer no more once pods are replaced, since the new ones may come up on other nodes.
 * Undefined where it goes on: every node answers, or it dials each node that may get a pod, or something that is no node's, as a load
 * balancer of the operator's own.
 * @param why that the pods are replaced, as a clause
 */
export function movedServingEffect(
  { served, after, others, dials }: MovedServing,
  peer: string,
  why: string,
): Pick<PeerEffect, 'becomes' | 'why' | 'mend' | 'movedPods'> | undefined {
  if (!answersWherePodsAre(served)) return undefined;
  const dialled = dials ?? dialledBy(served, peer, others);
  const port = serviceSpec(apiserverService(served)).ports?.[0]?.nodePort;
  if (dialled.length === 0 || port === undefined) return undefined;
  const addressesOf = ({ addresses }: ClusterSnapshot['nodes'][number]) =>
    addresses.map(({ address }) => hostPort(address, port));
  const ofNodes = new Set(served.nodes.flatMap(addressesOf));
  if (!dialled.every((address) => ofNodes.has(address))) return undefined;
  const places = nodesWithRoom(served, after).filter(({ ready }) => ready);
  const isSure = places.every((node) => addressesOf(node).some((address) => dialled.includes(address)));
  if (places.length > 0 && isSure) return undefined;
  const says = `${why}, perhaps on other nodes: it dials ${dialled.join(', ')}, and only nodes with a pod answer (externalTrafficPolicy: Local)`;
  const mend = connectCommand(served.context, contextOfPeer(peer, others));
  return { becomes: 'unknown', why: says, mend, movedPods: { dials: dialled, why: says, mend } };
}

/** Where a peer dials a cluster; of one that was not read, and is let in, where it would be told to. */
function dialledBy(served: ClusterSnapshot, peer: string, others: readonly ClusterSnapshot[]): string[] {
  const other = clusterKnownAs(peer, others);
  if (other) return dialledAddresses(other, ...namesOf(served));
  const isIn = isLetIn(served, peer) || peersOfSharedUser(served, [peer]).includes(peer);
  return isIn ? listEndpoints(served).map(({ host, port }) => hostPort(host, port)) : [];
}
