import type { Store } from '../apiserver/storage/object-store.ts';
import { type CiliumNodeFacts, ciliumNodesOf } from '../cilium/cilium-nodes.ts';
import type { PeerState } from '../cilium/peer-state.ts';

/** What a node's agent sees: the own cluster, and what it last read of each peer. */
export interface NodeView {
  /** The own cluster's name. */
  cluster: string;
  store: Store;
  node: string;
  /** The node's own CiliumNode; undefined when it has gone. */
  facts: CiliumNodeFacts | undefined;
  remotes: ReadonlyMap<string, PeerState>;
}

export function viewOf(cluster: string, store: Store, node: string, remotes: NodeView['remotes']): NodeView {
  return { cluster, store, node, facts: ciliumNodesOf(store).find(({ name }) => name === node), remotes };
}
