import { groupBy, MANY_ALIKE } from '../pairs.ts';

/** Who lacks which peer. */
export interface LackedPeer {
  context: string;
  /** The name of the cluster that lacks it. */
  cluster: string;
  peer: string;
}

/** What is one thing that is wrong. */
export interface LackGroup<T> {
  held: T[];
  /** The cluster that is cut off from the others, where it is that; those of the others are in `held`. */
  isolated?: string;
  /** Of such a cluster, what it lacks of the others by that. */
  own?: T[];
}

/**
 * Groups of what is lacked, by peer; what one cluster lacks of many peers is one group, and together with what they lack of
 * it where they do: packets that are lost to a cluster are lost from it, too.
 * @param lackOf undefined for what has another cause than the network between two clusters
 */
export function joinIsolated<T>(
  groups: readonly (readonly T[])[],
  lackOf: (one: T) => LackedPeer | undefined,
): LackGroup<T>[] {
  const lacks = groups.flat().flatMap((one) => {
    const lack = lackOf(one);
    return lack ? [{ one, lack }] : [];
  });
  const isMany = (of: readonly { lack: LackedPeer }[], what: (lack: LackedPeer) => string) =>
    new Set(of.map(({ lack }) => what(lack))).size >= MANY_ALIKE;
  const outgoing = [...groupBy(lacks, ({ lack }) => lack.context).values()].filter((of) =>
    isMany(of, ({ peer }) => peer),
  );
  const joined = new Map<T, LackGroup<T>>();
  const groupOf = new Map(groups.flatMap((group) => group.map((one) => [one, group] as const)));
  for (const of of outgoing) {
    const [first] = of;
    if (!first) continue;
    const { cluster } = first.lack;
    const incoming = lacks.filter(({ lack }) => lack.peer === cluster);
    const isIsolated = isMany(incoming, ({ context }) => context);
    const alone = isIsolated ? [] : of.filter(({ one }) => onlyOf(groupOf.get(one) ?? [], first.lack, lackOf));
    if (!isIsolated && !isMany(alone, ({ peer }) => peer)) continue;
    const group: LackGroup<T> = isIsolated
      ? { held: incoming.map(({ one }) => one), isolated: cluster, own: of.map(({ one }) => one) }
      : { held: alone.map(({ one }) => one) };
    for (const one of [...group.held, ...(group.own ?? [])]) if (!joined.has(one)) joined.set(one, group);
  }
  const seen = new Set<LackGroup<T>>();
  return groups.flatMap((group) => {
    const own = group.flatMap((one) => joined.get(one) ?? []).filter((one) => !seen.has(one));
    for (const one of own) seen.add(one);
    const rest = group.filter((one) => !joined.has(one));
    return [...new Set(own), ...(rest.length > 0 ? [{ held: rest }] : [])];
  });
}

function onlyOf<T>(group: readonly T[], { context }: LackedPeer, lackOf: (one: T) => LackedPeer | undefined): boolean {
  return group.every((one) => lackOf(one)?.context === context);
}
