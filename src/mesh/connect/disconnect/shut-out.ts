import { replaceAuthorityCommand } from '../../certificates/authority-time.ts';
import { takeFromBundle } from '../../certificates/ca-bundle.ts';
import type { TlsSecretFacts } from '../../certificates/certificate.ts';
import { acceptEachOther } from '../../certificates/trust.ts';
import { clusterNameOf } from '../../cilium/identity.ts';
import { earliestOf, latestOf } from '../../cluster-clocks.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { APISERVER } from '../../objects/names.ts';
import { restartWorkloads } from '../../objects/restart.ts';
import { foldAlike, groupBy } from '../../pairs.ts';
import { dialsAnother } from '../../peers/namesakes.ts';
import { isLetIn, loginCertificate, logsInAsItself, peersOfSharedUser } from '../../peers/peers.ts';
import type { Direction } from '../direction.ts';
import type { Parting, PartingCluster } from './disconnect-plan.ts';

/**
 * Whether an etcd tells by the certificate of a former peer that it has shut it out: one of its own, in time, and both take each
 * other's. Where others log in with the same, where it is refused by its time or its CA, or where the peer refuses the etcd's first,
 * it proves nothing of the peer's user, let alone of other peers' users.
 * @param peer the name by which it dialled the cluster of the etcd
 * @param server the certificate of the etcd with the CAs that it takes; undefined where it was not read: nothing speaks against it
 */
export function tellsOfUser(
  dialler: ClusterSnapshot,
  peer: string,
  server: TlsSecretFacts | undefined,
  now: Date,
): boolean {
  const own = dialler.peerCertificates.get(peer);
  const facts = loginCertificate(dialler, peer);
  if (!own || facts !== own.certificate || !logsInAsItself(dialler, peer)) return false;
  if (latestOf(now) < facts.notBefore || earliestOf(now) > facts.notAfter) return false;
  return server === undefined || acceptEachOther(own, server);
}

/**
 * Of peers that are only shut out, because they cannot be told to let go: etcd refuses a user that is gone at once, but goes on with what
 * an open connection watches, and takes their certificates again with the next user of their name. As warnings: where many clusters shut
 * out the same peers, they are named together.
 * @param dials that end, as `[client, server]`
 */
export function openConnections(dials: readonly (readonly [PartingCluster, PartingCluster])[]): string[] {
  const shutOut = dials.flatMap(([client, { snapshot }]) =>
    !client.snapshot && snapshot && isLetIn(snapshot, client.name) ? [{ snapshot, name: client.name }] : [],
  );
  const parted = [...groupBy(shutOut, ({ snapshot }) => snapshot)].map(([snapshot, of]) => ({
    snapshot,
    names: [...new Set(of.map(({ name }) => name))],
  }));
  const alike = foldAlike(parted, ({ snapshot, names }) => JSON.stringify([names, snapshot.caBundle?.object]));
  return alike.flatMap((same) => {
    const servers = same.map(({ snapshot }) => snapshot);
    const names = (same[0]?.names ?? []).map((name) => `"${name}"`).join(', ');
    const restarts = servers.map((one) => restartWorkloads(one, [`deployment/${APISERVER}`]));
    return [
      `${contextsOf(servers)} ${servers.length === 1 ? 'refuses' : 'refuse'} ${names} once the user is gone from etcd, but a connection that is still open keeps receiving updates → to end it too: ${restarts.join(' && ')}`,
      letInByName(servers, names),
    ];
  });
}

const contextsOf = (snapshots: readonly ClusterSnapshot[]) =>
  `${snapshots.length === 1 ? 'context' : 'contexts'} ${snapshots.map(({ context }) => `"${context}"`).join(', ')}`;

/**
 * What lets former peers in again that are not told to stop: etcd knows a user by its name alone, and their certificates stay valid.
 * @param servers with the same CA bundle
 * @param names of those that are shut out by their users
 */
function letInByName(servers: readonly ClusterSnapshot[], names: string): string {
  const [letIn, to] = servers.length === 1 ? ['lets', 'it'] : ['let', 'them'];
  return `${contextsOf(servers)} ${letIn} whoever has the certificate of the former ${names} in again as soon as a cluster of that name is connected to ${to}: ${newAuthorityOnly(servers[0]?.caBundle)}`;
}

/**
 * Former peers whose place another cluster of their name takes, and that are let in by its user as before.
 * @param all that were read
 */
export function formerLetIn(directions: readonly Direction[], all: readonly ClusterSnapshot[]): string[] {
  return directions.flatMap(({ client: { snapshot }, server }) => {
    const { name } = server.identity;
    if (!dialsAnother(snapshot, name, server.snapshot, all) || !isLetIn(snapshot, name)) return [];
    return `context "${snapshot.context}" goes on letting in whoever has the certificate of the ${name} that it dials so far, as the user of that name: ${newAuthorityOnly(snapshot.caBundle)}`;
  });
}

function newAuthorityOnly(bundle: ClusterSnapshot['caBundle']): string {
  const orOut = bundle ? `, or its CA taken out of ${bundle.object},` : '';
  return `only a new CA there${orOut} ends that${bundle ? '' : ', as by certs rotate --ca'}`;
}

/** Peers that are not told to stop, and that no list of users can shut out: what does, as warnings. */
export function stillLetIn({
  snapshot,
  unserved,
  partners,
}: Pick<Parting, 'snapshot' | 'unserved' | 'partners'>): string[] {
  const told = partners.map(clusterNameOf);
  const untold = unserved.filter((peer) => !told.includes(peer));
  const { context, caBundle } = snapshot;
  const shutOut = caBundle
    ? takeFromBundle(caBundle, snapshot)
    : `replacing the CA here shuts it out, and all others of that CA until reconnected: ${replaceAuthorityCommand([context])}`;
  return peersOfSharedUser(snapshot, untold).map(
    (peer) =>
      `context "${context}": "${peer}" may log in with a certificate that all clusters of its CA share, so it is not shut out → ${shutOut}`,
  );
}
