import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { HOUR_MS, isCutShort, type Lifetime, lifetimeOf } from '../rotation/lifetime.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';
import type { TlsSecretFacts } from './certificate.ts';
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
    const secret = objects.get(keyOf(secretRef(namespace, name)));
    return facts && ownerOfData(secret) === undefined ? [lifetimeIn(secret, facts)] : [];
  });
}

/**
 * At a Secret with a certificate of a cluster's own: for how many hours it was to be valid, where it ends with its CA before that. Its
 * times do not tell then, and its successor is to get what was chosen.
 */
const VALIDITY_ANNOTATION = 'meshctl.io/cert-validity-hours';

/** What was chosen for the certificate in a Secret of the cluster's own. @param secret undefined where it was not read */
export function lifetimeIn(
  secret: KubeObject | undefined,
  { certificate, ca }: Pick<TlsSecretFacts, 'certificate' | 'ca'>,
): Lifetime {
  const present = lifetimeOf(certificate, ca);
  const hours = secret?.metadata.annotations?.[VALIDITY_ANNOTATION] ?? '';
  const isKept = present.validityMs === undefined && isCutShort(certificate, ca) && /^[1-9]\d{0,6}$/.test(hours);
  return isKept ? { ...present, validityMs: Number(hours) * HOUR_MS } : present;
}

/**
 * What a write of a certificate sets of that, for `marks`; nothing where there is nothing to keep, or to take away.
 * @param caEnd when its CA ends, where that is before its own end (`endWithCa`, mesh/rotation/lifetime.ts)
 */
export function validityMarks(
  { validityMs }: Lifetime,
  caEnd: Date | undefined,
  before: KubeObject | undefined,
): { marks?: Readonly<Record<string, string | null>> } {
  const isCut = validityMs !== undefined && caEnd !== undefined;
  if (isCut) return { marks: { [VALIDITY_ANNOTATION]: String(Math.floor(validityMs / HOUR_MS)) } };
  return before?.metadata.annotations?.[VALIDITY_ANNOTATION] === undefined
    ? {}
    : { marks: { [VALIDITY_ANNOTATION]: null } };
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
