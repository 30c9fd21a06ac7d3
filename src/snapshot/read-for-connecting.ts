import type { ClusterClient } from '../kube/client.ts';
import { authorityOfMesh } from '../mesh/certificates/authority.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { keyOf, refOf } from '../mesh/objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  apiserverServiceRef,
  CILIUM_CONFIG,
  configMapRef,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
} from '../mesh/objects/names.ts';
import { dataOf } from '../mesh/objects/secret-data.ts';
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
  const [config, ca, ...read] = await Promise.all([
    client.get(configMapRef(namespace, CILIUM_CONFIG)),
    readAuthorityFacts(client, namespace),
    ...refs.map((ref) => client.get(ref)),
  ]);
  const live = read.flatMap((object) => object ?? []);
  const objects = new Map([...before.objects].filter(([key]) => !refs.some((ref) => keyOf(ref) === key)));
  for (const object of live) objects.set(keyOf(refOf(object)), object);
  const bundles = await readBundles({ objects, namespace }, (ref) => client.get(ref));
  const tlsSecrets = new Map(before.tlsSecrets);
  for (const { name } of refs) tlsSecrets.delete(name);
  for (const [name, facts] of readTlsFacts(live, undefined, bundles).tlsSecrets) tlsSecrets.set(name, facts);
  return {
    ...before,
    ciliumConfig: config && dataOf(config),
    ca: authorityOfMesh(ca, { objects, namespace, tlsSecrets }),
    caBundle: bundles.get(SERVER_CERT_SECRET),
    objects,
    tlsSecrets,
  };
}
