import { makesRemoteUsers } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand, unnamedContext } from '../command-line.ts';
import { keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SHARED_USER,
  secretRef,
} from '../objects/names.ts';
import { ownerBySync } from '../objects/ownership.ts';
import { lastingPeers } from '../objects/source-advice.ts';
import { knownAs, namesOf } from '../peers/concerned-peers.ts';
import { peerOfUser, remoteUserName } from '../peers/file/peer-config.ts';
import { partedBy } from '../peers/parted.ts';
import { dialledOneWay, peersLetIn } from '../peers/peer-choices.ts';
import {
  configuredPeers,
  expectedPeers,
  loginCertificate,
  logsInAsItself,
  ownUser,
  sharesLogin,
} from '../peers/peers.ts';
import { lackOfUsers } from '../peers/users/remote-users.ts';
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
  const own = knownAs(snapshot);
  const unlisted = unlistedPeers(snapshot, others).map(({ peer, says, isSure, hint }) => ({
    ...faultOf(snapshot, 'peer-user-missing', { object, key: 'users.yaml', says, peer, hint }),
    outage: isSure,
  }));
  const refused = others.flatMap((peer): Fault[] => {
    if (!expectedPeers(peer).includes(own)) return [];
    const user = loginCertificate(peer, own)?.commonName ?? SHARED_USER;
    if (user === SHARED_USER || remoteUsers.some(({ name, role }) => name === user && role === REMOTE_ROLE)) return [];
    const found = remoteUsers.find(({ name }) => name === user);
    const why = found ? `that user has the role "${found.role}", not "${REMOTE_ROLE}"` : 'there is no such user';
    const name = knownAs(peer);
    const says = `${name} logs in as ${user}, and ${why}`;
    const told = { object, key: 'users.yaml', says, peer: name, hint: partedBy(snapshot, peer)?.mend };
    const owner = ownerBySync(configMap);
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
  return [...refused, ...unlisted];
}

/** A peer that a cluster's list of users leaves out, by what else the cluster has. */
export interface UnlistedPeer {
  /** By name. */
  peer: string;
  /** As a clause. */
  says: string;
  /** It is on record that the peer is to be let in; else it may be that it is not to dial back. */
  isSure: boolean;
  hint: string;
}

/**
 * The peers that were not read and that the list of users leaves out, although this cluster lets them in by its own record, or
 * dials them both ways as far as it knows. Whoever logs in with a certificate that others have too needs no user of its own:
 * nothing is said of a cluster that dials with such a one, nor of one of which nothing shows that it gives its peers users.
 * @param others those that were read: what they log in as tells more
 */
export function unlistedPeers(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): UnlistedPeer[] {
  const { context, objects, namespace, remoteUsers = [], ca, unread } = snapshot;
  const list = objects.get(keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)));
  if (!list || lackOfUsers(list) || !makesRemoteUsers(apiserverDeployment(snapshot))) return [];
  // Of Secrets that may not be read it is not known what was chosen.
  if (unread?.has(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)))) return [];
  const read = [snapshot, ...others].flatMap(namesOf);
  const dialled = configuredPeers(snapshot);
  if (dialled.some((peer) => sharesLogin(snapshot, peer))) return [];
  const asItself = dialled.filter((peer) => logsInAsItself(snapshot, peer));
  const ownName = ownUser(snapshot);
  const hasUsers = remoteUsers.some(({ name }) => name !== ownName && peerOfUser(name) !== undefined);
  const isOut = (peer: string) =>
    !read.includes(peer) &&
    !remoteUsers.some(({ name, role }) => name === remoteUserName(peer) && role === REMOTE_ROLE);
  const oneWay = dialledOneWay(snapshot);
  const recorded = hasUsers || asItself.length > 0 ? peersLetIn(snapshot).filter(isOut) : [];
  const doubtful =
    hasUsers || (ca?.hasKey && ca.keyMatches)
      ? asItself.filter((peer) => isOut(peer) && !oneWay.includes(peer) && !recorded.includes(peer))
      : [];
  const owner = ownerBySync(list);
  return [...recorded, ...doubtful].map((peer) => {
    const isSure = recorded.includes(peer);
    const what = isSure ? 'is to be let in, as recorded' : 'cannot dial back';
    const by = owner === undefined ? '' : `; ${owner} makes the list`;
    const again = connectCommand(context, unnamedContext(peer));
    const part = meshctlCommand('clustermesh disconnect', { context }, ['--peer', peer]);
    const oneWayAgain = connectCommand(context, unnamedContext(peer), ['--connection-mode', 'unicast']);
    const other = isSure ? `or disconnect here: ${part}` : `or record that it is not to: ${oneWayAgain}`;
    const lasting = owner === undefined ? '' : `; or for good, ${lastingPeers(context, list, [peer])}`;
    return {
      peer,
      isSure,
      says: `${peer} ${what}, and there is no user ${remoteUserName(peer)} with the role ${REMOTE_ROLE}${by}`,
      hint: `let it in: ${again}; ${other}${lasting}`,
    };
  });
}

function faultOf(
  { context, namespace }: ClusterSnapshot,
  id: 'users-missing' | 'users-unreadable' | 'peer-user-missing',
  told: Pick<Fault, 'says' | 'object' | 'key' | 'peer' | 'hint'>,
): Fault {
  return { id, context, namespace, component: 'apiserver', outage: true, ...told };
}
