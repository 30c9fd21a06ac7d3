import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialledOneWay } from './peer-choices.ts';
import { knownPeers } from './peers.ts';

/**
 * The clusters that anything says are to be peers of this one, by name: its own files, users and choices, and those that others
 * have for it. As long as there is one, nobody else is proposed to it.
 * @param others other clusters, as far as they were read
 */
export function peersOnRecord(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const own = clusterNameOf(snapshot);
  const knowing = others.filter((other) => peersNamedBy(other).includes(own)).map(clusterNameOf);
  return [...new Set([...peersNamedBy(snapshot), ...knowing])].filter((name) => name !== own).sort();
}

function peersNamedBy(snapshot: ClusterSnapshot): string[] {
  // One that this cluster is to dial may have no file, and no user either, since it is not to dial back.
  return [...knownPeers(snapshot), ...dialledOneWay(snapshot)];
}
