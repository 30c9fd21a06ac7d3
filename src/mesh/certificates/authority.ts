import { availableReplicasOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { podCaMark } from '../apiserver/pod-marks.ts';
import { ciliumMissing } from '../cilium/cilium-missing.ts';
import type { KvstoreRefusal } from '../cilium/kvstore.ts';
import type { CaFacts, ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand, shellWord } from '../command-line.ts';
import { capital } from '../counted.ts';
import { type UnfinishedDisable, waysOn } from '../enable/unfinished-disable.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { APISERVER, agentDaemonSetRef, CA_SECRET, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { dataOf } from '../objects/secret-data.ts';
import { concernedPeers, hasServed } from '../peers/concerned-peers.ts';
import { withoutGoing } from '../plan/going.ts';
import { expiredAuthority, replaceAuthorityCommand } from './authority-time.ts';
import { replaceInBundle } from './ca-bundle.ts';
import type { CertificateFacts, TrustBundle } from './certificate.ts';
import { CERTIFICATE_SECRETS } from './cluster-certificates.ts';
import { isSameKey, isStoredWith, issuerOf, trusts } from './trust.ts';

/**
 * What Secret cilium-ca holds.
 * - usable: a CA with its key
 * - no-key: a CA whose key is kept elsewhere
 * - wrong-key: what stands there for a key is unreadable, or belongs to a different certificate
 * - missing: there is no such Secret; - empty: it has no certificate; - unreadable: what stands there for one is none
 * - elsewhere: whatever it holds is not the CA of the mesh, whose certificates cert-manager issues
 */
export type AuthorityState = 'usable' | 'no-key' | 'wrong-key' | 'missing' | 'empty' | 'unreadable' | 'elsewhere';

/** How it stands with the CA, of a snapshot that was read with the CA (every purpose but `disconnect`). */
export function authorityState(snapshot: ClusterSnapshot): AuthorityState {
  const { ca, objects, namespace } = snapshot;
  if (!ca && isIssuedElsewhere(snapshot)) return 'elsewhere';
  if (ca) return !ca.hasKey ? 'no-key' : ca.keyMatches ? 'usable' : 'wrong-key';
  const secret = objects.get(keyOf(secretRef(namespace, CA_SECRET)));
  if (!secret) return 'missing';
  const data = dataOf(secret);
  return data['ca.crt'] || data['tls.crt'] ? 'unreadable' : 'empty';
}

/** A CA that was there and that Secret cilium-ca no longer has, as opposed to one that never was. */
export interface LostAuthority {
  /** As far as a Secret still has its certificate. */
  certificate: CertificateFacts | undefined;
  /** What tells of it, in words: `Secret clustermesh-apiserver-remote-cert`, `peers mesh-2`. */
  traces: readonly string[];
}

/**
 * The CA that was lost; undefined for one that is there, or never was. Whatever a CA must have been there for is a trace of
 * it: certificates, whether they can be read or not, pods that started with them, and peers, which trust it.
 * @param others other clusters, as far as they were read: they may dial this one although nothing here names them
 */
export function lostAuthority(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
): LostAuthority | undefined {
  if (snapshot.ca) return undefined;
  // What a disable has deleted, and a finalizer holds, goes like the CA did.
  const staying = withoutGoing(snapshot);
  const { namespace, objects, tlsSecrets } = staying;
  const deployment = apiserverDeployment({ objects, namespace });
  const peers = concernedPeers(staying, hasServed(staying) ? others : []);
  const traces = [
    ...CERTIFICATE_SECRETS.filter(
      (name) => tlsSecrets.has(name) || !isUnfilled(objects.get(keyOf(secretRef(namespace, name)))),
    ).map((name) => `Secret ${name}`),
    // A Deployment by itself tells nothing: `render` prints it, and enable then makes what its pods wait for.
    ...(podCaMark(deployment) !== undefined || (deployment && availableReplicasOf(deployment) > 0)
      ? [`Deployment ${APISERVER}`]
      : []),
    ...(peers.length > 0 ? [`peers ${peers.join(', ')}`] : []),
  ];
  if (traces.length === 0) return undefined;
  const certificate = CERTIFICATE_SECRETS.flatMap((name) => tlsSecrets.get(name)?.ca ?? [])[0];
  return { certificate, traces };
}

/** Of these nobody has taken the key away on purpose. */
const BROKEN: readonly AuthorityState[] = ['missing', 'empty', 'unreadable', 'wrong-key'];

/**
 * A CA that can sign no more, as it was lost, or its key, and that can have a successor all the same without a peer that is cut off: by
 * each certificate of the cluster it stands, and there another CA can stand beside it. What is left of it in Secret cilium-ca is needed
 * for nothing.
 * @returns undefined where it can sign, or its key is kept elsewhere, and where the server's certificate, or another one, is not of it
 */
export function succeedingAuthority(snapshot: ClusterSnapshot): CertificateFacts | undefined {
  if (!BROKEN.includes(authorityState(snapshot))) return undefined;
  const { tlsSecrets } = snapshot;
  const former = snapshot.ca?.certificate ?? lostAuthority(snapshot)?.certificate;
  const own = CERTIFICATE_SECRETS.flatMap((name) => tlsSecrets.get(name) ?? []);
  const areOfIt = own.every(({ ca, signedByCa }) => signedByCa && isSameKey(ca, former));
  return tlsSecrets.has(SERVER_CERT_SECRET) && areOfIt ? former : undefined;
}

/** A Secret that is not there, or as `render` prints it: the API server demands the keys, but there is nothing in them. */
export function isUnfilled(secret: KubeObject | undefined): boolean {
  return Object.values(secret?.data ?? {}).every((value) => value === '');
}

/** In words: `is missing`. */
const STATE_WORDS: Readonly<Record<Exclude<AuthorityState, 'usable'>, string>> = {
  missing: 'is missing',
  empty: 'is empty',
  unreadable: 'holds no readable certificate',
  'no-key': 'has no ca.key',
  'wrong-key': 'has a ca.key that is unreadable or belongs to a different CA',
  elsewhere: 'is not where its CA is: cert-manager issues the certificates, from a CA of its own',
};

/** What is the matter with the CA, as the end of a sentence about its Secret; undefined for a usable one. */
export function authorityTrouble(snapshot: ClusterSnapshot): string | undefined {
  const state = authorityState(snapshot);
  return state === 'usable' ? undefined : STATE_WORDS[state];
}

/** Why a cluster can sign nothing of use, as the end of a sentence about its CA's Secret; undefined where it can. */
export function signerTrouble(snapshot: ClusterSnapshot, now: Date): string | undefined {
  return expiredAuthority(snapshot, now) ?? authorityTrouble(snapshot);
}

/**
 * How a CA that can no longer sign comes back, as the end of a sentence.
 * @param peers who trusts it, by name, as far as they are known
 */
export function waysBack(place: Place, peers: readonly string[] = []): string {
  const { context, namespace, caBundle } = place;
  const missing = withoutCilium(place);
  if (missing !== undefined) return missing;
  const whom = peers.length > 0 ? peers.join(', ') : 'peers';
  const anew = caBundle
    ? replaceInBundle(caBundle)
    : `replace it (cuts ${whom} off until reconnected): ${replaceAuthorityCommand([context])}`;
  return `restore Secret ${namespace}/${CA_SECRET} from backup${revisionsOf(place)}; or ${anew}`;
}

/** Where it is, and as far as it was read what is there. */
type Place = Pick<ClusterSnapshot, 'context' | 'namespace'> &
  Partial<Pick<ClusterSnapshot, 'objects' | 'ciliumConfig' | 'agent'>> &
  Pick<EnableObstacles, 'caBundle'>;

/** What to do where Cilium is gone, as to which nothing is to be enabled. Undefined where some of it is there, or nothing was read. */
function withoutCilium(place: Place): string | undefined {
  const { namespace, objects, ciliumConfig } = place;
  const isGone = objects && !ciliumConfig && !objects.has(keyOf(agentDaemonSetRef(namespace)));
  return isGone ? ciliumMissing(place).hint : undefined;
}

/** As the end of a clause: Helm's revisions have the CA too, where the chart has made that (secrets of type helm.sh/release.v1 have all its objects). */
export function revisionsOf({ context, namespace, agent }: Place): string {
  const release = agent?.release;
  if (release === undefined) return '';
  const history = ['helm', '--kube-context', context, '-n', namespace, 'history', release].map(shellWord).join(' ');
  return `, or by helm rollback to a revision of release ${release} that has it, which these are: ${history}`;
}

/** Why `enable` alone is refused by a cluster. */
export interface EnableObstacles {
  /** It needs a certificate that no CA there can issue. */
  unsigned?: boolean | undefined;
  /** With `unsigned`: how it can be issued again, as the end of a sentence; without a peer that is cut off, where that can be. */
  signing?: string | undefined;
  /** It needs a certificate, and its CA has expired, or is not valid yet. */
  caExpired?: boolean | undefined;
  /** Its programs go by a bundle of CAs: `--replace-ca` is refused too. */
  caBundle?: Pick<TrustBundle, 'object'> | undefined;
  /** It cannot be a member at all, for where Cilium keeps its state. */
  kvstore?: KvstoreRefusal | undefined;
  /** A disable has deleted what is not gone yet. */
  unfinished?: UnfinishedDisable | undefined;
  /** Others have set fields that it would change: what it takes from whom with --force-conflicts, as a clause. Known where it was planned. */
  contested?: string | undefined;
}

/**
 * To enable a cluster again; where `enable` alone is refused, its CA comes back first. Where a disable is unfinished, it is
 * finished or taken back: of that cluster nothing is left that would need the CA.
 */
export function enableAdvice(
  { unsigned = false, signing, caExpired = false, kvstore, unfinished, ...place }: Place & EnableObstacles,
  peers: readonly string[] = [],
): string {
  const missing = withoutCilium(place);
  if (missing !== undefined) return missing;
  if (kvstore) return `${capital(kvstore.says)}. ${kvstore.hint}`;
  if (unfinished) return waysOn(place, unfinished);
  if (caExpired) {
    if (place.caBundle) return replaceInBundle(place.caBundle);
    const whom = peers.length > 0 ? peers.join(', ') : 'its peers';
    return `replace the CA, which is not valid now, and connect ${whom} again: ${replaceAuthorityCommand([place.context])}`;
  }
  return unsigned
    ? (signing ?? waysBack(place, peers))
    : meshctlCommand('clustermesh enable', { context: place.context });
}

/** Whether a CA was there and nothing can be signed with what is left of it: `enable` alone renews no certificate then. */
export function hasLostSigner(snapshot: ClusterSnapshot): boolean {
  if (snapshot.unread?.has(keyOf(secretRef(snapshot.namespace, CA_SECRET))) || isIssuedElsewhere(snapshot))
    return false;
  return authorityState(snapshot) === 'wrong-key' || lostAuthority(snapshot) !== undefined;
}

/**
 * Whether cert-manager issues every certificate that is there: it keeps the CA of an issuer wherever that is. One that it has not
 * issued is of the cluster's own CA.
 */
export function isIssuedElsewhere({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  const there = CERTIFICATE_SECRETS.flatMap((name) => objects.get(keyOf(secretRef(namespace, name))) ?? []);
  return there.some(isByCertManager) && there.every((secret) => isByCertManager(secret) || isUnfilled(secret));
}

/**
 * The CA in Secret cilium-ca, where the mesh goes by it. Undefined where cert-manager issues every certificate from another one: then
 * that Secret is there for Hubble, and nothing of the mesh is signed by it, nor trusts it. One that cert-manager keeps there itself
 * is its issuer's.
 */
export function authorityOfMesh(
  ca: CaFacts | undefined,
  cluster: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'tlsSecrets'>,
): CaFacts | undefined {
  if (!ca || !isIssuedElsewhere(cluster) || issuesElsewhere(cluster, CA_SECRET)) return ca;
  const own = CERTIFICATE_SECRETS.flatMap((name) => cluster.tlsSecrets.get(name) ?? []);
  const knows = (one: (typeof own)[number]) =>
    isSameKey(issuerOf(one), ca.certificate) || isStoredWith(one, ca.certificate) || trusts(one, ca.certificate);
  return own.length === 0 || own.some(knows) ? ca : undefined;
}

/** Whether cert-manager issues the certificate that peers see, and goes on with all others where the chart asks it to. */
export function isServedByCertManager(snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  return issuesElsewhere(snapshot, SERVER_CERT_SECRET);
}

/** Whether cert-manager issues one certificate, which so hangs on no CA of the cluster. */
export function issuesElsewhere(
  { objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  name: string,
): boolean {
  return isByCertManager(objects.get(keyOf(secretRef(namespace, name))));
}

/** It marks what it issues (annotation of its Certificates). */
function isByCertManager(secret: KubeObject | undefined): boolean {
  return Boolean(secret?.metadata.annotations?.['cert-manager.io/certificate-name']);
}
