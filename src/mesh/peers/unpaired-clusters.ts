import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { pairsOf } from '../pairs.ts';
import { rememberedOf } from '../remembered.ts';
import { asKnown, knownAs } from './concerned-peers.ts';
import { dialsThis, withoutNamesakes } from './namesakes.ts';
import { partedBy } from './parted.ts';
import { dialsOneWay } from './peer-choices.ts';
import { knownPeers } from './peers.ts';
import { mayBeOneWay } from './unread-choices.ts';

/**
 * Pairs of clusters, `[from, to]` by name, of which the first is to have no connection to the second: it was chosen that only
 * the other one dials, it has parted with it by itself, or both are in a mesh and neither knows the other. One that knows nobody
 * is yet to be connected. Namesakes of its peers are no clusters of a pair: their names are those of another one.
 */
export function unpairedClusters(snapshots: readonly ClusterSnapshot[]): [from: string, to: string][] {
  const all = snapshots.map((snapshot) => ({
    ...asKnown(snapshot),
    peers: knownPeers(snapshot),
  }));
  return all.flatMap((from) => {
    const others = withoutNamesakes(from.snapshot, snapshots);
    return all
      .filter((to) => {
        if (!others.includes(to.snapshot)) return false;
        if (dialsOneWay(to, from) || mayBeOneWay(to, from) || partedBy(from.snapshot, to.snapshot)) return true;
        const areStrangers = !from.peers.includes(to.identity.name) && !to.peers.includes(from.identity.name);
        return areStrangers && from.peers.length > 0 && to.peers.length > 0;
      })
      .map((to): [string, string] => [from.identity.name, to.identity.name]);
  });
}

/**
 * The same of clusters that are about to be connected: those between which no connection is asked for, as of two spokes of a hub, and
 * that do not dial each other already.
 * @param isAsked whether two of them, in either order, are to be connected
 */
export function unaskedPairs(
  snapshots: readonly ClusterSnapshot[],
  isAsked: (one: ClusterSnapshot, other: ClusterSnapshot) => boolean,
): [from: string, to: string][] {
  return pairsOf(snapshots).flatMap(([one, other]): [string, string][] => {
    if (isAsked(one, other) || isAsked(other, one) || dialsThis(one, other) || dialsThis(other, one)) return [];
    return [
      [knownAs(one), knownAs(other)],
      [knownAs(other), knownAs(one)],
    ];
  });
}

/** Of many clusters there are many pairs, and each cluster is looked up with each other one. */
const partnersIn = rememberedOf((pairs: readonly [from: string, to: string][]) => {
  const partners = new Map<string, Set<string>>();
  for (const [from, to] of pairs) partners.set(from, (partners.get(from) ?? new Set()).add(to));
  return partners;
});

/** Whether of such pairs a cluster is to have no connection to another one. */
export function isUnpaired(pairs: readonly [from: string, to: string][], from: string, to: string): boolean {
  return partnersIn(pairs).get(from)?.has(to) ?? false;
}

/**
 * Whether no packet is meant to go between two clusters, whoever sends: neither is to dial the other. Where one does, the
 * other's pods answer.
 */
export function areApart(pairs: readonly [from: string, to: string][], one: string, other: string): boolean {
  return isUnpaired(pairs, one, other) && isUnpaired(pairs, other, one);
}
