import type { ClusterClient } from '../../kube/client.ts';
import { keyOf, refOf } from '../../mesh/objects/kube-object.ts';
import { configMapRef, REMOTE_ROLE, REMOTE_USERS_CONFIGMAP, secretRef } from '../../mesh/objects/names.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { knownPeers, PEER_SECRETS } from '../../mesh/peers/peers.ts';
import { USERS_FILE, userNames } from '../../mesh/peers/users/remote-users.ts';

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
  const objects = new Map(secrets.flatMap((secret) => (secret ? [[keyOf(refOf(secret)), secret] as const] : [])));
  const remoteUsers = userNames(dataOf(users)[USERS_FILE] ?? '').map((name) => ({ name, role: REMOTE_ROLE }));
  return knownPeers({ objects, namespace, remoteUsers });
}
