import type { NodeFacts } from '../cluster-snapshot.ts';
import { familyOf } from './cidr.ts';

/** A node's InternalIPs, in their order. */
export function internalAddresses({ addresses }: Pick<NodeFacts, 'addresses'>): string[] {
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}

/** A node's first InternalIP of a family, which other nodes send to (Cilium's pkg/node/types, `GetNodeIP`). */
export function internalAddress(node: Pick<NodeFacts, 'addresses'>, family: 4 | 6): string | undefined {
  return internalAddresses(node).find((address) => familyOf(address) === family);
}
