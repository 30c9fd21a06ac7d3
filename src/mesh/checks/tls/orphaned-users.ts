import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../../command-line.ts';
import { lostFileFault } from '../../faults/lost-files.ts';
import { SHARED_USER } from '../../objects/names.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { remoteUserName } from '../../peers/file/peer-config.ts';
import { haveLostBothHalves, mendBothLost, saysBothLost } from '../../peers/lost-halves.ts';
import { isPeerByNameAlone, withoutNamesakes } from '../../peers/namesakes.ts';
import { peersLetIn, servedPeers } from '../../peers/peer-choices.ts';
import { configuredPeers } from '../../peers/peers.ts';
import { isWithoutPeers } from '../../peers/peers-on-record.ts';
import type { Finding, Subject } from '../shared/check.ts';
import { type ClusterObservation, findingOf, type MeshCheck } from '../shared/mesh-input.ts';

/** Who may log in to a cluster's etcd. */
export const ORPHAN_CHECKS: readonly MeshCheck[] = [
  {
    id: 'tls-orphaned-users',
    category: 'tls',
    title: 'every etcd user belongs to a peer',
    subject: knownUsers,
    run: ({ clusters, observed }, all) =>
      lostOnce(clusters.flatMap((cluster) => orphansOf(cluster, all, observed.get(cluster.context)))),
    says: ({ args: { context, user, peer, lost } }) =>
      lost
        ? `context "${context}": ${saysBothLost(`${context} and ${peer}`)}`
        : `context "${context}": etcd user ${user} may log in, but ${peer} is not connected to this cluster`,
  },
];

/** Only of a cluster that was read can be said that it does not log in. */
function knownUsers(cluster: ClusterSnapshot, { clusters }: { clusters: readonly ClusterSnapshot[] }): Subject {
  const users = (cluster.remoteUsers ?? []).map(({ name }) => name).filter((name) => name !== SHARED_USER);
  const otherwise = !cluster.remoteUsers
    ? 'there is no ConfigMap clustermesh-remote-users'
    : users.length === 0
      ? 'it lets no peer in by a user of its own'
      : `${users.join(', ')} may belong to clusters outside this check`;
  return {
    things: strangersOf(cluster, clusters).map(knownAs),
    otherwise,
    unseen: unknownUsers(cluster, clusters),
  };
}

/** Users of clusters that are no peers. Whom an invitation has let in is on its way to be one, and is not to be locked out. */
function orphansOf(
  cluster: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
  { invited, untold }: Partial<ClusterObservation> = {},
): Finding[] {
  const { context } = cluster;
  const strangers = strangersOf(cluster, all).filter((other) => !isPeer(cluster, other));
  if (!invited && strangers.length > 0) {
    const users = strangers.map((other) => remoteUserName(knownAs(other))).join(', ');
    const reason = `not all invitations could be read, and one may have let ${users} in`;
    return [
      {
        ...findingOf('tls-orphaned-users', 'skip', context, { reason }),
        blind: untold?.has('invitations') || undefined,
      },
    ];
  }
  return strangers
    .filter((other) => !invited?.includes(knownAs(other)))
    .map((other) => {
      const user = remoteUserName(knownAs(other));
      // Who has lost its files, and not the certificate beside them, is to be connected again: that says what keeps either from dialling.
      const lost = lostFileFault(cluster, knownAs(other)) ?? lostFileFault(other, knownAs(cluster));
      if (lost) {
        const reason = `${user} is of ${other.context}, and the peering file of ${lost.context} for ${lost.context === context ? other.context : context} is lost (${lost.id})`;
        return findingOf('tls-orphaned-users', 'skip', context, { reason });
      }
      const isLost = haveLostBothHalves(cluster, other);
      // Then status and peers-connected say that it is to be connected to all that are on record.
      const isAwaited = [cluster, other].some((one) => isWithoutPeers(one, withoutNamesakes(one, all)));
      if (isLost && isAwaited) {
        const reason = `${user} is of ${other.context}, which is to be connected again (peers-connected)`;
        return findingOf('tls-orphaned-users', 'skip', context, { reason });
      }
      // One that has nothing of Cluster Mesh is not parted from by its context: nothing tells that it is who was let in.
      const flag = isPeerByNameAlone(cluster, other)
        ? ['--peer', knownAs(other)]
        : ['--destination-context', other.context];
      const part = meshctlCommand('clustermesh disconnect', { context }, flag);
      const hint = isLost
        ? mendBothLost(cluster, other)
        : isAwaited
          ? `Either connect them again: ${connectCommand(context, other.context)}; or lock it out: ${part}`
          : `Anyone with its certificate is still let in. To lock it out: ${part}`;
      if (!isLost) return findingOf('tls-orphaned-users', 'warn', context, { user, peer: other.context }, hint);
      const args = { user, peer: other.context, lost: true, peers: [knownAs(cluster), knownAs(other)] };
      return findingOf('tls-orphaned-users', 'fail', context, args, hint);
    });
}

/** A peering that has lost both halves, which either side shows, is told once: one connect mends both. */
function lostOnce(found: readonly Finding[]): Finding[] {
  const told = new Set<string>();
  return found.filter(({ cluster, args: { peer, lost } }) => {
    if (lost !== true) return true;
    const isMirrored = told.has(JSON.stringify([peer, cluster]));
    told.add(JSON.stringify([cluster, peer]));
    return !isMirrored;
  });
}

/** Of users of clusters that this one neither dials nor has let in one-way, nothing is known where those were not read. */
function unknownUsers(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): string[] {
  const dialled = configuredPeers(cluster);
  const known = [...dialled, ...servedPeers(cluster, dialled), ...all.map(knownAs)].map(remoteUserName);
  const users = (cluster.remoteUsers ?? []).map(({ name }) => name);
  const unknown = users.filter((name) => name !== SHARED_USER && !known.includes(name));
  return unknown.length === 0 ? [] : [`${unknown.join(', ')} may belong to clusters outside this check`];
}

/** The clusters, among those that were read, that have a user here. */
function strangersOf(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const users = new Set((cluster.remoteUsers ?? []).map(({ name }) => name));
  return withoutNamesakes(cluster, all).filter((other) => users.has(remoteUserName(knownAs(other))));
}

/** Whether two clusters are connected, or were to be: whom a cluster has let in by choice may have lost its own files. */
function isPeer(cluster: ClusterSnapshot, other: ClusterSnapshot): boolean {
  const [own, its] = [knownAs(cluster), knownAs(other)];
  return (
    configuredPeers(other).includes(own) || configuredPeers(cluster).includes(its) || peersLetIn(cluster).includes(its)
  );
}
