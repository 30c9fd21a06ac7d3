import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { keyOf } from '../objects/kube-object.ts';
import { configMapRef, REMOTE_ROLE, REMOTE_USERS_CONFIGMAP, SHARED_USER } from '../objects/names.ts';
import { toolOwner } from '../objects/ownership.ts';
import { lastingPeers } from '../objects/source-advice.ts';
import { partedBy } from '../peers/parted.ts';
import { expectedPeers, loginCertificate } from '../peers/peers.ts';
import { lackOfUsers } from '../peers/remote-users.ts';
import type { Fault, FaultsInput } from './fault.ts';

/** What is wrong with the list of users by which a cluster lets its peers in. */
export function userFaults(snapshot: ClusterSnapshot, { others = [] }: FaultsInput): Fault[] {
  const { context, objects, namespace, unread, remoteUsers = [] } = snapshot;
  const key = keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP));
  if (unread?.has(key)) return [];
  const object = `ConfigMap ${REMOTE_USERS_CONFIGMAP}`;
  const configMap = objects.get(key);
  if (!configMap) {
    const says = 'the list of etcd users for peers is missing';
    return [faultOf(snapshot, 'users-missing', { object, says })];
  }
  const lack = lackOfUsers(configMap);
  if (lack) return [faultOf(snapshot, 'users-unreadable', { object, key: 'users.yaml', says: lack })];
  const own = clusterNameOf(snapshot);
  return others.flatMap((peer): Fault[] => {
    if (!expectedPeers(peer).includes(own)) return [];
    const user = loginCertificate(peer, own)?.commonName ?? SHARED_USER;
    if (user === SHARED_USER || remoteUsers.some(({ name, role }) => name === user && role === REMOTE_ROLE)) return [];
    const found = remoteUsers.find(({ name }) => name === user);
    const why = found ? `that user has the role "${found.role}", not "${REMOTE_ROLE}"` : 'there is no such user';
    const name = clusterNameOf(peer);
    const says = `${name} logs in as ${user}, and ${why}`;
    const told = { object, key: 'users.yaml', says, peer: name, hint: partedBy(snapshot, peer)?.mend };
    const owner = toolOwner(configMap);
    if (owner === undefined) return [faultOf(snapshot, 'peer-user-missing', told)];
    const connect = connectCommand(context, peer.context);
    const hint = `let it in until then: ${connect}; or for good, ${lastingPeers(context, configMap, [name])}`;
    return [
      faultOf(snapshot, 'peer-user-missing', {
        ...told,
        says: `${says}; ${owner} makes the list, and leaves it out at its next sync`,
        hint,
      }),
    ];
  });
}

function faultOf(
  { context, namespace }: ClusterSnapshot,
  id: 'users-missing' | 'users-unreadable' | 'peer-user-missing',
  told: Pick<Fault, 'says' | 'object' | 'key' | 'peer' | 'hint'>,
): Fault {
  return { id, context, namespace, component: 'apiserver', outage: true, ...told };
}
