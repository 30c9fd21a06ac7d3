import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { enumerated, firstOf, MOST_NAMED } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { knownAs } from './concerned-peers.ts';
import { withoutNamesakes } from './namesakes.ts';
import { peersOfOthers, servedPeers } from './peer-choices.ts';
import { configuredPeers } from './peers.ts';
import { renamedPeers } from './renamed-peers.ts';
import { forgetCommands } from './silent-peers.ts';

/**
 * The peers that a cluster dials, or that dial it one-way as chosen, and that are not among the clusters that were read: by none
 * of their names.
 * @param all the clusters that were read, this one among them or not
 */
export function peersOutside(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): string[] {
  const others = withoutNamesakes(snapshot, all);
  const dialled = configuredPeers(snapshot);
  const read = [...[snapshot, ...others].map(knownAs), ...renamedPeers(snapshot, others).map(({ former }) => former)];
  return [...dialled, ...servedPeers(snapshot, dialled)].filter((peer) => !read.includes(peer));
}

/** A peer that was not read, and the contexts of the clusters that have it. */
export interface PeerOutside {
  name: string;
  holders: readonly string[];
  /** It belongs to another owner: no context of this one is to lead there. */
  isOfOthers: boolean;
}

/** The peers of all clusters that were read, and that are none of them, by name. */
export function allPeersOutside(all: readonly ClusterSnapshot[]): PeerOutside[] {
  const pairs = all.flatMap((holder) => peersOutside(holder, all).map((name) => ({ name, holder })));
  const alike = [...groupBy(pairs, ({ name }) => name)].sort(([one], [other]) => (one < other ? -1 : 1));
  return alike.map(([name, same]) => ({
    name,
    holders: same.map(({ holder }) => holder.context),
    isOfOthers: same.every(({ holder }) => peersOfOthers(holder).includes(name)),
  }));
}

/**
 * That no context leads to such a peer, though all were asked for.
 * @param so what was not looked at for that, as a clause
 * @param mayBeGone whether to say how it is forgotten: not of one that may be connected
 */
export function saysUnled(
  { name, holders }: PeerOutside,
  so: string,
  mayBeGone = true,
): { says: string; hint: string } {
  const lead = 'Give a kubeconfig that leads to it too, or name with --context what is to be judged without it';
  return {
    says: `no context leads to "${name}", a peer of ${enumerated(holders)}: ${so}`,
    hint: mayBeGone ? `${lead}; or if it is gone, forget it: ${forgetCommands(name, holders)}` : `${lead}.`,
  };
}

/** The same of several, where it changes nothing of what is told of those that were read. @param whose what is not told, as the end of a clause */
export function ledNowhere(names: readonly string[], whose: string): string {
  return `No context leads to ${names.length > MOST_NAMED ? firstOf(names) : enumerated(names)}, whose ${whose}`;
}
