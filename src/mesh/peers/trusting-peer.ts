import { caMark } from '../apiserver/pod-marks.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { isSameKey, isStoredWith, nameBeside, storedWith } from '../certificates/trust.ts';
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
  const { tlsSecrets, caBundle } = snapshot;
  const held = (peer ? namesOf(snapshot) : []).flatMap((name) => peer?.peerCertificates.get(name) ?? []);
  const own = [SERVER_CERT_SECRET, ...CERTIFICATE_SECRETS].flatMap((name) => tlsSecrets.get(name) ?? []);
  const isGivenUp = (ca: CertificateFacts) => givenUp.includes(caMark([ca]));
  const ran = [...held, ...own].flatMap(storedWith).find(isGivenUp);
  // Where new pods go by a bundle that still has what etcd was started with, nothing is given up.
  const staysTrusted = caBundle?.authorities?.some(isGivenUp) ?? false;
  const endsRunning = givenUp.length > 0 && !staysTrusted && !isSameKey(ran, authority);
  // Of a peer that was not read: what etcd runs with is what it was let in by, whatever Secrets hold since. Where that stays,
  // it trusts as many CAs as are stored with this cluster's own certificates: in the middle of a rotation two. By which bundle
  // this cluster goes tells nothing of it.
  const ofPeer = held.find(({ ca }) => ca !== undefined);
  const trusting = ofPeer ?? (endsRunning ? [] : own).find(({ ca }) => ca !== undefined);
  const bundle = ofPeer ? undefined : peer?.caBundle?.authorities;
  const former = trusting?.ca ?? ran;
  const isLetIn = !(endsRunning && former && isGivenUp(former));
  const isTrusted =
    bundle?.some((one) => isSameKey(one, authority)) ?? (trusting && authority && isStoredWith(trusting, authority));
  if (trusting || bundle ? isTrusted && isLetIn : !makes && !endsRunning) return undefined;
  return `it trusts the former CA, ${former ? nameBeside(former, authority) : 'of which nothing is left'}`;
}
