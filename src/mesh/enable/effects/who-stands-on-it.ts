import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { mayBeOfMesh } from '../../peers/concerned-peers.ts';
import { arePeers } from '../../peers/namesakes.ts';

/**
 * The clusters that may stand on this one. On one that has never served, and knows nobody, none does by its name alone: who dials a
 * cluster of that name dials another one, or what this one was before everything was taken away.
 * @param others that were read, without namesakes of its peers
 */
export function whoMayStandOn(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
): readonly ClusterSnapshot[] {
  if (mayBeOfMesh(snapshot)) return others;
  return others.filter((other) => arePeers(other, snapshot) === true);
}
