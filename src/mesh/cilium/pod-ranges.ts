import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { rememberedOf } from '../remembered.ts';
import { type AddressRange, IP_FAMILIES, overlap, parseCidr } from './cidr.ts';
import { ipFamilies } from './datapath.ts';
import type { CiliumConfig } from './known-keys.ts';

/** A range of addresses as it is written. */
export interface NamedRange extends AddressRange {
  text: string;
  /** The cloud network (VPC) whose subnet it is: such a network gives no address twice, whichever cluster asks. */
  network?: string | undefined;
}

/** Where the pods of a cluster have their addresses from. Ranges are in order. */
export interface PodRanges {
  /** What its nodes have now. */
  given: readonly NamedRange[];
  /** From which further nodes get theirs; empty where that cannot be seen. */
  pools: readonly NamedRange[];
  /** Why neither is known, as a clause about the cluster. */
  otherwise: string;
}

const OF_SUBNETS: readonly string[] = ['eni', 'azure', 'alibabacloud'];

/** Whether pods have addresses of a cloud's subnets, which CiliumNodes name in their status (option `ipam`). */
export function hasAddressesOfCloud({ ipam = '' }: CiliumConfig): boolean {
  return OF_SUBNETS.includes(ipam);
}

/**
 * The one rule for pod ranges, by Cilium's option `ipam` (Documentation/network/concepts/ipam): `kubernetes` takes the
 * nodes' podCIDRs; `cluster-pool` (the default) and `multi-pool` cut ranges out of pools and write them into CiliumNodes,
 * whatever Kubernetes gave to the nodes; `eni`, `azure` and `alibabacloud` take single addresses of a cloud's subnets; with
 * `crd` someone else lists addresses in CiliumNodes; of a `delegated-plugin` Cilium knows nothing but the addresses that pods have.
 *
 * Of a family that Cilium has off no pod has an address, whatever Kubernetes or a pool gives to nodes (pkg/node/sync,
 * `WaitForNodeInformation`, takes a node's range only where its family is on).
 */
export const podRanges = rememberedOf((snapshot: ClusterSnapshot): PodRanges => {
  const families = ipFamilies(snapshot.ciliumConfig ?? {});
  const { given, pools, otherwise } = rangesByIpam(snapshot);
  const isOfPods = ({ family }: AddressRange) => families.includes(family);
  return { given: given.filter(isOfPods), pools: pools.filter(isOfPods), otherwise };
});

function rangesByIpam(snapshot: ClusterSnapshot): PodRanges {
  const { ciliumConfig: config, ciliumPodCidrs: own, nodes } = snapshot;
  const ofNodes = nodes.flatMap(({ podCidrs }) => podCidrs);
  if (!config)
    return {
      given: [],
      pools: [],
      otherwise: 'there is no ConfigMap cilium-config that says where pods get their addresses from',
    };
  const ipam = config.ipam ?? 'cluster-pool';
  const notRead = own === undefined ? ', and its CiliumNodes could not be read' : '';
  if (ipam === 'kubernetes') {
    // The CiliumNode of a node that has just come is not there yet, and that of one that is gone is, until Cilium's operator looks (every
    // five minutes: nodes-gc-interval); as long as it is there, other clusters send what is for its range to it.
    return { given: rangesIn([...(own ?? []), ...ofNodes]), pools: [], otherwise: 'its nodes have no podCIDRs' };
  }
  if (hasAddressesOfCloud(config)) {
    const given = (snapshot.podSubnets ?? []).flatMap(({ network, cidr }) => rangesIn([cidr], network));
    return {
      given: inOrder(given),
      pools: [],
      otherwise: `its CiliumNodes name no subnets yet (ipam: ${ipam})${notRead}`,
    };
  }
  if (ipam === 'delegated-plugin') {
    return {
      given: rangesOfPlugin(rangesIn(ofNodes), rangesIn(snapshot.endpointAddresses ?? [])),
      pools: [],
      otherwise: `another plugin gives its pods their addresses (ipam: delegated-plugin), and neither its nodes nor CiliumEndpoints tell any`,
    };
  }
  const pools = [
    ...(snapshot.podPools ?? []),
    ...(ipam === 'cluster-pool'
      ? IP_FAMILIES.flatMap((family) => wordsIn(config[`cluster-pool-ipv${family}-cidr`]))
      : []),
  ];
  return {
    // Where CiliumNodes could not be read, what Kubernetes gave its nodes says nothing of it.
    given: rangesIn(own ?? []),
    pools: rangesIn(pools),
    otherwise:
      own === undefined
        ? `its CiliumNodes could not be read, so the pod ranges of its nodes are not known (ipam: ${ipam})`
        : `its nodes have no pod ranges yet (ipam: ${ipam})`,
  };
}

/** The nodes' podCIDRs, where a plugin goes by them; else, or besides, the addresses that pods have now. */
function rangesOfPlugin(ofNodes: readonly NamedRange[], pods: readonly NamedRange[]): NamedRange[] {
  const isIn = (one: AddressRange, ranges: readonly AddressRange[]) => ranges.some((range) => overlap(one, range));
  const used = pods.length === 0 ? ofNodes : ofNodes.filter((range) => isIn(range, pods));
  return inOrder([...used, ...pods.filter((one) => !isIn(one, used))]);
}

/** Whether of a cluster's pods nothing but addresses is known, which others may join at any time. */
export function hasAddressesOnly({ ciliumConfig, nodes, endpointAddresses = [] }: ClusterSnapshot): boolean {
  if (ciliumConfig?.ipam !== 'delegated-plugin') return false;
  const ranges = rangesIn(nodes.flatMap(({ podCidrs }) => podCidrs));
  return rangesIn(endpointAddresses).some((one) => !ranges.some((range) => overlap(one, range)));
}

/**
 * The names of a cluster's pod ranges, to which packets are sent: those of its nodes; pools only where these have none yet,
 * and not where nobody could tell.
 */
export function podCidrsOf(snapshot: ClusterSnapshot): string[] {
  return lacksNodeRanges(snapshot) ? [] : knownRanges(snapshot).map(({ text }) => text);
}

/**
 * Those of them to which another cluster's pods can send: of the families of addresses that it has itself.
 * @param to whose ranges they are
 */
export function podRangesTo(from: ClusterSnapshot, to: ClusterSnapshot): readonly NamedRange[] {
  const families = ipFamilies(from.ciliumConfig ?? {});
  return lacksNodeRanges(to) ? [] : knownRanges(to).filter(({ family }) => families.includes(family));
}

/** The ranges of a cluster's nodes, else its pools. */
export function knownRanges(snapshot: ClusterSnapshot): readonly NamedRange[] {
  const { given, pools } = podRanges(snapshot);
  return given.length > 0 ? given : pools;
}

/** Whether the ranges that nodes have stand in CiliumNodes, and these were not to be had: pools alone are not what is in use. */
export function lacksNodeRanges({ ciliumConfig, ciliumPodCidrs }: ClusterSnapshot): boolean {
  return ciliumPodCidrs === undefined && ['cluster-pool', 'multi-pool'].includes(ciliumConfig?.ipam ?? 'cluster-pool');
}

/**
 * Whether each node has pod ranges of its own, which its routers can be told of: only with these modes does Cilium advertise
 * any (Documentation/network/bgp-control-plane).
 */
export function givesRangesToNodes({ ciliumConfig }: ClusterSnapshot): boolean {
  return ['kubernetes', 'cluster-pool', 'multi-pool'].includes(ciliumConfig?.ipam ?? 'cluster-pool');
}

/** In order, each once; what is no range is passed over. */
export function rangesIn(texts: readonly string[], network?: string): NamedRange[] {
  const found = [...new Set(texts)].flatMap((text): NamedRange[] => {
    const range = parseCidr(text);
    return range ? [{ ...range, text, network }] : [];
  });
  return inOrder(found);
}

/**
 * What two clusters have in common, in words. Both lists are in order, and ranges of one list do not overlap: one walk
 * along both finds all pairs.
 */
export function commonRanges(ours: readonly NamedRange[], theirs: readonly NamedRange[]): string[] {
  const found: string[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [one, other] = [ours[i], theirs[j]];
    if (!one || !other) return found;
    const isShared = one.network !== undefined && one.network === other.network;
    if (overlap(one, other) && !isShared) {
      found.push(one.text === other.text ? one.text : `${one.text} and ${other.text}`);
    }
    const oneEndsFirst = one.family === other.family ? one.last < other.last : one.family < other.family;
    if (oneEndsFirst) i++;
    else j++;
  }
}

function inOrder(ranges: readonly NamedRange[]): NamedRange[] {
  const byName = new Map(ranges.map((range) => [`${range.network ?? ''} ${range.text}`, range]));
  return [...byName.values()].sort(
    (a, b) => a.family - b.family || (a.first < b.first ? -1 : a.first > b.first ? 1 : 0),
  );
}

function wordsIn(list: string | undefined): string[] {
  return (list ?? '').split(/[\s,]+/).filter((word) => word !== '');
}
