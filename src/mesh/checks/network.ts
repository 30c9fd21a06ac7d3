import { parseCidr } from '../cidr.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { clusterNameOf } from '../identity.ts';
import { routeTo } from '../routes.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { type Finding, listed } from './check.ts';
import { routingMode } from './config.ts';
import { type ClusterObservation, findingOf, type MeshCheck } from './mesh-input.ts';

const MOST_SHOWN = 3;
const BGP_PEERS = 'exec ds/cilium -c cilium-agent -- cilium-dbg bgp peers'.split(' ');

/** Whether packets to the pods of other clusters find their way. Clusters need not be connected for it. */
export const ROUTE_CHECKS: readonly MeshCheck[] = [
  perCluster('bgp-sessions', 'BGP sessions are established', ({ context, ciliumConfig, namespace }, { nodes }) => {
    if (!usesBgp(ciliumConfig)) return [];
    const asked = nodes.flatMap(({ node, bgpSessions }) => (bgpSessions ? [{ node, bgpSessions }] : []));
    if (asked.length === 0) return [skipped('bgp-sessions', context, 'no agent could tell its BGP peers')];
    const down = asked.flatMap(({ node, bgpSessions }) =>
      bgpSessions
        .filter(({ state }) => state !== 'established')
        .map(({ peer, state }) => `${node} to ${peer} (${state})`),
    );
    const hint = kubectlCommand({ context, namespace }, BGP_PEERS);
    return down.length > 0 ? [findingOf('bgp-sessions', 'fail', context, shown(down), hint)] : [];
  }),
  perCluster('bgp-pod-cidrs', 'pod ranges are among the BGP routes', (cluster, { nodes }, others) => {
    const { context, ciliumConfig } = cluster;
    if (!usesBgp(ciliumConfig) || isTunnel(cluster)) return [];
    const asked = nodes.flatMap(({ node, bgpPrefixes }) => (bgpPrefixes ? [{ node, bgpPrefixes }] : []));
    if (asked.length === 0) return [skipped('bgp-pod-cidrs', context, 'no agent could tell its BGP routes')];
    const gaps = asked.flatMap(({ node, bgpPrefixes }) =>
      others.flatMap((other) =>
        podCidrsOf(other)
          .filter((cidr) => !bgpPrefixes.some((prefix) => holds(prefix, cidr)))
          .map((cidr) => `${node} lacks ${cidr} of ${other.context}`),
      ),
    );
    const hint = 'Let the routers of both sides exchange the pod ranges (CiliumBGPAdvertisement of type PodCIDR).';
    return gaps.length > 0 ? [findingOf('bgp-pod-cidrs', 'warn', context, shown(gaps), hint)] : [];
  }),
  perCluster('native-routes', 'nodes have a route to every remote pod range', (cluster, { nodes }, others) => {
    const { context } = cluster;
    if (isTunnel(cluster)) return [];
    const asked = nodes.flatMap(({ node, routes }) => (routes ? [{ node, routes }] : []));
    if (asked.length === 0) return [skipped('native-routes', context, 'no agent could tell its routes')];
    const gaps = asked.flatMap(({ node, routes }) =>
      others.flatMap((other) =>
        podCidrsOf(other)
          .filter((cidr) => !routeTo(cidr, routes, false).source && !routes.some(isDefault))
          .map((cidr) => `${node} has none to ${cidr} of ${other.context}`),
      ),
    );
    const hint = meshctlCommand('clustermesh routes', { context: [context, ...others.map((other) => other.context)] });
    return gaps.length > 0 ? [findingOf('native-routes', 'fail', context, shown(gaps), hint)] : [];
  }),
];

/** Whether packets between nodes and pods of different clusters arrive. */
export const NETWORK_CHECKS: readonly MeshCheck[] = [
  perCluster('node-health', 'nodes reach the nodes of other clusters', ({ context, ciliumConfig }, { nodes }) => {
    const asked = nodes.flatMap((node) => (node.health ? [{ ...node, health: node.health }] : []));
    if (asked.length === 0) return [skipped('node-health', context, 'no agent could run cilium-health')];
    const own = `${clusterNameOf({ ciliumConfig })}/`;
    const broken = asked.flatMap(({ node, health }) =>
      health
        .filter((other) => !other.node.startsWith(own) && other.problems.length > 0)
        .map((other) => `${node} to ${other.node} (${other.problems.join('; ')})`),
    );
    const hint = 'Check routes, VPN and firewalls between the nodes: health checks use TCP 4240 and ICMP.';
    return broken.length > 0 ? [findingOf('node-health', 'fail', context, shown(broken), hint)] : [];
  }),
  ...ROUTE_CHECKS,
];

function perCluster(
  id: string,
  title: string,
  judge: (cluster: ClusterSnapshot, seen: ClusterObservation, others: readonly ClusterSnapshot[]) => Finding[],
): MeshCheck {
  return {
    id,
    category: 'network',
    title,
    run: ({ clusters, observed }) =>
      clusters.flatMap((cluster) => {
        const seen = observed.get(cluster.context);
        return seen
          ? judge(
              cluster,
              seen,
              clusters.filter((other) => other !== cluster),
            )
          : [];
      }),
    says: ({ args }) =>
      `context "${args.context}": ${args.reason ?? `${listed(args.cases, '; ')}${args.more ? `; and ${args.more} more` : ''}`}`,
  };
}

/** The pod ranges of a cluster: Cilium's own, else those of Kubernetes. */
export function podCidrsOf({ ciliumPodCidrs, nodes }: ClusterSnapshot): string[] {
  const own = ciliumPodCidrs ?? [];
  return [...new Set(own.length > 0 ? own : nodes.flatMap(({ podCidrs }) => podCidrs))].sort();
}

/** Whether Cilium wraps packets to other nodes; it does unless told otherwise. */
export function isTunnel({ ciliumConfig }: ClusterSnapshot): boolean {
  return routingMode(ciliumConfig ?? {}) !== 'native';
}

/** Whether Cilium speaks BGP. */
export function usesBgp(ciliumConfig: ClusterSnapshot['ciliumConfig']): boolean {
  return ciliumConfig?.['enable-bgp-control-plane'] === 'true';
}

function isDefault({ destination }: { destination: string }): boolean {
  return destination === 'default';
}

function holds(prefix: string, cidr: string): boolean {
  const [outer, inner] = [parseCidr(prefix), parseCidr(cidr)];
  return !!outer && !!inner && outer.family === inner.family && outer.first <= inner.first && outer.last >= inner.last;
}

function shown(cases: readonly string[]): Finding['args'] {
  return { cases: cases.slice(0, MOST_SHOWN), more: Math.max(0, cases.length - MOST_SHOWN) };
}

function skipped(id: string, context: string, reason: string): Finding {
  return findingOf(id, 'skip', context, { reason });
}
