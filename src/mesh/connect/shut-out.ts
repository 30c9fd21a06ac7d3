import { replaceAuthorityCommand } from '../certificates/authority-time.ts';
import { takeFromBundle } from '../certificates/ca-bundle.ts';
import type { TlsSecretFacts } from '../certificates/certificate.ts';
import { acceptEachOther } from '../certificates/trust.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { loginCertificate, logsInAsItself, peersOfSharedUser } from '../peers/peers.ts';
import type { Parting } from './disconnect-plan.ts';

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
  if (now < facts.notBefore || now > facts.notAfter) return false;
  return server === undefined || acceptEachOther(own, server);
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
    : `a CA of its own shuts it out, and who else shares that one until it is connected again: ${replaceAuthorityCommand([context])}`;
  return peersOfSharedUser(snapshot, untold).map(
    (peer) =>
      `context "${context}": "${peer}" may log in with a certificate that all clusters of its CA share, so it is not shut out → ${shutOut}`,
  );
}
