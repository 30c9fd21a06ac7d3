import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { checkClusterName } from '../cilium/cluster-name.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_CERT_SECRET,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../objects/names.ts';
import { secretText, secretTexts } from '../objects/secret-data.ts';
import { COMMON_PREFIX, peerCertificateKeys, peerOfUser, peersIn, remoteUserName } from './file/peer-config.ts';
import { dialsOwnCache, readPeerFile } from './file/peer-file.ts';
import { isMarked, peersLetIn } from './peer-choices.ts';

/** The Secrets that hold a file for each peer. */
export const PEER_SECRETS = [KVSTOREMESH_PEERS_SECRET, AGENT_PEERS_SECRET] as const;

/** Whether a cluster may dial others of which nothing is seen, since a Secret that names them may not be read. */
export function mayDialUnseen({ namespace, unread }: Pick<ClusterSnapshot, 'namespace' | 'unread'>): boolean {
  return PEER_SECRETS.some((name) => unread?.has(keyOf(secretRef(namespace, name))));
}

type PeerObjects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/** The names of the clusters that this one is configured to dial, by its agents' or KVStoreMesh's files. */
export function configuredPeers({ objects, namespace }: PeerObjects): string[] {
  const names = PEER_SECRETS.flatMap((name) => peersIn(secretTexts(objects.get(keyOf(secretRef(namespace, name))))));
  return [...new Set(names)].sort();
}

/**
 * Whether KVStoreMesh dials a cluster's peers, or each agent by itself: as the Deployment has it or, where that is gone, the agents'
 * files. Undefined where neither tells.
 */
export function kvstoremeshDials({ objects, namespace }: PeerObjects): boolean | undefined {
  const texts = secretTexts(objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET))));
  const files = peersIn(texts).map((peer) => texts[peer] ?? '');
  const byFiles = files.length > 0 ? files.some((file) => dialsOwnCache(file, namespace)) : undefined;
  return runsKvstoremesh(apiserverDeployment({ objects, namespace })) ?? byFiles;
}

/** Those of the peers that a Secret names whose file can be read: nobody dials by another one. */
export function dialledPeers(secret: KubeObject | undefined): string[] {
  const texts = secretTexts(secret);
  return peersIn(texts).filter((peer) => !('unreadable' in readPeerFile(texts[peer] ?? '')));
}

/**
 * The clusters that this one should be connected to: those that any Secret of peers names, by a file that Cilium takes for one or by
 * a certificate; and by a file that it passes over, where anything tells that it was one.
 */
export function expectedPeers(snapshot: ExpectedFacts): string[] {
  const { objects, namespace } = snapshot;
  const suffix = peerCertificateKeys('').certificate;
  const texts = PEER_SECRETS.map((name) => secretTexts(objects.get(keyOf(secretRef(namespace, name)))));
  const isName = (name: string) => checkClusterName(name) === undefined;
  const certified = texts
    .flatMap(Object.keys)
    .flatMap((key) => (key.endsWith(suffix) ? key.slice(0, -suffix.length) : []));
  // Certificates and keys are not read as YAML: by their names they are no peers.
  const broken = texts.flatMap((files) =>
    Object.keys(files).filter((key) => isName(key) && wasPeerFile(snapshot, key, files[key] ?? '')),
  );
  // What Cilium takes for a peer is one, whatever its name.
  const peers = new Set([...configuredPeers(snapshot), ...certified.filter(isName), ...broken]);
  peers.delete(ownName(snapshot));
  return [...peers].sort();
}

type ExpectedFacts = PeerObjects &
  Pick<ClusterSnapshot, 'ciliumConfig'> &
  Partial<Pick<ClusterSnapshot, 'remoteUsers' | 'tlsSecrets' | 'unread'>>;

/**
 * Whether a key of a Secret of peers that Cilium passes over is what has become of a peering file: it can be read as one all the same,
 * or a user or a choice of that name is there, or may be, where the list of users may not be read. Anything else is nobody's.
 */
function wasPeerFile(snapshot: ExpectedFacts, key: string, text: string): boolean {
  const maybeLetIn = snapshot.unread?.has(keyOf(configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP)));
  return maybeLetIn || !('unreadable' in readPeerFile(text)) || isLetIn(snapshot, key) || isMarked(snapshot, key);
}

/** The name under which a cluster's clustermesh-apiserver runs: cilium-config may have that of a peer by now. */
function ownName(
  snapshot: PeerObjects & Pick<ClusterSnapshot, 'ciliumConfig'> & Partial<Pick<ClusterSnapshot, 'tlsSecrets'>>,
): string {
  const { objects, namespace, tlsSecrets = new Map() } = snapshot;
  return recordedIdentity({ objects, namespace, tlsSecrets }).name ?? clusterNameOf(snapshot);
}

/**
 * The user that is the cluster's own: before Cilium 1.17 its agents log in to KVStoreMesh's cache as a peer would (the chart's
 * users-configmap).
 */
export function ownUser(
  snapshot: PeerObjects & Pick<ClusterSnapshot, 'ciliumConfig'> & Partial<Pick<ClusterSnapshot, 'tlsSecrets'>>,
): string {
  return remoteUserName(ownName(snapshot));
}

type PeerFacts = PeerObjects & Pick<ClusterSnapshot, 'ciliumConfig' | 'remoteUsers'>;

/** The peers of a cluster by direction: those that it dials, and those that dial it, as {@link knownPeers} knows them. */
export function peersByDirection(snapshot: PeerFacts): { dialled: string[]; letIn: string[] } {
  const own = ownUser(snapshot);
  const users = (snapshot.remoteUsers ?? []).map(({ name }) => name).filter((name) => name !== own);
  return {
    dialled: [...configuredPeers(snapshot), ...expectedPeers(snapshot)],
    letIn: [...peersLetIn(snapshot), ...users.flatMap((name) => peerOfUser(name) ?? [])],
  };
}

/** The clusters that this one dials or lets in, as far as its files and users name them, and what connect wrote down. */
export function knownPeers(snapshot: PeerFacts): string[] {
  const { dialled, letIn } = peersByDirection(snapshot);
  return [...new Set([...dialled, ...letIn])].sort();
}

/**
 * The file by which a cluster dials a peer, and the Secret that it is in: of the two that there may be, the one that does
 * not lead to the own KVStoreMesh cache. Undefined where there is none.
 */
export function dialingFile(
  { objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  peer: string,
): { text: string; secret: KubeObject } | undefined {
  for (const name of PEER_SECRETS) {
    const secret = objects.get(keyOf(secretRef(namespace, name)));
    const text = secretText(secret, peer);
    if (secret && text && !dialsOwnCache(text, namespace)) return { text, secret };
  }
  return undefined;
}

/** Whether a cluster's list of users has one of its own for a peer. */
export function isLetIn({ remoteUsers = [] }: Pick<ClusterSnapshot, 'remoteUsers'>, peer: string): boolean {
  return remoteUsers.some(({ name }) => name === remoteUserName(peer));
}

/**
 * The peers of which a cluster's list of users has none, and that may log in all the same as the user that its clients share,
 * as those of one CA do: etcd has that user as long as the clustermesh-apiserver runs.
 */
export function peersOfSharedUser(snapshot: ClusterSnapshot, peers: readonly string[]): string[] {
  const dialled = configuredPeers(snapshot);
  const letIn = peersLetIn(snapshot);
  return peers.filter(
    (peer) =>
      !isLetIn(snapshot, peer) && (dialled.includes(peer) ? !logsInAsItself(snapshot, peer) : letIn.includes(peer)),
  );
}

/**
 * The certificate by which a cluster logs in to a peer, whose CN is its user there: the one for all of its CA where the
 * peering file names that, else the one for this peer. Undefined where it is not there, or cannot be read.
 */
export function loginCertificate(snapshot: ClusterSnapshot, peer: string): CertificateFacts | undefined {
  const isCommon = certificateNamed(snapshot, peer)?.startsWith(COMMON_PREFIX);
  return (isCommon ? snapshot.tlsSecrets.get(REMOTE_CERT_SECRET) : snapshot.peerCertificates.get(peer))?.certificate;
}

/** Whether a cluster logs in to a peer as a user that is its own, so that the peer can shut it out and no other. */
export function logsInAsItself(snapshot: ClusterSnapshot, peer: string): boolean {
  return loginCertificate(snapshot, peer)?.commonName === ownUser(snapshot);
}

/**
 * Whether a cluster dials a peer with a certificate that other clusters have too. False where what it dialled with is gone:
 * then nothing tells which one it was.
 */
export function sharesLogin(snapshot: ClusterSnapshot, peer: string): boolean {
  if (loginCertificate(snapshot, peer)) return !logsInAsItself(snapshot, peer);
  const named = certificateNamed(snapshot, peer);
  return named !== undefined && named !== peerCertificateKeys(peer).certificate;
}

/** The certificate file, without its folder, that a peering file names; undefined where there is none that can be read. */
function certificateNamed(snapshot: ClusterSnapshot, peer: string): string | undefined {
  const text = dialingFile(snapshot, peer)?.text;
  const file = text === undefined ? undefined : readPeerFile(text);
  return file && !('unreadable' in file) ? file.certFile?.split('/').at(-1) : undefined;
}
