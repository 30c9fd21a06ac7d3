import { type AddressRange, overlap, parseCidr } from '../cidr.ts';
import { meshctlCommand } from '../command-line.ts';
import { keyOf } from '../kube-object.ts';
import { apiserverServiceRef } from '../names.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { type Check, type CheckInput, type Finding, listed } from './check.ts';
import { routingMode } from './config.ts';

/** Addresses that must not meet, within one mesh. */
export const ADDRESS_CHECKS: readonly Check[] = [
  {
    id: 'pod-cidr-overlap',
    category: 'addresses',
    title: 'pod address ranges do not overlap',
    run: ({ clusters }) =>
      overlapsBetween(clusters, {
        id: 'pod-cidr-overlap',
        hint: 'Each cluster of a mesh needs pod ranges of its own; they are chosen when a cluster is made.',
        rangesOf: podRanges,
        between: (one, other) => commonRanges(one, other),
      }),
    says: (finding) => saysOverlap(finding, 'pods have the same addresses'),
  },
  {
    id: 'node-address-overlap',
    category: 'addresses',
    title: 'node addresses are unique, and outside the pod ranges of other clusters',
    run: ({ clusters }) =>
      overlapsBetween(clusters, {
        id: 'node-address-overlap',
        hint: 'All nodes of a mesh reach each other at their InternalIP: each needs an address of its own.',
        rangesOf: (cluster) => ({ nodes: nodeRanges(cluster), pods: podRanges(cluster) }),
        between: (one, other) => [
          ...commonRanges(one.nodes, other.nodes),
          ...commonRanges(one.nodes, other.pods),
          ...commonRanges(one.pods, other.nodes),
        ],
      }),
    says: (finding) => saysOverlap(finding, 'nodes have addresses of nodes or pods of the other cluster'),
  },
  {
    id: 'service-address-overlap',
    category: 'addresses',
    title: 'pod ranges hold no Service addresses of other clusters (equal Service ranges are no matter)',
    run: servicesAmongPods,
    says: ({ args }) =>
      `context "${args.context}": the pod ranges of ${args.peer} hold Service addresses of this cluster (${listed(args.overlaps)}${andMore(args)})`,
  },
  {
    id: 'native-routing-cidr',
    category: 'addresses',
    title: 'native routing takes the pods of other clusters for pods',
    run: maskedPods,
    says: ({ args }) =>
      `context "${args.context}": ipv4-native-routing-cidr ${args.cidr} does not hold ${listed(args.ranges)}${andMore(args)} of ${args.peer}, so packets to these pods do not come from a pod's address`,
  },
  {
    id: 'node-port-unique',
    category: 'addresses',
    title: 'no two clusters use the same NodePort',
    run: equalNodePorts,
    says: ({ args }) =>
      `contexts ${listed(args.contexts)}: the clustermesh-apiservers have the same NodePort ${args.port}`,
  },
  {
    id: 'service-reachable',
    category: 'addresses',
    title: 'the clustermesh-apiserver can be reached from outside its cluster',
    run: ({ clusters }) =>
      clusters
        .filter((cluster) => serviceSpecOf(cluster)?.type === 'ClusterIP')
        .map(({ context }) => ({
          id: 'service-reachable',
          severity: 'warn',
          cluster: context,
          args: { context },
          hint: `Peers reach a ClusterIP only where the network routes it. Else: ${meshctlCommand('clustermesh enable', { context }, ['--service-type', 'LoadBalancer'])}`,
        })),
    says: ({ args }) => `context "${args.context}": the clustermesh-apiserver's Service has the type ClusterIP`,
  },
];

/** How many overlaps, or ranges, of two clusters are named. */
const MOST_SHOWN = 3;

interface Overlaps<Ranges> {
  id: string;
  hint: string;
  rangesOf(cluster: ClusterSnapshot): Ranges;
  /** What two clusters have in common, in words. */
  between(one: Ranges, other: Ranges): string[];
}

/** One finding for each pair of clusters that have addresses in common. */
function overlapsBetween<Ranges>(
  clusters: readonly ClusterSnapshot[],
  { id, hint, rangesOf, between }: Overlaps<Ranges>,
): Finding[] {
  const ranges = clusters.map((cluster) => ({ context: cluster.context, ranges: rangesOf(cluster) }));
  return pairsOf(ranges).flatMap(([one, other]): Finding[] => {
    const overlaps = between(one.ranges, other.ranges);
    if (overlaps.length === 0) return [];
    const contexts = [one.context, other.context];
    return [{ id, severity: 'fail', args: { contexts, overlaps: shown(overlaps), more: hidden(overlaps) }, hint }];
  });
}

function shown(values: readonly string[]): readonly string[] {
  return values.slice(0, MOST_SHOWN);
}

function hidden(values: readonly string[]): number {
  return Math.max(0, values.length - MOST_SHOWN);
}

function saysOverlap({ args }: Finding, what: string): string {
  return `contexts ${listed(args.contexts)}: ${what} (${listed(args.overlaps)}${andMore(args)})`;
}

function andMore({ more }: Finding['args']): string {
  return more ? `, and ${more} more` : '';
}

/**
 * Service addresses mean something in their own cluster only, so equal ranges do not meet. A pod elsewhere with such an
 * address does: here it is taken for the Service. Of the Service range only the clustermesh-apiserver's part is known.
 */
function servicesAmongPods({ clusters }: CheckInput): Finding[] {
  return clusters.flatMap((cluster) => {
    const { clusterIPs = [] } = serviceSpecOf(cluster) ?? {};
    return clusters
      .filter((other) => other !== cluster)
      .flatMap((other): Finding[] => {
        const overlaps = commonRanges(rangesIn(clusterIPs), podRanges(other));
        if (overlaps.length === 0) return [];
        const { context } = cluster;
        return [
          {
            id: 'service-address-overlap',
            severity: 'warn',
            cluster: context,
            args: { context, peer: other.context, overlaps: shown(overlaps), more: hidden(overlaps) },
            hint: 'Pods with such addresses cannot be reached from there: choose pod ranges outside the Service ranges of all clusters.',
          },
        ];
      });
  });
}

/** With native routing Cilium masquerades what leaves for an address outside this range (option ipv4-native-routing-cidr). */
function maskedPods({ clusters }: CheckInput): Finding[] {
  return clusters.flatMap((cluster) => {
    const { context, ciliumConfig: config = {} } = cluster;
    const cidr = config['ipv4-native-routing-cidr'];
    const own = cidr === undefined ? undefined : parseCidr(cidr);
    const masquerades = config['enable-ipv4-masquerade'] !== 'false' && config['enable-ip-masq-agent'] !== 'true';
    if (cidr === undefined || !own || !masquerades || routingMode(config) !== 'native') return [];
    return clusters
      .filter((other) => other !== cluster)
      .flatMap((other): Finding[] => {
        const ranges = podRanges(other)
          .filter(({ family, first, last }) => family === 4 && (first < own.first || last > own.last))
          .map(({ text }) => text);
        if (ranges.length === 0) return [];
        return [
          {
            id: 'native-routing-cidr',
            severity: 'warn',
            cluster: context,
            args: { context, cidr, peer: other.context, ranges: shown(ranges), more: hidden(ranges) },
            hint: 'Policies see the node instead of the pod. Set ipv4-native-routing-cidr to a range that holds the pods of all clusters.',
          },
        ];
      });
  });
}

type NamedRange = AddressRange & { text: string };

/** Both lists are in order, and ranges of one cluster do not overlap: one walk along both finds all pairs. */
function commonRanges(ours: readonly NamedRange[], theirs: readonly NamedRange[]): string[] {
  const found: string[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [one, other] = [ours[i], theirs[j]];
    if (!one || !other) return found;
    if (overlap(one, other)) found.push(one.text === other.text ? one.text : `${one.text} and ${other.text}`);
    const oneEndsFirst = one.family === other.family ? one.last < other.last : one.family < other.family;
    if (oneEndsFirst) i++;
    else j++;
  }
}

/**
 * Cilium's own IPAM writes what it gave to nodes into CiliumNodes. Those of Kubernetes count only where Cilium uses them:
 * a cloud or kubeadm may have set them all the same.
 */
function podRanges({ ciliumPodCidrs, nodes, ciliumConfig }: ClusterSnapshot): NamedRange[] {
  const fromKubernetes = ciliumConfig?.ipam === 'kubernetes' || ciliumPodCidrs === undefined;
  const own = ciliumPodCidrs ?? [];
  const texts = own.length > 0 || !fromKubernetes ? own : nodes.flatMap(({ podCidrs }) => podCidrs);
  return rangesIn(texts);
}

function nodeRanges({ nodes }: ClusterSnapshot): NamedRange[] {
  return rangesIn(
    nodes.flatMap(({ addresses }) =>
      addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    ),
  );
}

/** In order; what is no range is passed over. */
function rangesIn(texts: readonly string[]): NamedRange[] {
  return [...new Set(texts)]
    .flatMap((text): NamedRange[] => {
      const range = parseCidr(text);
      return range ? [{ ...range, text }] : [];
    })
    .sort((a, b) => a.family - b.family || (a.first < b.first ? -1 : 1));
}

interface ServiceSpec {
  type?: string;
  clusterIPs?: string[];
  ports?: { nodePort?: number }[];
}

function serviceSpecOf({ objects, namespace }: ClusterSnapshot): ServiceSpec | undefined {
  return objects.get(keyOf(apiserverServiceRef(namespace)))?.spec as ServiceSpec | undefined;
}

/** With kube-proxy replacement a node takes a known node's address with a NodePort of its own for itself. */
function equalNodePorts({ clusters }: CheckInput): Finding[] {
  const exposed = clusters.flatMap((cluster) => {
    const spec = serviceSpecOf(cluster);
    const port = spec?.type === 'NodePort' ? spec.ports?.[0]?.nodePort : undefined;
    return port === undefined ? [] : [{ cluster, port }];
  });
  return [...groupBy(exposed, ({ port }) => port)]
    .filter(([, same]) => same.length > 1)
    .map(([port, same]) => ({
      id: 'node-port-unique',
      severity: same.some(({ cluster }) => replacesKubeProxy(cluster)) ? 'fail' : 'warn',
      args: { port, contexts: same.map(({ cluster }) => cluster.context) },
      hint:
        'With kube-proxy replacement such clusters dial themselves (cilium/cilium#24692). Give one another port: ' +
        meshctlCommand('clustermesh enable', { context: same.at(-1)?.cluster.context }, ['--node-port', '<port>']),
    }));
}

/** `true`, or before 1.14 also `strict`, `partial`, `probe`. */
function replacesKubeProxy({ ciliumConfig }: ClusterSnapshot): boolean {
  return !['false', 'disabled', undefined].includes(ciliumConfig?.['kube-proxy-replacement']);
}
