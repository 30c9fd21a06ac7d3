import { caMark } from '../apiserver/pod-marks.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { isSameKey, trustedBy, trusts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
import { namesOf } from './concerned-peers.ts';

/** What becomes of the CA by which a cluster and its peers trust each other. */
export interface TrustChange {
  /** The CA that signs; undefined where that is not known yet. */
  authority: CertificateFacts | undefined;
  /** Whether that CA is a new one. */
  makes: boolean;
  /** The CAs that etcd runs with and that new pods do not trust (marksGivenUp). */
  givenUp?: readonly string[] | undefined;
}

/**
 * Why a peer no longer trusts a cluster whose server certificate is issued anew, or is trusted no longer by a cluster whose
 * pods start with another CA, as a clause; undefined where it goes on.
 * @param peer the peer's cluster, where it was read
 */
export function lostTrust(
  snapshot: ClusterSnapshot,
  peer: ClusterSnapshot | undefined,
  { authority, makes, givenUp = [] }: TrustChange,
): string | undefined {
  const { tlsSecrets } = snapshot;
  const held = (peer ? namesOf(snapshot) : []).flatMap((name) => peer?.peerCertificates.get(name) ?? []);
  const own = [SERVER_CERT_SECRET, ...CERTIFICATE_SECRETS].flatMap((name) => tlsSecrets.get(name) ?? []);
  const isGivenUp = (ca: CertificateFacts) => givenUp.includes(caMark([ca]));
  const ran = [...held, ...own].flatMap(trustedBy).find(isGivenUp);
  const endsRunning = givenUp.length > 0 && !isSameKey(ran, authority);
  // Of a peer that was not read: what etcd runs with is what it was let in by, whatever Secrets hold since. Where that stays,
  // it trusts as many CAs as this cluster's own certificates do: in the middle of a rotation two.
  const trusting = [...held, ...(endsRunning ? [] : own)].find(({ ca }) => ca !== undefined);
  const former = trusting?.ca ?? ran;
  const isLetIn = !(endsRunning && former && isGivenUp(former));
  if (trusting ? authority && trusts(trusting, authority) && isLetIn : !makes && !endsRunning) return undefined;
  return `it trusts the former CA, ${former ? `"${former.commonName}"` : 'of which nothing is left'}`;
}
