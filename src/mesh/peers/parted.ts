import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { SHARED_USER } from '../objects/names.ts';
import { knownAs } from './concerned-peers.ts';
import { fileSetter, saysWhoSet } from './file/foreign-file.ts';
import { remoteUserName } from './file/peer-config.ts';
import { configuredPeers, knownPeers, loginCertificate, sharesLogin } from './peers.ts';

/**
 * Whether a cluster has parted with another one by itself (`disconnect --peer`): it neither dials it nor lets it in, whatever
 * the other one still holds. False where its list of users is not known, or who the other one logs in as, or where it has that user.
 */
export function hasPartedWith(cluster: ClusterSnapshot, other: ClusterSnapshot): boolean {
  const { remoteUsers } = cluster;
  const name = knownAs(other);
  if (!remoteUsers || knownPeers(cluster).includes(name)) return false;
  const own = knownAs(cluster);
  const login = loginCertificate(other, own);
  // By a certificate for all of its CA that was not to be had, it may log in as the user that every etcd has.
  if (!login && sharesLogin(other, own)) return false;
  const user = login?.commonName ?? remoteUserName(name);
  return user !== SHARED_USER && !remoteUsers.some((one) => one.name === user);
}

/** What a cluster's connection with another one has come to that has parted with it, and what mends that. */
export interface Parted {
  /** As a clause. */
  why: string;
  mend: string;
}

/**
 * Both ways out where one cluster still has another one that has parted with it: which of them is meant, only the operator knows.
 * @param setter of the file by which it is dialled, where that is not meshctl: a tool brings it back
 */
export function waysOut(
  client: { context: string },
  server: { context: string; name: string },
  setter?: { owner: string; isTool: boolean } | undefined,
): string {
  const join = connectCommand(client.context, server.context);
  const part = meshctlCommand('clustermesh disconnect', { context: client.context }, ['--peer', server.name]);
  const lasting = setter?.isTool ? `, and have ${setter.owner} name it no more` : '';
  return `connect them again: ${join}; or disconnect that side too${lasting}: ${part}`;
}

/**
 * Of a cluster that still dials another one which has parted with it; undefined where it does not, or is let in. Whether they
 * are to be connected only the operator knows.
 */
export function partedBy(server: ClusterSnapshot, client: ClusterSnapshot): Parted | undefined {
  const name = knownAs(server);
  if (!configuredPeers(client).includes(name) || !hasPartedWith(server, client)) return undefined;
  return {
    why: `${knownAs(client)} dials ${name}, which does not let it in any more${saysWhoSet(client, name)}`,
    mend: waysOut(client, { context: server.context, name }, fileSetter(client, name)),
  };
}
