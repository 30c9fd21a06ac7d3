import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { clusterKnownAs, knownAs } from './concerned-peers.ts';
import { dialledOneWay, servedPeers } from './peer-choices.ts';
import { expectedPeers, knownPeers } from './peers.ts';

/**
 * The clusters that anything says are to be peers of this one, by name: its own files, users and choices, and those that others
 * have for it. As long as there is one, nobody else is proposed to it.
 * @param others other clusters, as far as they were read
 */
export function peersOnRecord(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const own = knownAs(snapshot);
  const knowing = others.filter((other) => peersNamedBy(other).includes(own)).map(knownAs);
  return [...new Set([...peersNamedBy(snapshot), ...knowing])].filter((name) => name !== own).sort();
}

/** Of clusters that were read, those in which Cluster Mesh is enabled and whom nobody is to be connected to: no waiting does that. */
export function thoseAlone(clusters: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  return clusters.filter((one) => {
    const others = clusters.filter((other) => other !== one);
    return apiserverDeployment(one) !== undefined && peersOnRecord(one, others).length === 0;
  });
}

/**
 * Whether a cluster in which Cluster Mesh is enabled dials nobody, and serves nobody one-way as chosen: it is told to be connected
 * to all that are {@link peersOnRecord}.
 * @param others other clusters, as far as they were read
 */
export function isWithoutPeers(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): boolean {
  if (!apiserverDeployment(snapshot) || expectedPeers(snapshot).length > 0) return false;
  const own = knownAs(snapshot);
  return servedPeers(snapshot, []).every((name) => {
    const peer = clusterKnownAs(name, others);
    return peer !== undefined && !expectedPeers(peer).includes(own);
  });
}

function peersNamedBy(snapshot: ClusterSnapshot): string[] {
  // One that this cluster is to dial may have no file, and no user either, since it is not to dial back.
  return [...knownPeers(snapshot), ...dialledOneWay(snapshot)];
}
