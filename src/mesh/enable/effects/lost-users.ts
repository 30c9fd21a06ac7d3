import { availableReplicasOf } from '../../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../../apiserver/live.ts';
import { podCaMark } from '../../apiserver/pod-marks.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { configMapRef, REMOTE_USERS_CONFIGMAP } from '../../objects/names.ts';
import { namesOf } from '../../peers/concerned-peers.ts';
import { peerOfUser, remoteUserName } from '../../peers/file/peer-config.ts';
import { choicesFor, peersLetIn } from '../../peers/peer-choices.ts';
import { configuredPeers, knownPeers, loginCertificate, ownUser } from '../../peers/peers.ts';
import { lackOfUsers, namesInUnreadable, usersFile } from '../../peers/users/remote-users.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';

/**
 * The users that the ConfigMap of them must have where it has gone, or cannot be read: those that etcd has still, of every
 * peer that this cluster dials, or that its agents have mounted, of every cluster that was read and has a certificate for
 * this one, of those that dial in one-way as it was written down, and those that the text of the former list names; not of
 * those that this cluster dials one-way, unless etcd lets them in. A user without a certificate lets nobody in.
 */
export function usersToRestore(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  if (!hasLostUsers(snapshot)) return [];
  const own = namesOf(snapshot);
  // One that was shut out, as it was chosen, stays so: its certificate is good for years.
  const isServed = (peer: string) => !own.includes(peer) && choicesFor(snapshot, peer).mode !== 'unicast';
  const { servedUsers = [], mountedPeers = [] } = snapshot;
  const dialled = [...configuredPeers(snapshot), ...mountedPeers].filter(isServed);
  const isRemote = (user: string) => peerOfUser(user) !== undefined;
  // An etcd that has users still has all of them: who is none of them was shut out, whatever they hold.
  const dialling = servedUsers.some(isRemote)
    ? []
    : others.flatMap((other) => own.flatMap((name) => loginCertificate(other, name)?.commonName ?? []));
  const named = namesInUnreadable(textOf(snapshot) ?? '').filter((user) => isServed(peerOfUser(user) ?? ''));
  const users = [
    ...[...dialled, ...peersLetIn(snapshot)].map(remoteUserName),
    ...[...servedUsers, ...dialling, ...named].filter(isRemote),
  ];
  // Its own is in the list anyway.
  return [...new Set(users)].filter((user) => user !== ownUser(snapshot)).sort();
}

/** Whether there is no list of users, or one that the clustermesh-apiserver cannot read. */
function hasLostUsers(snapshot: ClusterSnapshot): boolean {
  return snapshot.remoteUsers === undefined || lackOf(snapshot) !== undefined;
}

/** What is said of a peer whose user the new list has. @param restored as of {@link usersToRestore} */
export function userEffects(peer: string, restored: readonly string[]): Pick<PeerEffect, 'becomes' | 'why'>[] {
  const user = remoteUserName(peer);
  return restored.includes(user) ? [{ becomes: 'kept', why: `the new list of users has ${user}` }] : [];
}

/**
 * What nobody can tell when the list of users is made anew, as a clause: a cluster that only dials in is known by the list,
 * by etcd as long as its pod runs, by what connect wrote down, and by its own context. Undefined where nothing is lost.
 */
export function doubtAboutUsers(snapshot: ClusterSnapshot): string | undefined {
  const deployment = apiserverDeployment(snapshot);
  // Where the Deployment is lost too: whoever has a peer has run, as opposed to an enable that did not come to its end.
  const hasRun = deployment
    ? podCaMark(deployment) !== undefined || availableReplicasOf(deployment) > 0
    : apiserverService(snapshot) !== undefined && knownPeers(snapshot).length > 0;
  if (!hasLostUsers(snapshot) || !hasRun) return undefined;
  const { servedUsers = [] } = snapshot;
  const text = textOf(snapshot);
  const sources = [
    ...(servedUsers.length > 0 ? ['the users that etcd still has'] : []),
    ...(text === undefined ? [] : ['the names that can be read in it']),
    'the peers that this cluster dials',
    'the peers recorded by connect',
    'the other clusters of this kubeconfig',
  ];
  const lack =
    text === undefined
      ? 'the list of etcd users for peers is lost'
      : `${lackOf(snapshot)} (users.yaml in ConfigMap ${REMOTE_USERS_CONFIGMAP})`;
  return (
    `${lack}: it is rebuilt from ${sources.slice(0, -1).join(', ')}, and ${sources.at(-1)}; a cluster that only dials ` +
    'in and is not among them loses access until reconnected'
  );
}

const listOf = ({ objects, namespace }: ClusterSnapshot) =>
  objects.get(keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)));

function lackOf(snapshot: ClusterSnapshot): string | undefined {
  const list = listOf(snapshot);
  return list && lackOfUsers(list);
}

/** Of a list that cannot be read. */
function textOf(snapshot: ClusterSnapshot): string | undefined {
  const list = listOf(snapshot);
  return list && usersFile(list) !== '' ? usersFile(list) : undefined;
}
