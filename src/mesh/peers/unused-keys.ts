import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { namesOf } from './concerned-peers.ts';
import { peersIn } from './file/peer-config.ts';
import { readPeerFile } from './file/peer-file.ts';
import { withoutNamesakes } from './namesakes.ts';
import { expectedPeers, knownPeers, PEER_SECRETS } from './peers.ts';

/** The Secrets with peering files that a cluster has. */
export function peerSecretsOf({ objects, namespace }: ClusterSnapshot): KubeObject[] {
  return PEER_SECRETS.flatMap((name) => objects.get(keyOf(secretRef(namespace, name))) ?? []);
}

/**
 * The keys of a Secret of peers that are for nobody: Cilium passes over them, and they are neither what has become of a peering file
 * nor files of certificates, by their endings or by a peering file that names them.
 * @param all clusters that were read: a key that is the name of one of them, or of a peer of theirs, may have been a peering file all the
 * same (`ofClusters`), since one whose peers log in with a certificate of one CA need have neither a user nor a choice of them
 */
export function unusedKeys(
  snapshot: ClusterSnapshot,
  secret: KubeObject,
  all: readonly ClusterSnapshot[],
): { ofNobody: string[]; ofClusters: string[] } {
  const texts = secretTexts(secret);
  const peers = [...expectedPeers(snapshot), ...namesOf(snapshot), ...peersIn(texts)];
  const named = peersIn(texts).flatMap((peer) => {
    const file = readPeerFile(texts[peer] ?? '');
    const paths = 'unreadable' in file ? [] : [file.trustedCaFile, file.certFile, file.keyFile];
    return paths.map((path) => path?.split('/').at(-1));
  });
  const keys = Object.keys(texts)
    .filter((key) => !peers.includes(key) && !named.includes(key) && !/\.(?:crt|key|pem)$/.test(key))
    .sort();
  const around = new Set(withoutNamesakes(snapshot, all).flatMap((other) => [...namesOf(other), ...knownPeers(other)]));
  return { ofNobody: keys.filter((key) => !around.has(key)), ofClusters: keys.filter((key) => around.has(key)) };
}

/** Whether all that a cluster has of a peer is a key that is for nobody: there is no such cluster, as far as that is known. */
export function isOfNobody(peer: string, snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): boolean {
  return peerSecretsOf(snapshot).some((secret) => unusedKeys(snapshot, secret, all).ofNobody.includes(peer));
}
