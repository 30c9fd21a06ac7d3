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

/** A node of another cluster, as that published it (Cilium's pkg/node/types Node). */
export interface RemoteNode extends Omit<CiliumNodeFacts, 'ciliumInternalIps'> {
  cluster: string;
}

/** The nodes of peers that the agent knows of. */
export function remoteNodesOf({ remotes }: Pick<NodeView, 'remotes'>): RemoteNode[] {
  return [...remotes].flatMap(([cluster, { nodes }]) =>
    [...nodes.values()].map((text) => {
      const { Name, IPAddresses, ...node } = JSON.parse(text) as {
        Name: string;
        IPAddresses?: { Type: string; IP: string }[];
      } & Partial<Record<`IPv${4 | 6}${'AllocCIDR' | 'HealthIP'}`, string>>;
      return {
        ...{ cluster, name: Name },
        internalIps: (IPAddresses ?? []).filter(({ Type }) => Type === 'InternalIP').map(({ IP }) => IP),
        healthIps: [node.IPv4HealthIP ?? [], node.IPv6HealthIP ?? []].flat(),
        podCidrs: [node.IPv4AllocCIDR ?? [], node.IPv6AllocCIDR ?? []].flat(),
      };
    }),
  );
}
