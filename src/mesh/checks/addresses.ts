import { apiserverService } from '../apiserver/live.ts';
import { IP_FAMILIES } from '../cilium/cidr.ts';
import { ipFamilies, maskedFamilies, rangeOption, routingMode } from '../cilium/datapath.ts';
import { knownNodeRanges } from '../cilium/node-addresses.ts';
import {
  commonRanges,
  hasAddressesOnly,
  knownRanges,
  lacksNodeRanges,
  type NamedRange,
  type PodRanges,
  podRanges,
  rangesIn,
} from '../cilium/pod-ranges.ts';
import { type UnmaskedRange, unmaskedRangesOf } from '../cilium/unmasked-ranges.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MOST_NAMED } from '../counted.ts';
import { serviceSpec } from '../objects/service.ts';
import { pairsOf } from '../pairs.ts';
import { NO_SERVICE } from './exposure.ts';
import {
  besideOthers,
  type Check,
  type CheckInput,
  type Finding,
  listed,
  type Subject,
  whyAlone,
} from './shared/check.ts';
import { NO_CONFIG, unknownPodRanges } from './shared/subjects.ts';

/** Addresses that must not meet, within one mesh. */
export const ADDRESS_CHECKS: readonly Check[] = [
  {
    id: 'pod-cidr-overlap',
    category: 'addresses',
    title: 'pod address ranges do not overlap',
    subject: besideOthers(podRangesOf),
    run: ({ clusters }) =>
      overlapsBetween(clusters, {
        id: 'pod-cidr-overlap',
        hint: 'Each cluster of a mesh needs pod ranges of its own; they are chosen when a cluster is made.',
        rangesOf: podRanges,
        between: podOverlaps,
      }),
    says: (finding) =>
      saysOverlap(
        finding,
        finding.severity === 'fail'
          ? 'pods have the same addresses'
          : 'nodes that are added may get pod ranges of the other cluster',
      ),
  },
  {
    id: 'node-address-overlap',
    category: 'addresses',
    title: 'node addresses are unique, and outside the pod ranges of other clusters',
    subject: besideOthers(nodesOf),
    run: ({ clusters }) =>
      overlapsBetween(clusters, {
        id: 'node-address-overlap',
        hint: 'All nodes of a mesh reach each other at their InternalIP: each needs an address of its own.',
        // Nodes and pods share the subnets of a cloud, which gives no address twice.
        rangesOf: (cluster) => ({
          nodes: knownNodeRanges(cluster),
          pods: podRanges(cluster).given.filter(({ network }) => network === undefined),
        }),
        between: (one, other) => ({
          severity: 'fail',
          overlaps: [
            ...commonRanges(one.nodes, other.nodes),
            ...commonRanges(one.nodes, other.pods),
            ...commonRanges(one.pods, other.nodes),
          ],
        }),
      }),
    says: (finding) => saysOverlap(finding, 'nodes have addresses of nodes or pods of the other cluster'),
  },
  {
    id: 'service-address-overlap',
    category: 'addresses',
    title: 'pod ranges hold no Service addresses of other clusters (equal Service ranges are fine)',
    subject: (cluster, input) => {
      const isBlind = cluster.refused?.has('service-cidrs') ?? false;
      if (serviceRanges(cluster).ranges.length === 0) return { things: [], otherwise: NO_SERVICE_RANGE, isBlind };
      const beside = podsBeside(cluster, input);
      if (cluster.serviceCidrs) return beside;
      // One address of a range says where it is, and nothing of where it is not.
      return { ...beside, unseen: [ONE_ADDRESS, ...beside.unseen], isBlind: isBlind || beside.isBlind };
    },
    run: servicesAmongPods,
    says: ({ args }) =>
      `context "${args.context}": the pod ranges of ${args.peer} hold Service addresses of this cluster (${listed(args.overlaps)}${andMore(args)}; ${args.knownFrom})`,
  },
  {
    id: 'native-routing-cidr',
    category: 'addresses',
    title: 'native-routing CIDRs cover the pods of the other clusters',
    subject: (cluster, input) => {
      const otherwise = notMasked(cluster);
      return otherwise === undefined ? podsBeside(cluster, input) : { things: [], otherwise };
    },
    run: maskedPods,
    says: ({ args }) =>
      `context "${args.context}": ${args.option} ${args.cidr} does not hold ${listed(args.ranges)}${andMore(args)} of ${args.peer}, so packets to these pods do not come from a pod's address`,
  },
];

const NO_SERVICE_RANGE = `no ServiceCIDR of it could be read, and ${NO_SERVICE}`;
const ONE_ADDRESS =
  "no ServiceCIDR of it could be read, and one address, the clustermesh-apiserver's, says nothing of the others";

/** Pools alone are not what is in use, nor do nodes tell what further ones get. */
function podRangesOf(cluster: ClusterSnapshot): Subject {
  const { given, pools, otherwise } = podRanges(cluster);
  const { ciliumConfig, podPools } = cluster;
  const later =
    podPools === undefined && ciliumConfig?.ipam === 'multi-pool'
      ? ['its CiliumPodIPPools could not be listed, so the ranges that nodes get later are not known']
      : [];
  const unread = unreadRanges(cluster);
  return {
    things: [...given, ...pools].map(({ text }) => text),
    otherwise,
    unseen: unread.length > 0 ? unread : [...later, ...(hasAddressesOnly(cluster) ? [ADDRESSES_ONLY] : [])],
    isBlind: mayNotSeeRanges(cluster),
  };
}

function mayNotSeeRanges({ podRangesRefused }: ClusterSnapshot): boolean {
  return podRangesRefused !== undefined;
}

const ADDRESSES_ONLY =
  'another plugin gives its pods their addresses, of which only those that pods have now are known';

function unreadRanges(cluster: ClusterSnapshot): string[] {
  if (!lacksNodeRanges(cluster)) return [];
  return ['its CiliumNodes could not be listed, so what its nodes have of its ranges is not known'];
}

function nodesOf(cluster: ClusterSnapshot): Subject {
  return {
    things: knownNodeRanges(cluster).map(({ text }) => text),
    otherwise: 'no InternalIP of its nodes is known',
    unseen: unreadRanges(cluster),
    isBlind: mayNotSeeRanges(cluster),
  };
}

/** The other clusters as those with pods, as far as their ranges are known. */
function podsBeside(cluster: ClusterSnapshot, input: CheckInput) {
  const all = input.clusters;
  const others = all.filter((other) => other !== cluster);
  return {
    things: others.filter((other) => knownRanges(other).length > 0).map(({ context }) => context),
    otherwise: whyAlone(input, 'no pod ranges of other clusters are known'),
    unseen: unknownPodRanges(others),
    isBlind: others.some(mayNotSeeRanges),
  };
}

/** Ranges that nodes have are in use; pools that meet mean that they will be, as nodes are added. */
function podOverlaps(one: PodRanges, other: PodRanges): Overlap {
  const now = commonRanges(one.given, other.given);
  if (now.length > 0) return { severity: 'fail', overlaps: now };
  const later = [
    ...commonRanges(one.pools, other.pools),
    ...commonRanges(one.pools, other.given),
    ...commonRanges(one.given, other.pools),
  ];
  return { severity: 'warn', overlaps: later };
}

interface Overlaps<Ranges> {
  id: string;
  hint: string;
  rangesOf(cluster: ClusterSnapshot): Ranges;
  /** What two clusters have in common, in words. */
  between(one: Ranges, other: Ranges): Overlap;
}

interface Overlap {
  severity: 'warn' | 'fail';
  overlaps: readonly string[];
}

/** One finding for each pair of clusters that have addresses in common. */
function overlapsBetween<Ranges>(
  clusters: readonly ClusterSnapshot[],
  { id, hint, rangesOf, between }: Overlaps<Ranges>,
): Finding[] {
  const ranges = clusters.map((cluster) => ({ context: cluster.context, ranges: rangesOf(cluster) }));
  return pairsOf(ranges).flatMap(([one, other]): Finding[] => {
    const { severity, overlaps } = between(one.ranges, other.ranges);
    if (overlaps.length === 0) return [];
    const contexts = [one.context, other.context];
    return [{ id, severity, args: { contexts, overlaps: shown(overlaps), more: hidden(overlaps) }, hint }];
  });
}

function shown(values: readonly string[]): readonly string[] {
  return values.slice(0, MOST_NAMED);
}

function hidden(values: readonly string[]): number {
  return Math.max(0, values.length - MOST_NAMED);
}

function saysOverlap({ args }: Finding, what: string): string {
  return `contexts ${listed(args.contexts)}: ${what} (${listed(args.overlaps)}${andMore(args)})`;
}

function andMore({ more }: Finding['args']): string {
  return more ? `, and ${more} more` : '';
}

/**
 * Service addresses mean something in their own cluster only, so equal ranges do not meet. A pod elsewhere with such an
 * address does: here it is taken for the Service.
 */
function servicesAmongPods({ clusters }: CheckInput, all: readonly ClusterSnapshot[]): Finding[] {
  return clusters.flatMap((cluster) => {
    const { context } = cluster;
    const { ranges, knownFrom } = serviceRanges(cluster);
    // Kubernetes may have a range of Services of a family that Cilium has off: pods send nothing there. Without its settings any may be on.
    const families: readonly (4 | 6)[] = cluster.ciliumConfig ? ipFamilies(cluster.ciliumConfig) : IP_FAMILIES;
    const reachable = ranges.filter(({ family }) => families.includes(family));
    return all
      .filter((other) => other !== cluster)
      .flatMap((other): Finding[] => {
        const overlaps = commonRanges(reachable, knownRanges(other));
        if (overlaps.length === 0) return [];
        return [
          {
            id: 'service-address-overlap',
            severity: 'warn',
            cluster: context,
            args: { context, peer: other.context, knownFrom, overlaps: shown(overlaps), more: hidden(overlaps) },
            hint: 'Pods with such addresses cannot be reached from there: choose pod ranges outside the Service ranges of all clusters.',
          },
        ];
      });
  });
}

/** From which a cluster's Services have their addresses, as far as it tells, and what tells it. */
function serviceRanges(cluster: ClusterSnapshot): { ranges: readonly NamedRange[]; knownFrom: string } {
  const { serviceCidrs } = cluster;
  if (serviceCidrs) return { ranges: rangesIn(serviceCidrs), knownFrom: 'by its ServiceCIDRs' };
  const { clusterIPs = [] } = serviceSpec(apiserverService(cluster));
  return {
    ranges: rangesIn(clusterIPs),
    knownFrom: "of its Service range only the clustermesh-apiserver's address is known",
  };
}

/**
 * With native routing Cilium masquerades what leaves for an address outside this range (options ipv4-native-routing-cidr and
 * ipv6-native-routing-cidr, or what its cloud has for it), of each family that is on.
 * @returns why that is not so here; undefined where it is
 */
function notMasked(cluster: ClusterSnapshot): string | undefined {
  const { ciliumConfig: config } = cluster;
  if (!config) return NO_CONFIG;
  if (routingMode(config) !== 'native') return 'it does not route natively';
  if (config['enable-ip-masq-agent'] === 'true') return 'its ip-masq-agent says what is masqueraded';
  const masked = maskedFamilies(config);
  if (masked.length === 0) return 'it does not masquerade';
  if (unmaskedRangesOf(cluster).length > 0) return undefined;
  return `it has no ${masked.map(rangeOption).join(' or ')}`;
}

function maskedPods({ clusters }: CheckInput, all: readonly ClusterSnapshot[]): Finding[] {
  return clusters.flatMap((cluster) =>
    unmaskedRangesOf(cluster).flatMap((unmasked) => maskedPodsOf(cluster, unmasked, all)),
  );
}

function maskedPodsOf(
  cluster: ClusterSnapshot,
  { option, name, cidr, range: own }: UnmaskedRange,
  all: readonly ClusterSnapshot[],
): Finding[] {
  const { context } = cluster;
  return all
    .filter((other) => other !== cluster)
    .flatMap((other): Finding[] => {
      const ranges = knownRanges(other)
        .filter(({ family, first, last }) => family === own.family && (first < own.first || last > own.last))
        .map(({ text }) => text);
      if (ranges.length === 0) return [];
      return [
        {
          id: 'native-routing-cidr',
          severity: 'warn',
          cluster: context,
          args: { context, option: name, cidr, peer: other.context, ranges: shown(ranges), more: hidden(ranges) },
          hint: `Policies see the node instead of the pod. Set ${option} to a range that holds the pods of all clusters.`,
        },
      ];
    });
}
