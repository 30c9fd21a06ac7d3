import type { ClusterClient } from '../../kube/client.ts';
import { configMapRef, REMOTE_USERS_CONFIGMAP, secretRef } from '../../mesh/objects/names.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { PEER_SECRETS, peersNamedIn, peersOfUsers } from '../../mesh/peers/peers.ts';
import { USERS_FILE, userNames } from '../../mesh/peers/remote-users.ts';

/**
 * The clusters that one dials or lets in, by their names alone; it itself may be among them.
 * @param namespace Cilium's
 */
export async function readPeerNames(
  client: Pick<ClusterClient, 'get'>,
  namespace: string,
  signal: AbortSignal,
): Promise<string[]> {
  const [users, ...secrets] = await Promise.all([
    client.get(configMapRef(namespace, REMOTE_USERS_CONFIGMAP), { signal }),
    ...PEER_SECRETS.map((name) => client.get(secretRef(namespace, name), { signal })),
  ]);
  const text = users && dataOf(users)[USERS_FILE];
  return [...new Set([...peersNamedIn(secrets), ...peersOfUsers(text === undefined ? [] : userNames(text))])].sort();
}
