import { type CertificateFacts, trusts } from '../certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
import { namesOf } from './concerned-peers.ts';

/**
 * Why a peer no longer trusts a cluster whose server certificate is issued anew, as a clause; undefined where it goes on.
 * @param peer the peer's cluster, where it was read
 * @param authority the CA that signs; undefined where that is not known yet
 * @param makes whether that CA is a new one
 */
export function lostTrust(
  snapshot: ClusterSnapshot,
  peer: ClusterSnapshot | undefined,
  authority: CertificateFacts | undefined,
  makes: boolean,
): string | undefined {
  const { tlsSecrets } = snapshot;
  const held = peer && namesOf(snapshot).flatMap((name) => peer.peerCertificates.get(name) ?? []);
  const own = [SERVER_CERT_SECRET, ...CERTIFICATE_SECRETS].flatMap((name) => tlsSecrets.get(name) ?? []);
  // Of a peer that was not read: in the middle of a rotation it trusts as many CAs as this cluster's own certificates do.
  const trusting = [...(held ?? []), ...own].find(({ ca }) => ca !== undefined);
  const former = trusting?.ca;
  if (trusting ? authority && trusts(trusting, authority) : !makes) return undefined;
  return `it trusts the former CA, ${former ? `"${former.commonName}"` : 'of which nothing is left'}`;
}
