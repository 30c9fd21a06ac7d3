import type { Store } from '../apiserver/storage/object-store.ts';
import { typeOf } from '../objects.ts';
import type { PeerState } from './peer-state.ts';

/** A node as its CiliumNode tells. Of each address there is one for each family that the node has. */
export interface CiliumNodeFacts {
  name: string;
  /** Of the node in its network. */
  internalIps: readonly string[];
  /** Of the node among the pods: the device `cilium_host`. */
  ciliumInternalIps: readonly string[];
  /** Of its health endpoint, which is a pod. */
  healthIps: readonly string[];
  podCidrs: readonly string[];
}

/** The nodes of a cluster. */
export function ciliumNodesOf(store: Store): CiliumNodeFacts[] {
  return store.list(typeOf('CiliumNode')).map(({ metadata, spec }) => {
    const {
      addresses = [],
      health = {},
      ipam,
    } = Object(spec) as {
      addresses?: { type: string; ip: string }[];
      health?: { ipv4?: string; ipv6?: string };
      ipam?: { podCIDRs?: string[] };
    };
    const ips = (wanted: string) => addresses.filter(({ type }) => type === wanted).map(({ ip }) => ip);
    return {
      name: metadata.name,
      internalIps: ips('InternalIP'),
      ciliumInternalIps: ips('CiliumInternalIP'),
      healthIps: [health.ipv4 ?? [], health.ipv6 ?? []].flat(),
      podCidrs: ipam?.podCIDRs ?? [],
    };
  });
}

/** A node of another cluster, as that published it (Cilium's pkg/node/types Node). */
export interface RemoteNode extends Omit<CiliumNodeFacts, 'ciliumInternalIps'> {
  cluster: string;
}

/** The nodes of peers, as an agent last read them. */
export function remoteNodesOf(remotes: ReadonlyMap<string, PeerState>): RemoteNode[] {
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
