import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { knownAs } from './concerned-peers.ts';
import { withoutNamesakes } from './namesakes.ts';
import { servedPeers } from './peer-choices.ts';
import { configuredPeers } from './peers.ts';
import { renamedPeers } from './renamed-peers.ts';

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
