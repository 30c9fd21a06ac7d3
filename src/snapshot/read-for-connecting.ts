import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { authorityOfMesh } from '../mesh/certificates/authority.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { keyOf, refOf } from '../mesh/objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  apiserverServiceRef,
  CILIUM_CONFIG,
  configMapRef,
  REMOTE_CERT_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../mesh/objects/names.ts';
import { dataOf } from '../mesh/objects/secret-data.ts';
import { serviceSpec } from '../mesh/objects/service.ts';
import { USERS_FILE, usersLetIn } from '../mesh/peers/users/remote-users.ts';
import { readApiserverPods, readNodes } from './nodes.ts';
import { readAuthorityFacts } from './read-snapshot.ts';
import { readBundles, readTlsFacts } from './tls-facts.ts';

/**
 * Reads once more what of a cluster connections to it and from it rest on; all else is as it was read before.
 * @throws MeshctlError what the client throws
 */
export async function readForConnecting(client: ClusterClient, before: ClusterSnapshot): Promise<ClusterSnapshot> {
  const { namespace } = before;
  const refs = [
    apiserverDeploymentRef(namespace),
    apiserverServiceRef(namespace),
    secretRef(namespace, SERVER_CERT_SECRET),
    secretRef(namespace, REMOTE_CERT_SECRET),
  ];
  const usersRef = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
  const isUsersUnread = before.unread?.has(keyOf(usersRef)) === true;
  const [config, users, ca, ...read] = await Promise.all([
    client.get(configMapRef(namespace, CILIUM_CONFIG)),
    isUsersUnread ? undefined : client.get(usersRef),
    readAuthorityFacts(client, namespace),
    ...refs.map((ref) => client.get(ref)),
  ]);
  const service = read.flatMap((object) => object ?? []).find(({ kind }) => kind === 'Service');
  // A NodePort is reached at nodes, and with externalTrafficPolicy Local only where its pods are.
  const [nodes, apiserverPods] = await Promise.all(
    serviceSpec(service).type === 'NodePort'
      ? [unlessForbidden(readNodes(client)), unlessForbidden(readApiserverPods(client, namespace))]
      : [],
  );
  const usersText = users && dataOf(users)[USERS_FILE];
  const live = read.flatMap((object) => object ?? []);
  const objects = new Map([...before.objects].filter(([key]) => !refs.some((ref) => keyOf(ref) === key)));
  for (const object of live) objects.set(keyOf(refOf(object)), object);
  const bundles = await readBundles({ objects, namespace }, (ref) => client.get(ref));
  const tlsSecrets = new Map(before.tlsSecrets);
  for (const { name } of refs) tlsSecrets.delete(name);
  for (const [name, facts] of readTlsFacts(live, undefined, bundles).tlsSecrets) tlsSecrets.set(name, facts);
  return {
    ...before,
    nodes: nodes ?? before.nodes,
    apiserverPods: apiserverPods ?? before.apiserverPods,
    ciliumConfig: config && dataOf(config),
    remoteUsers: isUsersUnread ? before.remoteUsers : usersText === undefined ? undefined : usersLetIn(usersText),
    ca: authorityOfMesh(ca, { objects, namespace, tlsSecrets }),
    caBundle: bundles.get(SERVER_CERT_SECRET),
    objects,
    tlsSecrets,
  };
}
