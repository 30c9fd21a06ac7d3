import type { BgpSession } from '../checks/shared/mesh-input.ts';
import { type RoutesReport, type RouteToPods, rangeWords } from '../cilium/routes.ts';
import { counted } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import type { EdgeState } from '../status/mesh-graph.ts';

/** Nodes on the left, in the middle what they send packets to, on the right ranges of pods. */
export interface RoutesPicture {
  title: string;
  boxes: PictureBox[];
  arrows: { from: string; to: string; state: EdgeState; label: string }[];
}

export interface PictureBox {
  id: string;
  column: 0 | 1 | 2;
  label: string;
  detail: string;
  /** Nothing gets through here. */
  broken: boolean;
}

/** So many nodes, or ranges, of a cluster are drawn each by itself; of more, those for which the same holds are one box. */
const MOST_DRAWN = 10;

/**
 * Routes as a picture: a range that no node has a route to is broken, as is a BGP session that is not established. Nodes that did
 * not tell all their routes are there, too.
 */
export function routesPicture({ clusters, routes, bgpPeers = [], untold = [] }: RoutesReport): RoutesPicture {
  const order = clusters.map(({ name }) => name);
  const boxes = new Map<string, PictureBox>();
  const add = (box: PictureBox) => {
    if (!boxes.has(box.id)) boxes.set(box.id, box);
  };
  const nodeBox = boxesOf(order, 'n', nodesOf({ routes, bgpPeers, untold }), 0, 'node', add);
  const sessions = groupBy(bgpPeers, ({ from, peer }) => hopId(from, peer));
  const through = groupBy(routes, hopOf);
  for (const name of order) {
    const [ways, peers] = [routes, bgpPeers].map((list) => list.filter(({ from }) => from === name)) as [
      RouteToPods[],
      NodeSession[],
    ];
    const hops = new Set([...ways.map(hopOf), ...peers.map(({ from, peer }) => hopId(from, peer))]);
    for (const hop of hops) add(hopBox(hop, through.get(hop) ?? [], sessions.get(hop) ?? []));
  }
  // Those of the first cluster come last: then the arrows of two clusters do not cross.
  const rangeBox = boxesOf([...order.slice(1), ...order.slice(0, 1)], 'r', rangesOf(routes), 2, 'range', add);
  return {
    title: 'Routes to pods',
    boxes: [...boxes.values()],
    arrows: arrowsOf({ routes, bgpPeers }, nodeBox, rangeBox),
  };
}

/** Something drawn, of a cluster, with what holds for it and for what shares its box. */
interface Drawn {
  cluster: string;
  name: string;
  /** Equal for what may be one box. */
  facts: string;
  broken: boolean;
  /** What is to be known of it besides. */
  note?: string;
}

const UNTOLD = 'not all routes told';

function nodesOf({ routes, bgpPeers: sessions = [], untold = [] }: Pick<RoutesReport, DrawnOfNodes>): Drawn[] {
  const ofNode = ({ from, node }: { from: string; node: string }) => `${from}/${node}`;
  const peers = groupBy(sessions, ofNode);
  const told = groupBy(routes, ofNode);
  const silent = new Set(untold.map(ofNode));
  const without = untold.filter((one) => !told.has(ofNode(one)));
  const mute = without.map(({ from, node }) => ({
    ...{ cluster: from, name: node, facts: UNTOLD, note: UNTOLD, broken: false },
  }));
  const drawn = [...told].flatMap(([key, own]): Drawn[] => {
    const [first] = own;
    if (!first) return [];
    const facts = [
      ...own.map((route) => [route.to, rangeWords(route), hopOf(route)].join(' ')).sort(),
      ...(peers.get(key) ?? []).map(({ peer, state }) => `${peer} ${state}`).sort(),
    ];
    const note = silent.has(key) ? { note: UNTOLD } : {};
    return [{ cluster: first.from, name: first.node, facts: [...facts, note.note].join('\n'), broken: false, ...note }];
  });
  return [...drawn, ...mute];
}

type DrawnOfNodes = 'routes' | 'bgpPeers' | 'untold';

function rangesOf(routes: readonly RouteToPods[]): Drawn[] {
  const nodesTo = new Map<string, Set<string>>();
  for (const { from, node, to, more } of routes)
    if (more !== undefined) nodesTo.set(to, (nodesTo.get(to) ?? new Set()).add(`${from} ${node}`));
  return [...groupBy(routes, (route) => `${route.to} ${rangeWords(route)}`).values()].flatMap((own) => {
    const [first] = own;
    if (!first) return [];
    // Nodes of which one entry tells several ranges have a route to this one, unless they say otherwise.
    const lacking = new Set(own.map(({ from, node }) => `${from} ${node}`));
    const isFound = () => [...(nodesTo.get(first.to) ?? [])].some((node) => !lacking.has(node));
    const facts = own.map((route) => `${route.from} ${route.node} ${hopOf(route)}`).sort();
    const broken = own.every(({ source }) => source === undefined) && !isFound();
    return [{ cluster: first.to, name: rangeWords(first), facts: facts.join('\n'), broken }];
  });
}

/** Adds the boxes of one column. @returns the box of each thing, by cluster and name */
function boxesOf(
  order: readonly string[],
  prefix: string,
  drawn: readonly Drawn[],
  column: 0 | 2,
  what: string,
  add: (box: PictureBox) => void,
): (cluster: string, name: string) => string {
  const places = new Map<string, string>();
  for (const cluster of order) {
    const own = drawn.filter((one) => one.cluster === cluster);
    const groups =
      own.length <= MOST_DRAWN ? own.map((one) => [one]) : [...groupBy(own, ({ facts }) => facts).values()];
    for (const group of groups) {
      const [first] = group;
      if (!first) continue;
      const id = `${prefix} ${cluster} ${first.name}`;
      for (const { name } of group) places.set(`${cluster} ${name}`, id);
      const label = group.length === 1 ? first.name : `${cluster}: ${counted(group.length, what)}`;
      const detail = [group.length === 1 ? cluster : `${first.name} …`, ...(first.note ? [first.note] : [])];
      add({ id, column, label, detail: detail.join(' · '), broken: first.broken });
    }
  }
  return (cluster, name) => places.get(`${cluster} ${name}`) ?? '';
}

type NodeSession = NonNullable<RoutesReport['bgpPeers']>[number];

function hopId(cluster: string, hop: string): string {
  return `h ${cluster} ${hop}`;
}

const NO_ROUTE = 'no route';
const NOT_CONNECTED = 'not connected';

/** What a route leads to next. */
function hopOf({ from, via, device, source, connected }: RouteToPods): string {
  if (source === undefined) return hopId(from, connected === false ? NOT_CONNECTED : NO_ROUTE);
  return hopId(from, source === 'tunnel' ? 'tunnel' : (via ?? device ?? 'direct'));
}

function hopBox(id: string, through: readonly RouteToPods[], own: readonly NodeSession[]): PictureBox {
  const [, cluster = '', ...words] = id.split(' ');
  const label = words.join(' ');
  const broken = through.length > 0 && through.every(({ source }) => source === undefined);
  const how = [
    ...new Set(
      through.flatMap(({ source, device }) => [source ?? [], source === 'tunnel' ? [] : (device ?? [])].flat()),
    ),
  ];
  const lost = own.filter(({ state }) => state !== ESTABLISHED);
  const bgp = own.length === 0 ? [] : [lost.length === 0 ? 'BGP peer' : `BGP peer, ${lost[0]?.state}`];
  const detail = broken ? `from ${cluster}` : [...how.filter((word) => word !== label), ...bgp].join(' · ');
  return {
    id,
    column: 1,
    label,
    detail: detail || `of ${cluster}`,
    broken: broken || (own.length > 0 && lost.length === own.length),
  };
}

const ESTABLISHED = 'established' satisfies BgpSession['state'];

function arrowsOf(
  { routes, bgpPeers = [] }: Pick<RoutesReport, 'routes' | 'bgpPeers'>,
  nodeBox: (cluster: string, name: string) => string,
  rangeBox: (cluster: string, name: string) => string,
): RoutesPicture['arrows'] {
  const toHops = groupBy(routes, (route) => `${nodeBox(route.from, route.node)}\n${hopOf(route)}`);
  const boxOf = (route: RouteToPods) => rangeBox(route.to, rangeWords(route));
  const toRanges = groupBy(routes, (route) => `${hopOf(route)}\n${boxOf(route)}`);
  const intoBoxes = groupBy(routes, (route) => `${route.from}\n${boxOf(route)}`);
  const fromHops = [...toRanges].map(([ends, own]) => {
    const [from = '', to = ''] = ends.split('\n');
    const [first] = own;
    const among = intoBoxes.get(`${first?.from}\n${to}`) ?? [];
    const found = among.filter(({ source }) => source !== undefined);
    const isMissing = first?.source === undefined;
    const state: EdgeState = isMissing ? 'broken' : found.length === among.length ? 'ok' : 'partial';
    const nodes = (list: readonly RouteToPods[]) => new Set(list.map(({ node }) => node)).size;
    const label = isMissing
      ? missing(first)
      : state === 'ok'
        ? ''
        : `${nodes(own)} of ${counted(nodes(among), 'node')}`;
    return { from, to, state, label };
  });
  const intoHops = [...toHops].map(([ends, [first]]) => {
    const [from = '', to = ''] = ends.split('\n');
    const state: EdgeState = first?.source === undefined ? 'broken' : 'ok';
    return { from, to, state, label: state === 'broken' ? missing(first) : '' };
  });
  const lost = bgpPeers
    .filter(({ state }) => state !== ESTABLISHED)
    .map(({ from, node, peer, state }) => ({
      ...{ from: nodeBox(from, node), to: hopId(from, peer), state: 'broken' as const },
      label: `BGP ${state}`,
    }));
  const known = lost.filter(({ from, to }) => from !== '' && !toHops.has(`${from}\n${to}`));
  const once = new Map(known.map((arrow) => [`${arrow.from}\n${arrow.to}`, arrow]));
  return [...intoHops, ...once.values(), ...fromHops];
}

function missing(route: RouteToPods | undefined): string {
  return route?.connected === false ? NOT_CONNECTED : NO_ROUTE;
}
