import { type AddressRange, overlap, parseCidr } from '../cidr.ts';
import { keyOf } from '../kube-object.ts';
import { apiserverServiceRef } from '../names.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { type Check, type CheckInput, type Finding, listed } from './check.ts';

/** Addresses that must not meet, within one mesh. */
export const ADDRESS_CHECKS: readonly Check[] = [
  {
    id: 'pod-cidr-overlap',
    category: 'addresses',
    title: 'pod address ranges do not overlap',
    run: podCidrOverlaps,
    says: ({ args }) =>
      `contexts ${listed(args.contexts)}: pods have the same addresses (${listed(args.overlaps)}${args.more ? `, and ${args.more} more` : ''})`,
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
          hint: `Peers reach a ClusterIP only where the network routes it. Else: meshctl clustermesh enable --context ${context} --service-type LoadBalancer`,
        })),
    says: ({ args }) => `context "${args.context}": the clustermesh-apiserver's Service has the type ClusterIP`,
  },
];

/** How many overlaps of two clusters are named. */
const MOST_SHOWN = 3;

function podCidrOverlaps({ clusters }: CheckInput): Finding[] {
  const ranges = clusters.map((cluster) => ({ cluster, ranges: podRanges(cluster) }));
  return pairsOf(ranges).flatMap(([one, other]): Finding[] => {
    const overlaps = commonRanges(one.ranges, other.ranges);
    if (overlaps.length === 0) return [];
    return [
      {
        id: 'pod-cidr-overlap',
        severity: 'fail',
        args: {
          contexts: [one.cluster.context, other.cluster.context],
          overlaps: overlaps.slice(0, MOST_SHOWN),
          more: Math.max(0, overlaps.length - MOST_SHOWN),
        },
        hint: 'Each cluster of a mesh needs pod ranges of its own; they are chosen when a cluster is made.',
      },
    ];
  });
}

type PodRange = AddressRange & { text: string };

/** Both lists are in order, and ranges of one cluster do not overlap: one walk along both finds all pairs. */
function commonRanges(ours: readonly PodRange[], theirs: readonly PodRange[]): string[] {
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
function podRanges({ ciliumPodCidrs, nodes, ciliumConfig }: ClusterSnapshot): PodRange[] {
  const fromKubernetes = ciliumConfig?.ipam === 'kubernetes' || ciliumPodCidrs === undefined;
  const own = ciliumPodCidrs ?? [];
  const texts = own.length > 0 || !fromKubernetes ? own : nodes.flatMap(({ podCidrs }) => podCidrs);
  return [...new Set(texts)]
    .flatMap((text): PodRange[] => {
      const range = parseCidr(text);
      return range ? [{ ...range, text }] : [];
    })
    .sort((a, b) => a.family - b.family || (a.first < b.first ? -1 : 1));
}

interface ServiceSpec {
  type?: string;
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
        `meshctl clustermesh enable --context ${same.at(-1)?.cluster.context} --node-port <port>`,
    }));
}

/** `true`, or before 1.14 also `strict`, `partial`, `probe`. */
function replacesKubeProxy({ ciliumConfig }: ClusterSnapshot): boolean {
  return !['false', 'disabled', undefined].includes(ciliumConfig?.['kube-proxy-replacement']);
}
