import { pairsOf } from '../pairs.ts';
import type { Topology } from './document.ts';

type Pair = Extract<Topology, { type: 'pairs' }>['pairs'][number];

/** One cluster dials another one; by name. */
export interface NamedDial {
  from: string;
  to: string;
}

/**
 * Who dials whom by a topology, each dial once.
 * @param names of all clusters of the file
 */
export function connectionsOf(topology: Topology, names: readonly string[]): NamedDial[] {
  const dials = dialsOf(topology, names);
  return [...new Map(dials.map((dial) => [dialKey(dial.from, dial.to), dial])).values()];
}

function dialsOf(topology: Topology, names: readonly string[]): NamedDial[] {
  switch (topology.type) {
    case 'mesh':
      return pairsOf(names).flatMap(bothWays);
    case 'hub': {
      const { hubs } = topology;
      const others = names.filter((name) => !hubs.includes(name));
      const spokes = hubs.flatMap((hub) => others.map((name): [string, string] => [hub, name]));
      return [...pairsOf([...new Set(hubs)]), ...spokes].flatMap(bothWays);
    }
    case 'pairs':
      return topology.pairs.flatMap((pair) => ('from' in pair ? [pair] : bothWays(pair)));
    case 'regions': {
      const hubs = topology.regions.flatMap(({ hub }) => hub ?? []);
      const within = topology.regions.flatMap(({ clusters }) => pairsOf(clusters));
      return [...within, ...pairsOf(hubs)].flatMap(bothWays);
    }
  }
}

function bothWays([one, other]: readonly [string, string]): NamedDial[] {
  return [
    { from: one, to: other },
    { from: other, to: one },
  ];
}

/** Two dials with the same are one. */
export function dialKey(from: string, to: string): string {
  return `${from} ${to}`;
}

/**
 * The shortest way to write who dials whom: a full mesh, hubs, else pairs. What regions somebody had in mind cannot be seen.
 * @param names of all clusters, in the file's order
 */
export function topologyOf(dials: readonly NamedDial[], names: readonly string[]): Topology {
  const keys = new Set(dials.map(({ from, to }) => dialKey(from, to)));
  const isAs = (topology: Topology) => {
    const wanted = connectionsOf(topology, names);
    return wanted.length === keys.size && wanted.every(({ from, to }) => keys.has(dialKey(from, to)));
  };
  if (isAs({ type: 'mesh' })) return { type: 'mesh' };
  // A hub is connected with all others.
  const hubs = names.filter((name) =>
    names.every((other) => other === name || (keys.has(dialKey(name, other)) && keys.has(dialKey(other, name)))),
  );
  if (hubs.length > 0 && isAs({ type: 'hub', hubs })) return { type: 'hub', hubs };
  const at = (name: string) => names.indexOf(name);
  const ordered = [...dials].sort((a, b) => at(a.from) - at(b.from) || at(a.to) - at(b.to));
  return {
    type: 'pairs',
    pairs: ordered.flatMap(({ from, to }): Pair[] => {
      if (!keys.has(dialKey(to, from))) return [{ from, to }];
      return at(from) < at(to) ? [[from, to]] : [];
    }),
  };
}

/** Clusters that are connected with each other, directly or by way of others; each in one group, in their order. */
export function groupsOf(dials: readonly NamedDial[], names: readonly string[]): string[][] {
  const groups = new Map(names.map((name) => [name, [name]]));
  for (const { from, to } of dials) {
    const [one, other] = [groups.get(from), groups.get(to)];
    if (!one || !other || one === other) continue;
    const both = names.filter((name) => one.includes(name) || other.includes(name));
    for (const name of both) groups.set(name, both);
  }
  return [...new Set(groups.values())];
}
