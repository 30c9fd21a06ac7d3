import { groupBy } from '../pairs.ts';
import { remembered, rememberedOf } from '../remembered.ts';
import type { UnreachableCluster } from '../status/mesh-status.ts';
import { parseCidr } from './cidr.ts';
import type { NamedRange } from './pod-ranges.ts';

/** One entry of a node's routing table, as `ip -json route` prints it. */
export interface NodeRoute {
  /** A CIDR, an address, or `default`. */
  destination: string;
  via?: string | undefined;
  device?: string | undefined;
  protocol?: string | undefined;
  /** Packets to the destination go nowhere, also where a wider route leads there. */
  drops?: DroppingRoute | undefined;
  /** Of equal destinations the lowest counts; absent: 0. */
  metric?: number | undefined;
}

/** Types of routes by which a node drops packets; routers put them where they announce a range of which they have parts. */
const DROPPING = ['blackhole', 'unreachable', 'prohibit', 'throw'] as const;

export type DroppingRoute = (typeof DROPPING)[number];

/** How a node gets packets to a remote pod range; `default`: by no route but the default one. */
export type RouteSource = 'kernel' | 'bgp' | 'tunnel' | 'default';

export interface RouteToPods {
  /** The cluster of the node, by name. */
  from: string;
  node: string;
  /** The remote cluster's name. */
  to: string;
  podCidr: string;
  /** How many further ranges of that cluster are told by this one entry; absent: none, see {@link foldedWays}. */
  more?: number | undefined;
  /** Absent: there is a gap. */
  via?: string | undefined;
  device?: string | undefined;
  source?: RouteSource | undefined;
  /** Why there is a gap: the node drops what goes there. */
  dropped?: DroppingRoute | undefined;
  /** The node is not connected to the cluster, so its tunnel does not lead there. */
  connected?: false | undefined;
}

/** The data of `clustermesh routes -o json`. */
export interface RoutesReport {
  /** Every node of every cluster has a route to every remote pod range, and there are some for each two clusters. */
  complete: boolean;
  clusters: {
    context: string;
    name: string;
    mode: 'tunnel' | 'native';
    podCidrs: number;
    nodes: number;
    /** How to be let read its pod ranges. */
    hint?: string | undefined;
  }[];
  routes: RouteToPods[];
  /** Nodes that could not be asked for all their routes: they lack an agent, or it does not run, or gave no answer. */
  untold?: { from: string; node: string }[] | undefined;
  /** Clusters that are to have no connection, so that no tunnel is to lead there: `[from, to]`, by name. */
  unpaired?: [string, string][] | undefined;
  /** The BGP sessions of nodes, where Cilium speaks BGP. */
  bgpPeers?: { from: string; node: string; peer: string; state: string }[] | undefined;
  /** Clusters that could not be asked. */
  unreachable: UnreachableCluster[];
  /** Peers of which all contexts were asked for and none leads there, by name: no route between them and others was looked at. */
  outside?: string[] | undefined;
  /** Those of them to which not all agents are seen to be connected. */
  unheard?: string[] | undefined;
  /** Such peers; and other runs of meshctl that are at work there: what is seen may be their work. */
  warnings?: readonly string[] | undefined;
}

/**
 * Pairs of clusters, by name, of which no route was judged: the one has no agent that runs, or no pod range of the other is
 * known.
 */
export function unjudgedPairs({
  clusters,
  routes,
  unpaired = [],
}: Pick<RoutesReport, 'clusters' | 'routes' | 'unpaired'>): [string, string][] {
  const judged = new Map<string, Set<string>>();
  for (const { from, to } of routes) judged.set(from, (judged.get(from) ?? new Set()).add(to));
  return clusters.flatMap((from) =>
    clusters
      .filter((to) => to !== from && !judged.get(from.name)?.has(to.name))
      .filter((to) => !unpaired.some(([one, other]) => one === from.name && other === to.name))
      .map((to): [string, string] => [from.name, to.name]),
  );
}

/** Whether a node that was asked lacks a route: that is so whatever else was not seen. */
export function hasGap({ routes }: Pick<RoutesReport, 'routes'>): boolean {
  return routes.some(({ source }) => source === undefined);
}

/** Whether all that there is to compare was compared, and every route is there; of a peer to which no context leads, who is connected tells. */
export function isComplete(report: Omit<RoutesReport, 'complete'>): boolean {
  const { routes, unreachable, untold = [], unheard = [] } = report;
  return (
    routes.length > 0 &&
    unreachable.length === 0 &&
    untold.length === 0 &&
    unheard.length === 0 &&
    !hasGap(report) &&
    unjudgedPairs(report).length === 0
  );
}

/** The devices by which Cilium hands packets to its tunnel. */
const TUNNEL_DEVICES = ['cilium_host', 'cilium_vxlan', 'cilium_geneve'];
/** Routing daemons mark what they install (iproute2's rt_protos). */
const BGP_PROTOCOLS = ['bgp', 'bird', 'zebra', 'gobgp'];
const LONGEST_WORD = 64;

/** Routes in the output of `ip -json route`, all of them: of what is left out, a gap would be made. Undefined when it is something else. @param document parsed, not trusted */
export function readRoutes(document: unknown): NodeRoute[] | undefined {
  if (!Array.isArray(document)) return undefined;
  return document.flatMap((entry: unknown) => {
    const { dst, gateway, dev, protocol, type, metric } = (entry ?? {}) as Record<string, unknown>;
    if (typeof dst !== 'string') return [];
    const drops = DROPPING.find((one) => one === type);
    return [
      {
        ...{ destination: short(dst) ?? '', via: short(gateway), device: short(dev), protocol: short(protocol) },
        ...(drops ? { drops } : {}),
        ...(typeof metric === 'number' ? { metric } : {}),
      },
    ];
  });
}

/**
 * The route to a range. Where Cilium routes natively it is the most specific one that holds all of the range: one that drops
 * packets is none, and hides wider ones. The default route is one, too: in a cloud that routes pods itself nodes have no other,
 * nor behind routers that learn the ranges over BGP, since Cilium puts nothing that it learns into the kernel. Whether they know
 * them no node tells. Where Cilium tunnels, it wraps what goes to pods that it knows and asks no other route: such a route, as a
 * usual one to 10.0.0.0/8, leads nowhere that a pod of another cluster is. There the tunnel leads to the range by a route of Cilium's own,
 * which an agent has for each node that it knows (nodeUpdate and nodeDelete in pkg/datapath/linux/node.go), or where the node
 * is connected.
 * @param routes of one list, which must not change, the answers for many ranges cost no more than reading it once
 * @param tunnel how the cluster's Cilium wraps packets to other nodes; undefined where it does not
 */
export function routeTo(
  wanted: NamedRange,
  routes: readonly NodeRoute[],
  tunnel: { connected: boolean } | undefined,
): Way {
  const podCidr = wanted.text;
  const { all, own, byDefault } = tableOf(routes);
  if (tunnel) {
    const wrapping = mostSpecific(own, wanted);
    if (wrapping) return { podCidr, via: wrapping.via, device: wrapping.device, source: 'tunnel' };
    return tunnel.connected ? { podCidr, source: 'tunnel' } : { podCidr, connected: false };
  }
  const specific = mostSpecific(all, wanted);
  const best = specific ?? byDefault;
  if (!best || best.drops) return { podCidr, ...(best?.drops ? { dropped: best.drops } : {}) };
  const { via, device } = best;
  return { podCidr, via, device, source: specific ? sourceOf(specific) : 'default' };
}

/** How a node gets packets to a range. */
export type Way = Omit<RouteToPods, 'from' | 'node' | 'to'>;

/** The routes to the prefixes of one length; of equal ones the one that counts. */
interface PrefixesOfLength {
  family: 4 | 6;
  /** How many addresses each has, less one. */
  size: bigint;
  byFirst: Map<bigint, NodeRoute>;
}

/** A routing table in which a range is looked up by its address; the narrowest prefixes come first. */
interface RoutingTable {
  all: readonly PrefixesOfLength[];
  /** Those of Cilium's tunnel alone. */
  own: readonly PrefixesOfLength[];
  byDefault: NodeRoute | undefined;
}

/** Nodes of a cluster have much the same routes. */
const rangeOf = remembered(parseCidr, 100_000);

const tableOf = rememberedOf((routes: readonly NodeRoute[]): RoutingTable => {
  const read = routes.flatMap((route) => {
    const range = rangeOf(route.destination);
    return range ? [{ route, family: range.family, size: range.last - range.first, first: range.first }] : [];
  });
  const prefixesOf = (entries: typeof read): PrefixesOfLength[] => {
    const lengths = new Map<string, PrefixesOfLength>();
    for (const { route, family, size, first } of entries) {
      const key = `${family} ${size}`;
      const known = lengths.get(key) ?? { family, size, byFirst: new Map() };
      const other = known.byFirst.get(first);
      if (!other || (route.metric ?? 0) < (other.metric ?? 0)) known.byFirst.set(first, route);
      lengths.set(key, known);
    }
    return [...lengths.values()].sort((a, b) => (a.size < b.size ? -1 : 1));
  };
  return {
    all: prefixesOf(read),
    own: prefixesOf(read.filter(({ route }) => isOfTunnel(route))),
    byDefault: defaultRoute(routes),
  };
});

function mostSpecific(table: readonly PrefixesOfLength[], { family, first, last }: NamedRange): NodeRoute | undefined {
  for (const { size, byFirst, ...of } of table) {
    const route = of.family === family && size >= last - first ? byFirst.get(first & ~size) : undefined;
    if (route) return route;
  }
  return undefined;
}

/** From so many routes on, of one cluster's nodes, {@link foldedWays} tells them: a mesh of thousands of nodes has millions. */
export const MANY_ROUTES = 20_000;
const MOST_GAPS = 5;

/**
 * The ways of one node to the ranges of one cluster, those alike as one entry: the first range and how many `more`, without
 * `via` where that differs. A few ranges to which there is none are each by themselves.
 */
export function foldedWays(ways: readonly Way[]): Way[] {
  const alike = groupBy(ways, ({ device, source, dropped, connected }) =>
    [device, source, dropped, connected].join(' '),
  );
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    const isGap = first?.source === undefined && first?.connected === undefined;
    if (!first || group.length === 1 || (isGap && group.length <= MOST_GAPS)) return group;
    const via = group.every((way) => way.via === first.via) ? first.via : undefined;
    return [{ ...first, via, more: group.length - 1 }];
  });
}

/** How many ranges routes lead to. */
export function rangesCounted(routes: readonly Pick<RouteToPods, 'more'>[]): number {
  return routes.reduce((sum, { more = 0 }) => sum + 1 + more, 0);
}

/** `10.2.0.0/24 and 299 more`. */
export function rangeWords({ podCidr, more = 0 }: Pick<RouteToPods, 'podCidr' | 'more'>): string {
  return more > 0 ? `${podCidr} and ${more} more` : podCidr;
}

function sourceOf(route: NodeRoute): RouteSource {
  if (isOfTunnel(route)) return 'tunnel';
  return BGP_PROTOCOLS.includes(route.protocol ?? '') ? 'bgp' : 'kernel';
}

function defaultRoute(routes: readonly NodeRoute[]): NodeRoute | undefined {
  const [first] = routes
    .filter(({ destination }) => destination === 'default')
    .sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0));
  return first;
}

function isOfTunnel({ device = '', drops }: NodeRoute): boolean {
  return drops === undefined && TUNNEL_DEVICES.includes(device);
}

function short(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  // What is cut anew does not keep the long text in memory.
  return value.length <= LONGEST_WORD ? value : [...value.slice(0, LONGEST_WORD)].join('');
}
