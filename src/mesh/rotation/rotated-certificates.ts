import { apiserverDeployment } from '../apiserver/live.ts';
import { caMark, podCaMark } from '../apiserver/pod-marks.ts';
import { succeedingAuthority } from '../certificates/authority.ts';
import type { CertificateFacts, CertificateSpec, TlsSecretFacts } from '../certificates/certificate.ts';
import { certificateSpecs, clientSpec } from '../certificates/cluster-certificates.ts';
import { certificateBlocks } from '../certificates/pem.ts';
import { isSameKey, issuerOf, storedWith } from '../certificates/trust.ts';
import { dialingSecret, dialsThroughKvstoremesh } from '../connect/direction.ts';
import type { Member } from '../connect/member.ts';
import { keyOf } from '../objects/kube-object.ts';
import { REMOTE_CERT_SECRET, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { secretText } from '../objects/secret-data.ts';
import { peerCertificateKeys, remoteUserName } from '../peers/file/peer-config.ts';
import { hasPartedWith } from '../peers/parted.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { knownPeers } from '../peers/peers.ts';
import { foreignOwnerOf } from '../peers/users/foreign-user.ts';
import { type CertificateKeys, TLS_KEYS } from '../plan/plan.ts';

/** A certificate of a cluster's CA, wherever it is, with the CAs that are beside it. */
export interface RotatedCertificate {
  /** Whose Secret it is in. */
  holder: Member;
  secret: string;
  keys: CertificateKeys;
  spec: CertificateSpec;
  /** The cluster that is dialled with it; absent for a cluster's own. */
  peer?: string | undefined;
  /** It is the server's own remote-cert, handed to a peer (credentials `legacy`). */
  copied?: boolean | undefined;
  /** The other cluster whose it is, and would be for good: the user of the holder's own is not there. */
  foreign?: string | undefined;
  /** Undefined where there is none, or none that can be read. */
  facts: TlsSecretFacts | undefined;
}

/** A CA certificate as facts and as PEM. */
export interface TrustedAuthority {
  facts: CertificateFacts;
  pem: string;
}

/**
 * How far the CA of a cluster is replaced, as its bundles tell. Whoever replaces it puts the new one first into all of
 * them, then into Secret cilium-ca, and takes the former one out of them at the end.
 * - settled: the CA, and no other, is trusted.
 * - trusting: another CA comes first somewhere, and has not taken the place of this one.
 * - replaced: this CA is the new one; a former one is still trusted.
 */
export type RotationStage = 'settled' | 'trusting' | 'replaced';

/**
 * The certificates of a cluster's CA: its own, then those with which the other members dial it. What is left in a cluster that
 * it has parted with is none of them: it opens nothing, and nobody would be let in with a new one.
 */
export function certificatesFrom(issuer: Member, members: readonly Member[]): RotatedCertificate[] {
  return [
    ...ownCertificates(issuer),
    ...members.flatMap((holder): RotatedCertificate[] => {
      const { name } = issuer.identity;
      const { objects, namespace, peerCertificates } = holder.snapshot;
      const keys = peerCertificateKeys(name);
      const secret = dialingSecret(holder.snapshot);
      const text = secretText(objects.get(keyOf(secretRef(namespace, secret))), keys.certificate);
      if (holder === issuer || text === undefined || hasPartedWith(issuer.snapshot, holder.snapshot)) return [];
      const facts = peerCertificates.get(name);
      const own = remoteUserName(holder.identity.name);
      const present = facts?.certificate.commonName ?? own;
      const isLetIn = issuer.snapshot.remoteUsers?.some((user) => user.name === own) ?? false;
      const owner = foreignOwnerOf(holder.snapshot, name, present);
      const user = owner !== undefined && isLetIn ? own : present;
      const foreign = user === own ? undefined : owner;
      const copied = isRemoteCert(facts, issuer) || choicesFor(holder.snapshot, name).credentials === 'legacy';
      return [{ holder, secret, keys, spec: clientSpec(user), peer: name, copied, foreign, facts }];
    }),
  ];
}

/** Whether a certificate is the very one that a cluster has for all peers that share its CA. */
export function isRemoteCert(facts: TlsSecretFacts | undefined, { snapshot: { tlsSecrets } }: Member): boolean {
  return facts !== undefined && facts.certificate.sha256 === tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate.sha256;
}

function ownCertificates(holder: Member): RotatedCertificate[] {
  const { snapshot, identity, endpoints } = holder;
  const specs = certificateSpecs({
    clusterName: identity.name,
    namespace: snapshot.namespace,
    serviceAddresses: endpoints.map(({ host }) => host),
    kvstoremesh: dialsThroughKvstoremesh(snapshot),
    tlsSecrets: snapshot.tlsSecrets,
  });
  return specs.map(({ secret, spec }) => {
    const facts = snapshot.tlsSecrets.get(secret);
    const { dnsNames = [], ipAddresses = [] } = facts?.certificate ?? {};
    // Names that someone else put into the certificate may be dialled.
    const names = {
      dnsNames: [...new Set([...spec.dnsNames, ...dnsNames])],
      ipAddresses: [...new Set([...spec.ipAddresses, ...ipAddresses])],
    };
    return { holder, secret, keys: TLS_KEYS, spec: { ...spec, ...names }, facts };
  });
}

/** The CAs beside a certificate, in their order; none where one of them is not readable. */
export function authoritiesBeside({ holder, secret, keys, facts }: RotatedCertificate): TrustedAuthority[] {
  const { snapshot } = holder;
  const object = snapshot.objects.get(keyOf(secretRef(snapshot.namespace, secret)));
  return paired(facts ? storedWith(facts) : [], secretText(object, keys.ca) ?? '');
}

/** The CA of a cluster with what else is in its file, as Secret cilium-ca has it. */
export function presentAuthority({ snapshot: { ca } }: Member): TrustedAuthority[] {
  return ca ? paired(ca.bundle ?? [ca.certificate], ca.certificatePem) : [];
}

function paired(facts: readonly CertificateFacts[], text: string): TrustedAuthority[] {
  const blocks = certificateBlocks(text);
  return blocks.length === facts.length ? facts.map((fact, index) => ({ facts: fact, pem: blocks[index] ?? '' })) : [];
}

/** How far the CA of a cluster is replaced. */
export function rotationStage(issuer: Member, members: readonly Member[]): RotationStage {
  const there = presentAuthority(issuer).map(({ facts }) => facts);
  // One that was lost may have been given a successor that has not come yet.
  const lost = there.length === 0 ? succeedingAuthority(issuer.snapshot) : undefined;
  const present = lost ? [lost] : there;
  // Of a CA of which nothing is left nothing is told.
  if (present.length === 0) return 'settled';
  // The keys count: a CA may have been renewed with its key.
  const own = present.map(({ publicKeySha256 }) => publicKeySha256);
  const bundles = certificatesFrom(issuer, members).flatMap(({ facts }) => {
    return facts ? [storedWith(facts).map(({ publicKeySha256 }) => publicKeySha256)] : [];
  });
  if (bundles.some(([first]) => first !== undefined && !own.includes(first))) return 'trusting';
  if (lost) return 'settled';
  if (bundles.some((bundle) => bundle.some((key) => !own.includes(key)))) return 'replaced';
  // All is settled but the pods, which started with both.
  const mark = podCaMark(apiserverDeployment(issuer.snapshot));
  return mark?.startsWith(`${caMark(present)},`) ? 'replaced' : 'settled';
}

/**
 * Whether the next certificate of a cluster's etcd is from another CA than the present one, by which peers know it: Secret
 * cilium-ca holds one that has not signed it.
 */
export function switchesSigner({ snapshot: { ca, tlsSecrets } }: Member): boolean {
  const server = tlsSecrets.get(SERVER_CERT_SECRET);
  return ca !== undefined && server?.ca !== undefined && server.signedByCa && !isSameKey(server.ca, ca.certificate);
}

/** Whether a member logs in to this cluster with a certificate of its own CA, which is this one. */
export function signsForPeers(
  { publicKeySha256 }: CertificateFacts,
  issuer: Member,
  members: readonly Member[],
): boolean {
  return members.some(({ snapshot }) => {
    const { ca, peerCertificates } = snapshot;
    const held = peerCertificates.get(issuer.identity.name);
    const isOfOwn = held === undefined || isSameKey(issuerOf(held), ca?.certificate);
    return snapshot !== issuer.snapshot && isOfOwn && ca?.certificate.publicKeySha256 === publicKeySha256;
  });
}

/** Peers of a member that are none themselves: what they hold cannot be renewed. */
export function strangersTo({ snapshot, identity }: Member, members: readonly Member[]): string[] {
  const names = new Set([identity.name, ...members.map((member) => member.identity.name)]);
  const dialled = [...snapshot.peerCertificates.keys()];
  return [...new Set([...knownPeers(snapshot), ...dialled])].filter((peer) => !names.has(peer)).sort();
}
