import { formerName } from '../apiserver/pod-marks.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { unnamedContext } from '../command-line.ts';
import { keyOf, type ObjectRef } from '../objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  apiserverServiceRef,
  configMapRef,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../objects/names.ts';
import { peerOfUser } from './file/peer-config.ts';
import { dialingFile, isLetIn, knownPeers, mayDialUnseen } from './peers.ts';

/** The name that a cluster has, and the one that peers may know it by. */
export function namesOf(snapshot: ClusterSnapshot): string[] {
  const name = clusterNameOf(snapshot);
  const former = formerName(snapshot, { name });
  return former === undefined ? [name] : [name, former];
}

/** The name by which its peers know a cluster: that with which it runs. The one that it is to have next may be that of a peer. */
export function knownAs(snapshot: ClusterSnapshot): string {
  return namesOf(snapshot).at(-1) ?? clusterNameOf(snapshot);
}

/** What others have on record of a cluster, they have by the name by which they know it. */
export function asKnown(snapshot: ClusterSnapshot): { snapshot: ClusterSnapshot; identity: { name: string } } {
  return { snapshot, identity: { name: knownAs(snapshot) } };
}

/**
 * The cluster, among those that were read, that its peers know by a name. One whose cilium-config has been given the name of another
 * since it was started is not meant by it: everything that peers have for it is under the name with which it runs.
 */
export function clusterKnownAs(
  name: string | undefined,
  clusters: readonly ClusterSnapshot[],
): ClusterSnapshot | undefined {
  return clusters.find((one) => knownAs(one) === name);
}

/** The context of a peer among the clusters that were read; of another one, what stands for a context that only the operator knows. */
export function contextOfPeer(peer: string, others: readonly ClusterSnapshot[]): string {
  return clusterKnownAs(peer, others)?.context ?? unnamedContext(peer);
}

/** The file by which another cluster dials one of these names. */
export function fileOfOther(other: ClusterSnapshot, names: readonly string[]): string | undefined {
  return names.map((name) => dialingFile(other, name)?.text).find((file) => file !== undefined);
}

/** What another cluster has of this one: a file by which it dials it, or a user alone by which it would let it in again. */
export function holdOn(other: ClusterSnapshot, snapshot: ClusterSnapshot): 'dials' | 'lets-in' | undefined {
  const names = namesOf(snapshot);
  if (fileOfOther(other, names) !== undefined) return 'dials';
  return names.some((name) => isLetIn(other, name)) ? 'lets-in' : undefined;
}

/**
 * All clusters that this one dials or lets in, by name, as far as its objects tell, or its etcd and agents where they were
 * asked; and those of the others that dial this one.
 * @param others other clusters, as far as they were read
 */
export function concernedPeers(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const own = namesOf(snapshot);
  const dialling = others.filter((other) => fileOfOther(other, own) !== undefined).map(knownAs);
  const seen = [
    ...(snapshot.servedUsers ?? []).flatMap((user) => peerOfUser(user) ?? []),
    ...(snapshot.mountedPeers ?? []),
  ];
  const known = new Set([...knownPeers(snapshot), ...dialling, ...seen]);
  return [...known].filter((name) => name !== knownAs(snapshot)).sort();
}

/** Whether anything is there that served peers: then others may stand on this cluster, whatever is left of it. */
export function hasServed({ objects, namespace, tlsSecrets }: ClusterSnapshot): boolean {
  return (
    servingRefs(namespace).some((ref) => objects.has(keyOf(ref))) ||
    CERTIFICATE_SECRETS.some((name) => tlsSecrets.has(name))
  );
}

/**
 * Whether a cluster is, or was, in a mesh, as far as it tells by itself: something is there that served peers, or names them, or may be,
 * as it may not be read.
 */
export function mayBeOfMesh(snapshot: ClusterSnapshot): boolean {
  const { namespace, unread } = snapshot;
  const isUnread = mayDialUnseen(snapshot) || servingRefs(namespace).some((ref) => unread?.has(keyOf(ref)));
  return hasServed(snapshot) || isUnread || concernedPeers(snapshot, []).length > 0;
}

function servingRefs(namespace: string): ObjectRef[] {
  return [
    apiserverDeploymentRef(namespace),
    apiserverServiceRef(namespace),
    configMapRef(namespace, REMOTE_USERS_CONFIGMAP),
    ...CERTIFICATE_SECRETS.map((name) => secretRef(namespace, name)),
  ];
}
