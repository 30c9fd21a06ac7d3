import { apiserverDeployment } from '../apiserver/live.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { isDialThere, type PartingCluster } from '../connect/disconnect/disconnect-plan.ts';
import { isOfNotPeers, type NotPeer, notPeersAmong } from '../connect/disconnect/not-peers.ts';
import { isOurs } from '../objects/ownership.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { isMeantBy, type LeavingMark, leavingMarks } from '../peers/leaving-marks.ts';
import { isHalfOfPeering } from '../peers/lost-halves.ts';
import { peersAmong } from '../peers/namesakes.ts';
import { type Parted, partedBy } from '../peers/parted.ts';
import { expectedPeers, knownPeers } from '../peers/peers.ts';
import { isLeftAlone, type MeshSpec } from './mesh-spec.ts';
import { dialKey, type NamedDial } from './topology.ts';

/** One cluster dials another one, or may, which no file has. */
export interface ExtraDial extends NamedDial {
  /** `no` where only a user is left that lets it in; `unread` where nothing but that was read. */
  isDialling: 'yes' | 'no' | 'unread';
  /** The command that brings it back, where the file has the other half of the peering and nobody chose that this one ends. */
  restore?: string | undefined;
  /** The file has the other half of the peering, and this cluster has parted with who dials it by that: to be decided. */
  parted?: Parted | undefined;
}

/** What clusters have and their file does not. */
export interface ExtraPeers {
  /** Between two clusters of the file. */
  dials: readonly ExtraDial[];
  /**
   * Clusters that are no part of the file, and the clusters of the file that know them. `mayLeave`: no document leaves them to
   * others, so that they are disabled too where they prove to be {@link leavingClusters}.
   */
  strangers: readonly { peer: string; knownBy: readonly string[]; mayLeave: boolean }[];
  /** Clusters of the file that know a cluster of no file by the name of another one of it: such connections are left alone. */
  notPeers: readonly NotPeer[];
  /** What an earlier run that was to disable clusters has left written down, where it did not come to its end. */
  leaving: readonly LeavingMark[];
}

/** The peers that clusters of a file dial or let in, and that the file does not connect them with. */
export function extraPeers(snapshots: readonly ClusterSnapshot[], spec: MeshSpec): ExtraPeers {
  const wanted = new Set(spec.dials.map(({ from, to }) => dialKey(from, to)));
  const names = new Set(spec.clusters.map(({ name }) => name));
  const byName = new Map(snapshots.map((snapshot) => [clusterNameOf(snapshot), snapshot]));
  const clustersOf = ({ from, to }: NamedDial): [PartingCluster, PartingCluster] => [
    { name: from, snapshot: byName.get(from) },
    { name: to, snapshot: byName.get(to) },
  ];
  const described = ({ from, to }: NamedDial): ExtraDial => {
    const [client, server] = [byName.get(from), byName.get(to)];
    if (!client) return { from, to, isDialling: 'unread' };
    if (expectedPeers(client).includes(to)) return { from, to, isDialling: 'yes' };
    const extra: ExtraDial = { from, to, isDialling: 'no' };
    if (!wanted.has(dialKey(to, from)) || !server || !isHalfOfPeering(server, client)) return extra;
    const parted = partedBy(client, server);
    return parted ? { ...extra, parted } : { ...extra, restore: connectCommand(client.context, server.context) };
  };
  const strangers = new Map<string, string[]>();
  const dials = [...byName].flatMap(([own, snapshot]) =>
    knownPeers(snapshot).flatMap((peer): NamedDial[] => {
      if (peer === own || isLeftAlone(spec, own, peer)) return [];
      if (!names.has(peer)) {
        strangers.set(peer, [...(strangers.get(peer) ?? []), own]);
        return [];
      }
      const ways = [
        { from: own, to: peer },
        { from: peer, to: own },
      ];
      return ways.filter((dial) => !wanted.has(dialKey(dial.from, dial.to)) && isDialThere(clustersOf(dial)));
    }),
  );
  const notPeers = notPeersAmong(dials.map(clustersOf), snapshots);
  // The other one may well dial this one; what ends on both sides by their names would cut this one from its own peer.
  const ending = dials.filter((dial) => !isOfNotPeers(clustersOf(dial), notPeers));
  return {
    dials: [...new Map(ending.map((dial) => [dialKey(dial.from, dial.to), dial])).values()].map(described),
    strangers: [...strangers].map(([peer, knownBy]) => ({ peer, knownBy, mayLeave: !isExternal(spec, peer) })),
    notPeers,
    leaving: snapshots.flatMap(leavingMarks),
  };
}

/**
 * The clusters that an earlier run has parted from all others, and has not disabled in full: nobody knows them any more. One that was
 * enabled anew, or repaired by enable, is none; of one whose Deployment is gone already its name tells.
 * @param others clusters that no file has, as far as they were read
 */
export function halfLeft(
  marks: readonly LeavingMark[],
  spec: MeshSpec,
  others: readonly ClusterSnapshot[],
): ClusterSnapshot[] {
  const names = [...new Set(marks.map(({ peer }) => peer))].filter((peer) => isOfNoFile(spec, peer));
  return names.flatMap((name) => {
    const named = others.filter((other) => clusterNameOf(other) === name);
    const uids = marks.filter(({ peer }) => peer === name).map(({ uid }) => uid);
    const [one, ...more] = named.filter((other) => uids.some((uid) => isMeantBy(uid, other)));
    if (one && more.length === 0) return [one];
    const [bare, ...further] = named;
    return bare && further.length === 0 && !apiserverDeployment(bare) ? [bare] : [];
  });
}

/** Whether a cluster is in none of the documents, and none of them leaves it to others. */
export function isOfNoFile(spec: MeshSpec, name: string): boolean {
  return !isExternal(spec, name) && spec.clusters.every((one) => one.name !== name);
}

/**
 * Of clusters that have gone from the file, those that leave the mesh: meshctl has enabled them, and they know nobody but
 * clusters of the file and others that leave. One that any document leaves to others stays, whichever of its connections end.
 * @param outside clusters that no file has and that were read
 * @param others further clusters, as far as they were read: one that dials a cluster may have left no trace there
 * @param halfway those of them that an earlier run has begun to disable, whose Deployment may be gone ({@link halfLeft})
 */
export function leavingClusters(
  outside: readonly ClusterSnapshot[],
  spec: MeshSpec,
  others: readonly ClusterSnapshot[],
  halfway: readonly ClusterSnapshot[] = [],
): ClusterSnapshot[] {
  const isMade = (snapshot: ClusterSnapshot) => {
    const deployment = apiserverDeployment(snapshot);
    return deployment ? isOurs(deployment) : halfway.includes(snapshot);
  };
  let leaving = outside.filter((snapshot) => isMade(snapshot) && !isExternal(spec, clusterNameOf(snapshot)));
  // One that stays keeps those that it knows, and these keep others.
  for (;;) {
    const gone = new Set([...spec.clusters.map(({ name }) => name), ...leaving.map(clusterNameOf)]);
    const next = leaving.filter((snapshot) => peersAmong(snapshot, others).every((peer) => gone.has(peer)));
    if (next.length === leaving.length) return next;
    leaving = next;
  }
}

/** Whether any document leaves a cluster to others. */
function isExternal({ clusters }: MeshSpec, name: string): boolean {
  return clusters.some(({ external }) => external.includes(name));
}

/**
 * All that clusters that leave know of connections, also of those with each other, and with clusters of the file that know nothing of
 * it: where another tool has made what names their peers, it stays when they are disabled.
 */
export function dialsOfLeaving(leaving: readonly ClusterSnapshot[]): NamedDial[] {
  return leaving.flatMap((snapshot) => {
    const own = clusterNameOf(snapshot);
    // By the name that it serves under it would part from itself.
    const peers = knownPeers(snapshot).filter((peer) => peer !== own && peer !== knownAs(snapshot));
    return peers.flatMap((peer): NamedDial[] => [
      { from: own, to: peer },
      { from: peer, to: own },
    ]);
  });
}
