import { isSameKey, trustedBy } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { pairsOf } from '../pairs.ts';
import { namesOf } from './concerned-peers.ts';
import { withoutNamesakes } from './namesakes.ts';
import { knownPeers } from './peers.ts';
import { peersOutside } from './peers-outside.ts';

/** Whether a cluster dials one of this name, lets it in, or has a certificate for it. */
export function knowsName(snapshot: ClusterSnapshot, name: string): boolean {
  return snapshot.peerCertificates.has(name) || knownPeers(snapshot).includes(name);
}

/** The clusters by mesh: who is connected with whom, directly or by others. One that knows none of them is by itself. */
export function meshesAmong(clusters: readonly ClusterSnapshot[]): ClusterSnapshot[][] {
  return clusters
    .reduce<ClusterSnapshot[][]>(
      (meshes, one) => joinedAt(meshes, [one, ...peersOf(one, clusters)]),
      clusters.map((one) => [one]),
    )
    .map((mesh) => clusters.filter((one) => mesh.includes(one)))
    .sort(([one], [other]) => place(clusters, one) - place(clusters, other));
}

/**
 * The clusters that have to fit each other, because they are of one mesh or may come to be: those of each mesh, and with them all that
 * are connected to nobody, which may be about to join it. Of two meshes, whose operator gave names, ids and ranges in each anew,
 * neither has to fit the other. Those that share a peer which was not read are of one, unless its certificates tell otherwise.
 */
export function meantTogether(clusters: readonly ClusterSnapshot[]): ClusterSnapshot[][] {
  const outside = new Map<string, ClusterSnapshot[]>();
  for (const one of clusters)
    for (const peer of peersOutside(one, clusters)) outside.set(peer, [...(outside.get(peer) ?? []), one]);
  const meshes = [...outside]
    .flatMap(([peer, knowers]) => pairsOf(knowers).filter(([one, other]) => !areNamesakes(one, other, peer)))
    .reduce(joinedAt, meshesAmong(clusters));
  const connected = meshes.filter((mesh) => mesh.length > 1 || mesh.some((one) => knownPeers(one).length > 0));
  if (connected.length < 2) return [[...clusters]];
  const single = clusters.filter((one) => !connected.some((mesh) => mesh.includes(one)));
  return connected.map((mesh) => clusters.filter((one) => mesh.includes(one) || single.includes(one)));
}

function place(clusters: readonly ClusterSnapshot[], one: ClusterSnapshot | undefined): number {
  return one ? clusters.indexOf(one) : -1;
}

/** The meshes with those in one that have one of these clusters. */
function joinedAt(meshes: readonly ClusterSnapshot[][], clusters: readonly ClusterSnapshot[]): ClusterSnapshot[][] {
  const touched = meshes.filter((mesh) => mesh.some((one) => clusters.includes(one)));
  return [...meshes.filter((mesh) => !touched.includes(mesh)), touched.flat()];
}

/** The clusters to which the names that one knows lead; several where that cannot be told, and one that has changed as long as no other is it. */
function peersOf(snapshot: ClusterSnapshot, clusters: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const known = new Set([...snapshot.peerCertificates.keys(), ...knownPeers(snapshot)]);
  return withoutNamesakes(snapshot, clusters).filter((other) => namesOf(other).some((name) => known.has(name)));
}

/** Whether two clusters trust other CAs for their peers of a name. */
function areNamesakes(one: ClusterSnapshot, other: ClusterSnapshot, peer: string): boolean {
  const [own = [], theirs = []] = [one, other].map(({ peerCertificates }) => {
    const files = peerCertificates.get(peer);
    return files ? trustedBy(files) : [];
  });
  return own.length > 0 && theirs.length > 0 && !own.some((ca) => theirs.some((their) => isSameKey(ca, their)));
}
