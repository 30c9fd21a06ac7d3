/** Who takes part in the sandbox's network, and what it tells them. */
import type { Store } from '../apiserver/storage/object-store.ts';
import { ofFamily } from '../fixtures/addresses.ts';
import { type Pod, podIps } from '../objects.ts';
import type { Place, Protocol } from './network-rules.ts';

/** Thrown by `dial`, with the code that Node's own connections would give. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: 'ENOTFOUND' | 'ECONNREFUSED' | 'ETIMEDOUT' | 'EHOSTUNREACH' | 'ENETUNREACH';

  /** The message is Go's, as Cilium prints it. */
  constructor(code: DialError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A cluster as the network sees it. */
export interface NetworkCluster {
  name: string;
  store: Store;
  /** Addresses of LoadBalancer Services, by `namespace/name`. */
  loadBalancerAddresses: ReadonlyMap<string, readonly string[]>;
  /** Whether a packet may enter the pod at an address; without an answer it is dropped. */
  admits(source: PodIdentity, address: string): boolean;
  /** The same for a packet from outside the cluster, to a port. */
  admitsOutside(address: string, port: number): boolean;
  /** Whether one of its nodes sends what its pods answer to an address of another cluster's pod, or node. */
  findsWayTo(address: string, node: string): boolean;
}

/** Who sends a packet, as Cilium's identities tell. */
export interface PodIdentity {
  cluster: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
}

/** A port of a pod or of a node. */
export interface PodAddress {
  cluster: string;
  address: string;
  port: number;
}

/** Where a packet comes from. What leaves the cluster for anything but pods has the node's address. */
export interface Sender extends Place {
  nodeAddresses?: readonly string[] | undefined;
  /** Absent where the pod uses its node's network. */
  podAddresses?: readonly string[] | undefined;
  /** Absent where it is not a pod's, or it does not matter which. */
  identity?: PodIdentity;
  /** Of a TCP connection, as observers are told it; 0 where none is chosen. */
  sourcePort?: number;
}

/** A pod as sender. @param cluster the sandbox's name for its cluster */
export function senderOf(cluster: string, pod: Pod): Sender {
  const { metadata, spec, status } = pod;
  return {
    cluster,
    node: spec.nodeName,
    nodeAddresses: status?.hostIPs?.map(({ ip }) => ip),
    ...(!spec.hostNetwork && { podAddresses: podIps(pod) }),
    identity: { cluster, namespace: metadata.namespace ?? '', labels: metadata.labels ?? {} },
  };
}

/**
 * By which address of its family a packet is seen to come; to anything but pods it leaves with the node's.
 * @param to the pod's address that it is for
 */
export function sourceOf(
  { podAddresses = [], nodeAddresses = [] }: Sender,
  to: string | undefined,
  family: 4 | 6,
): { from: string } {
  const own = to === undefined ? [] : podAddresses;
  return { from: ofFamily(own, family) ?? ofFamily(nodeAddresses, family) ?? '' };
}

/** Whether who sends has no address of a family, so that there is no way even out of its own network. */
export function lacksFamily({ podAddresses, nodeAddresses }: Sender, family: 4 | 6): boolean {
  const own = podAddresses ?? nodeAddresses ?? [];
  return own.length > 0 && ofFamily(own, family) === undefined;
}

/** A packet that is not part of a connection. */
export interface Datagram {
  protocol: Exclude<Protocol, 'tcp'>;
  address: string;
  port?: number | undefined;
  /** Bytes, with the IP header. */
  size: number;
  payload: string;
}

/** What the sender of a datagram gets to know. `answered` is only said of ICMP echo requests. */
export type Delivery =
  | { outcome: 'sent' | 'silent' | 'refused' | 'unreachable' }
  | { outcome: 'answered'; roundTripMs: number };

/** What an observer sees of a packet that has arrived at its place. */
export type Arrival = { from: string } & (
  | { protocol: 'tcp'; sourcePort: number; port: number }
  | { protocol: Datagram['protocol']; size: number; payload: string }
);

/** Sees what arrives at a node, or at a pod with an address of its own. */
export interface Observer extends Place {
  podAddresses?: readonly string[] | undefined;
  onArrival(arrival: Arrival): void;
}
