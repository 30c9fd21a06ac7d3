import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { isDialledAt } from './namesakes.ts';
import { configuredPeers, knownPeers } from './peers.ts';

/** A peer that a cluster has under a name which that cluster had before. */
export interface RenamedPeer {
  former: string;
  cluster: ClusterSnapshot;
}

/**
 * The peers of a cluster that have another name by now, and serve under it: nothing goes by the name of the file any more.
 * They are known by their address, and by their CA, which the cluster trusts under the former name: with a CA of several clusters
 * that one may as well be the CA of a peer that was not read.
 * @param others the other clusters that were read; one whose CA is not its own alone is not told apart
 */
export function renamedPeers(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): RenamedPeer[] {
  const names = [snapshot, ...others].map(clusterNameOf);
  const keyOf = ({ ca }: ClusterSnapshot) => ca?.certificate.publicKeySha256;
  return configuredPeers(snapshot).flatMap((former): RenamedPeer[] => {
    if (names.includes(former)) return [];
    const trusted = snapshot.peerCertificates.get(former)?.ca?.publicKeySha256;
    const [cluster, ...more] = others.filter((other) => trusted !== undefined && keyOf(other) === trusted);
    // Until it serves under its new name it can have the former one back.
    const serves = cluster && recordedIdentity(cluster).name === clusterNameOf(cluster);
    if (!serves || more.length > 0 || keyOf(snapshot) === trusted) return [];
    return (isDialledAt(snapshot, former, cluster) ?? mayBeRenamed(snapshot, cluster)) ? [{ former, cluster }] : [];
  });
}

/** Where no address tells: a peer that was renamed knows this cluster, and is not known by its present name yet. */
function mayBeRenamed(snapshot: ClusterSnapshot, cluster: ClusterSnapshot): boolean {
  return (
    knownPeers(cluster).includes(clusterNameOf(snapshot)) && !configuredPeers(snapshot).includes(clusterNameOf(cluster))
  );
}

/** The commands by which a cluster has such a peer under its present name, and no other. */
export function takeUpCommand(snapshot: ClusterSnapshot, { former, cluster }: RenamedPeer): string {
  const { context } = snapshot;
  const forget = meshctlCommand('clustermesh disconnect', { context }, ['--peer', former]);
  if (configuredPeers(snapshot).includes(clusterNameOf(cluster))) return forget;
  return `${forget} && ${connectCommand(context, cluster.context)}`;
}
