import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { familyOf, IP_FAMILIES, parseCidr } from './cidr.ts';
import { type NamedRange, rangesIn } from './pod-ranges.ts';

/** A node's InternalIPs, in their order. */
export function internalAddresses({ addresses }: Pick<NodeFacts, 'addresses'>): string[] {
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}

/** The InternalIPs of a cluster's nodes as ranges of one address, in order, each once. */
export function nodeRanges({ nodes }: Pick<ClusterSnapshot, 'nodes'>): NamedRange[] {
  return rangesIn(nodes.flatMap(internalAddresses));
}

/**
 * Those by which Cilium knows them: the first of each family (pkg/k8s, `ParseNode`). Agents tell peers of both families, also of one that
 * is off, and do not take up a node that has an address of their own, whichever it is (pkg/node/manager, `NodeUpdated`).
 */
export function knownNodeRanges({ nodes }: Pick<ClusterSnapshot, 'nodes'>): NamedRange[] {
  return rangesIn(nodes.flatMap((node) => IP_FAMILIES.flatMap((family) => internalAddress(node, family) ?? [])));
}

/** A node's first InternalIP of a family, which other nodes send to (Cilium's pkg/node/types, `GetNodeIP`). */
export function internalAddress(node: Pick<NodeFacts, 'addresses'>, family: 4 | 6): string | undefined {
  return internalAddresses(node).find((address) => familyOf(address) === family);
}

/**
 * The families of which any node of a cluster has an address. Of a family in which it has no InternalIP, Cilium takes a node's ExternalIP
 * (pkg/node/types, `GetNodeIP`).
 */
export function familiesOfNodes({ nodes }: Pick<ClusterSnapshot, 'nodes'>): (4 | 6)[] {
  const own = nodes.flatMap(({ addresses }) => addresses.filter(({ type }) => /^(In|Ex)ternalIP$/.test(type)));
  return [...new Set(own.flatMap(({ address }) => parseCidr(address)?.family ?? []))].sort();
}
