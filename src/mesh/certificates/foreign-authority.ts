import type { CaFacts, ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import { CA_SECRET, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { foreignOwner, toolOwner } from '../objects/ownership.ts';
import {
  clusterKnownAs,
  concernedPeers,
  contextOfPeer,
  fileOfOther,
  hasServed,
  knownAs,
  namesOf,
} from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { configuredPeers } from '../peers/peers.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import {
  authorityState,
  authorityTrouble,
  hasLostSigner,
  isIssuedElsewhere,
  lostAuthority,
  revisionsOf,
  signerTrouble,
  succeedingAuthority,
  waysBack,
} from './authority.ts';
import { expiredAuthority, replaceAuthorityCommand, replaceExpired, rotateAuthority } from './authority-time.ts';
import { replaceInBundle } from './ca-bundle.ts';
import type { CertificateFacts } from './certificate.ts';
import { CERTIFICATE_SECRETS } from './cluster-certificates.ts';
import { isSameKey, trusts } from './trust.ts';

/**
 * The CA that signed every certificate that a cluster uses, where Secret cilium-ca holds another one, which signed none of
 * them. Undefined where the two agree, where a rotation is under way (its bundles have both), and where others issue.
 */
export function signerInUse(snapshot: ClusterSnapshot): CertificateFacts | undefined {
  const { ca, tlsSecrets } = snapshot;
  if (!ca || isIssuedElsewhere(snapshot)) return undefined;
  const own = CERTIFICATE_SECRETS.flatMap((name) => tlsSecrets.get(name) ?? []);
  const signer = tlsSecrets.get(SERVER_CERT_SECRET)?.ca;
  const isSignedByIt = (one: (typeof own)[number]) =>
    one.signedByCa && isSameKey(one.ca, signer) && !isSameKey(one.ca, ca.certificate) && !trusts(one, ca.certificate);
  return signer && own.every(isSignedByIt) ? signer : undefined;
}

/** `holds a CA that signed none of the certificates in use`, as the end of a sentence about Secret cilium-ca. */
export const SIGNED_NOTHING = 'holds a CA that signed none of the certificates in use';

/**
 * How Secret cilium-ca and the certificates come to agree without a peer that is cut off, as the end of a sentence: the
 * former CA comes back, from a cluster that has it or from its backup, or a rotation goes over to the one that is there: that of
 * whoever keeps the bundle, where programs go by one.
 * @param others other clusters, as far as they were read
 * @returns undefined where {@link signerInUse} is, and where nobody trusts it: then enable alone is right
 */
export function waysToAgree(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string | undefined {
  const { ca, caBundle, context, namespace } = snapshot;
  const signer = signerInUse(snapshot);
  const peers = concernedPeers(snapshot, others);
  if (!ca || !signer || peers.length === 0) return undefined;
  const sharing = peersOfOneCa(snapshot, others);
  const holder = others.find((other) => hasCopy(other, signer, sharing));
  const back = holder ? restoreFrom(snapshot, holder) : `restore Secret ${namespace}/${CA_SECRET} from backup`;
  const where = peers.map((peer) => contextOfPeer(peer, others));
  const next = caBundle
    ? replaceInBundle(caBundle)
    : ca.keyMatches && sharing.length === 0
      ? `switch to the CA that is there without cutting off a peer: ${meshctlCommand('clustermesh certs rotate', { context: [context, ...where] })}`
      : `replace it (cuts ${peers.join(', ')} off until reconnected): ${replaceAuthorityCommand([context])}`;
  return forOtherOwners(`${back}; or ${next}`, context, peersOfOthers(snapshot));
}

function restoreFrom({ context }: ClusterSnapshot, holder: ClusterSnapshot): string {
  const restore = meshctlCommand('clustermesh enable', { context }, ['--ca-from-context', holder.context]);
  return `restore the CA that signed them, from context "${holder.context}": ${restore}`;
}

/** Whether Secret cilium-ca can sign, and whatever it signed would be trusted by nobody. */
export function isForeignAuthority(snapshot: ClusterSnapshot): boolean {
  return authorityState(snapshot) === 'usable' && signerInUse(snapshot) !== undefined;
}

/** What keeps a CA that should sign from it, and how it can again. */
export interface SigningFault {
  /** As the end of a sentence about Secret cilium-ca. */
  says: string;
  /** As the end of a sentence, and ends with its command. */
  ways: string;
}

/**
 * Why nothing of use can be signed here although that is nobody's choice: the CA is broken, lost, or not the one of the
 * certificates in use. Undefined for one whose key is kept elsewhere, and where a tool issues from a CA that is nowhere here.
 * @param others other clusters, as far as they were read
 */
export function signingFault(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
): SigningFault | undefined {
  const { context, namespace, objects, caBundle } = snapshot;
  const state = authorityState(snapshot);
  const isToolMade = () => toolOwner(objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)))) !== undefined;
  const isBroken =
    state === 'missing'
      ? hasLostSigner(snapshot) && !isToolMade()
      : ['wrong-key', 'unreadable', 'empty'].includes(state);
  if (isBroken) {
    const peers = concernedPeers(snapshot, others);
    const ways = waysToSucceed(snapshot, others, peers) ?? waysBack(snapshot, peers);
    const lost = snapshot.ca?.certificate ?? lostAuthority(snapshot, others)?.certificate;
    const holder = lost && others.find(({ ca }) => ca?.keyMatches && isSameKey(ca.certificate, lost));
    return {
      says: authorityTrouble(snapshot) ?? '',
      ways: holder ? `${restoreFrom(snapshot, holder)}; or ${ways}` : ways,
    };
  }
  if (!isForeignAuthority(snapshot)) return undefined;
  // Whom nobody trusts yet, nobody loses by certificates that are issued anew.
  const anew = caBundle
    ? replaceInBundle(caBundle)
    : `reissue the certificates: ${meshctlCommand('clustermesh enable', { context })}`;
  return { says: SIGNED_NOTHING, ways: waysToAgree(snapshot, others) ?? anew };
}

/**
 * How a CA that was lost comes back, or another one takes its place without a peer that is cut off, as the end of a sentence that ends with
 * its command. Undefined where that cannot be, or there is no peer to be cut off.
 */
function waysToSucceed(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
  peers: readonly string[],
): string | undefined {
  const former = succeedingAuthority(snapshot);
  if (!former || snapshot.caBundle || peers.length === 0 || peersOfOneCa(snapshot, others, former).length > 0)
    return undefined;
  const theirs = peersOfOthers(snapshot);
  if (peers.some((peer) => theirs.includes(peer))) return undefined;
  const back = `restore Secret ${snapshot.namespace}/${CA_SECRET} from backup${revisionsOf(snapshot)}`;
  return `${back}; or replace it without cutting off a peer: ${rotateAuthority(snapshot, others)}`;
}

/**
 * How certificates can be signed again where a CA is broken, lost or not theirs, as the end of a sentence that ends with its command:
 * what comes back comes first, and what cuts peers off says whom.
 * @param others other clusters, as far as they were read
 */
export function waysToSign(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[] = []): string {
  return signingFault(snapshot, others)?.ways ?? waysBack(snapshot, concernedPeers(snapshot, others));
}

/**
 * The cluster's CA, with its key at hand.
 * @param purpose what is to be signed, for the message
 * @param others other clusters, as far as they were read
 * @throws MeshctlError `CertificateAuthority` when there is no CA, or no key of it, or when it is not valid now
 */
export function requireSigner(
  snapshot: ClusterSnapshot,
  purpose: string,
  now: Date,
  others: readonly ClusterSnapshot[] = [],
): CaFacts {
  const { ca, context, namespace } = snapshot;
  const trouble = signerTrouble(snapshot, now);
  if (ca && !trouble) return ca;
  const secret = `Secret ${namespace}/${CA_SECRET}`;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": ${purpose} cannot be issued: ${secret} ${trouble}`,
    {
      hint: signerAdvice(snapshot, now, others),
      details: { context, object: secret },
    },
  );
}

/**
 * How a cluster that cannot sign comes to do so, as sentences. cert-manager keeps the keys of its CAs elsewhere, or issues from one
 * that is nowhere in the cluster.
 */
export function signerAdvice(snapshot: ClusterSnapshot, now: Date, others: readonly ClusterSnapshot[] = []): string {
  if (expiredAuthority(snapshot, now) !== undefined) return replaceExpired(snapshot, others);
  const { context, objects, namespace } = snapshot;
  const owner = foreignOwner(objects.get(keyOf(secretRef(namespace, CA_SECRET))));
  const give = meshctlCommand('clustermesh enable', { context }, ['--ca-cert', '<file>', '--ca-key', '<file>']);
  if (owner?.startsWith('cert-manager')) {
    return (
      `The CA belongs to ${owner}. Certificates that it has issued are kept and can be used, and it has to issue new ones: ` +
      `let the chart ask for them (clustermesh.apiserver.tls.auto.method=certmanager), or give a CA: ${give}`
    );
  }
  const state = authorityState(snapshot);
  if (state === 'elsewhere') {
    return 'What cert-manager has issued can be used, and it has to issue what is new: its issuer has the key of the CA.';
  }
  if (state === 'no-key') {
    return (
      'The key of the CA is needed to sign; existing valid certificates are kept without it. ' +
      `Restore the key from its backup, or give the CA: ${give}`
    );
  }
  const neverWas = !hasServed(snapshot) && (state === 'missing' || state === 'empty');
  if (neverWas) return meshctlCommand('clustermesh enable', { context });
  return waysToSign(snapshot, withoutNamesakes(snapshot, others));
}

/**
 * Peers that stand on the CA that signed this cluster's certificates: they log in, or are logged in to, without a certificate
 * that was made for it. None can follow this cluster to another CA.
 * @param signer that CA, where it is lost
 */
export function peersOfOneCa(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
  signer = signerInUse(snapshot),
): string[] {
  if (!signer) return [];
  const own = namesOf(snapshot);
  const configured = configuredPeers(snapshot);
  return concernedPeers(snapshot, others).filter((peer) => {
    const other = clusterKnownAs(peer, others);
    const held = snapshot.peerCertificates.get(peer);
    const isDialled = configured.includes(peer) && (!held?.ca || isSameKey(held.ca, signer));
    const isDialling = other && fileOfOther(other, own) && !own.some((name) => other.peerCertificates.has(name));
    return isDialled || isDialling;
  });
}

/** Where the CA of a cluster was not read, by what it shares with this one. */
function hasCopy(other: ClusterSnapshot, signer: CertificateFacts, sharing: readonly string[]): boolean {
  if (other.ca) return other.ca.keyMatches && isSameKey(other.ca.certificate, signer);
  const isUnread = other.unread?.has(keyOf(secretRef(other.namespace, CA_SECRET))) ?? false;
  return isUnread && sharing.includes(knownAs(other));
}
