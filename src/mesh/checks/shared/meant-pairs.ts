import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { pairsOf } from '../../pairs.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { areApart, isUnpaired } from '../../peers/unpaired-clusters.ts';
import type { CheckInput, Finding } from './check.ts';

/**
 * The pairs of clusters between which packets are meant to go, at least one way, or may come to.
 * @param input who is to have no connection to whom; where it does not say, all are to be connected
 */
export function meantPairs(
  clusters: readonly ClusterSnapshot[],
  { unpaired = [] }: Pick<CheckInput, 'unpaired'>,
): (readonly [ClusterSnapshot, ClusterSnapshot])[] {
  return pairsOf(clusters).filter(([one, other]) => !areApart(unpaired, knownAs(one), knownAs(other)));
}

/** Whether one cluster is to dial another one, or may come to. */
export function isMeant(
  from: ClusterSnapshot,
  to: ClusterSnapshot,
  { unpaired = [] }: Pick<CheckInput, 'unpaired'>,
): boolean {
  return !isUnpaired(unpaired, knownAs(from), knownAs(to));
}

/**
 * Clusters that differ, and of which no two that do are to be connected: that is no fault between them, and what they are connected to
 * was not read, or has nothing to compare.
 * @param settings of each
 */
export function comparedInVain(
  id: string,
  clusters: readonly ClusterSnapshot[],
  settings: readonly string[],
): Finding[] {
  const reason = `it is compared with clusters that it is not connected with (${settings.join('; ')})`;
  return clusters.map(({ context }) => ({ id, severity: 'skip', cluster: context, args: { context, reason } }));
}
