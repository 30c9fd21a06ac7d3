import type { Store } from '../apiserver/storage/object-store.ts';
import { typeOf } from '../objects.ts';

/** A node as its CiliumNode tells. */
export interface CiliumNodeFacts {
  name: string;
  /** Of the node in its network. */
  internalIp: string;
  /** Of the node among the pods: the device `cilium_host`. */
  ciliumInternalIp: string;
  podCidrs: readonly string[];
}

/** The nodes of a cluster. */
export function ciliumNodesOf(store: Store): CiliumNodeFacts[] {
  return store.list(typeOf('CiliumNode')).map(({ metadata, spec }) => {
    const { addresses = [], ipam } = Object(spec) as {
      addresses?: { type: string; ip: string }[];
      ipam?: { podCIDRs?: string[] };
    };
    const address = (wanted: string) => addresses.find(({ type }) => type === wanted)?.ip ?? '';
    return {
      name: metadata.name,
      internalIp: address('InternalIP'),
      ciliumInternalIp: address('CiliumInternalIP'),
      podCidrs: ipam?.podCIDRs ?? [],
    };
  });
}
