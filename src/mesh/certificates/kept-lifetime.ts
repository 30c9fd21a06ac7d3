import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { type Lifetime, lifetimeOf } from '../rotation/lifetime.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';
import { CERTIFICATE_SECRETS } from './cluster-certificates.ts';

/**
 * What was chosen for the certificates of a cluster, so that a new one gets the same: of the one that it takes the place
 * of, else of another. Those that another tool issues tell nothing: it renews them at its own pace.
 * @param secret the one that the new certificate goes into
 */
export function presentLifetime(snapshot: ClusterSnapshot, secret: string = CERTIFICATE_SECRETS[0] ?? ''): Lifetime {
  return ownLifetimes(snapshot, [secret, ...CERTIFICATE_SECRETS])[0] ?? {};
}

/** The same of each of a cluster's certificates. @param secrets those that they are in */
export function ownLifetimes(
  { objects, namespace, tlsSecrets }: ClusterSnapshot,
  secrets: readonly string[] = CERTIFICATE_SECRETS,
): Lifetime[] {
  return secrets.flatMap((name) => {
    const facts = tlsSecrets.get(name);
    const isForeign = ownerOfData(objects.get(keyOf(secretRef(namespace, name)))) !== undefined;
    return facts && !isForeign ? [lifetimeOf(facts.certificate, facts.ca)] : [];
  });
}

/** Bits, where nothing else was chosen; Cilium's own certificates have as many. */
export const USUAL_KEY_SIZE = 2048;

/**
 * How long the key is to be for which another owner signs a certificate: as the present one for dialling their cluster, else as
 * those of the own cluster.
 * @param peer that cluster; undefined while it may be any
 * @returns bits, no less than a request may have
 */
export function heldKeySize(snapshot: ClusterSnapshot, peer: string | undefined): number {
  const present = peer === undefined ? undefined : snapshot.peerCertificates.get(peer)?.certificate.keyBits;
  return Math.max(present ?? presentLifetime(snapshot).keySize ?? USUAL_KEY_SIZE, USUAL_KEY_SIZE);
}
