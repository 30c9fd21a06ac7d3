import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsOneWay } from './peer-choices.ts';
import { knownPeers } from './peers.ts';

/**
 * Pairs of clusters, `[from, to]` by name, of which the first is to have no connection to the second: it was chosen that only
 * the other one dials, or both are in a mesh and neither knows the other. One that knows nobody is yet to be connected.
 */
export function unpairedClusters(snapshots: readonly ClusterSnapshot[]): [from: string, to: string][] {
  const all = snapshots.map((snapshot) => ({
    snapshot,
    identity: { name: clusterNameOf(snapshot) },
    peers: knownPeers(snapshot),
  }));
  return all.flatMap((from) =>
    all
      .filter((to) => {
        if (to === from) return false;
        if (dialsOneWay(to, from)) return true;
        const areStrangers = !from.peers.includes(to.identity.name) && !to.peers.includes(from.identity.name);
        return areStrangers && from.peers.length > 0 && to.peers.length > 0;
      })
      .map((to): [string, string] => [from.identity.name, to.identity.name]),
  );
}
