import { createHash } from 'node:crypto';
import type { ClusterClient } from '../kube/client.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import { secretRef } from '../mesh/objects/names.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';

const IPSEC_KEYS_SECRET = 'cilium-ipsec-keys';

/** The labels of a namespace; undefined where they may not be read, or it is not there. */
export async function readNamespaceLabels(
  client: ClusterClient,
  namespace: string,
): Promise<ClusterSnapshot['namespaceLabels']> {
  const read = await getIfAllowed(client, { apiVersion: 'v1', kind: 'Namespace', name: namespace });
  return read && (read.metadata.labels ?? {});
}

/** Of the keys with which Cilium encrypts; undefined where it does not use IPsec, or they may not be read. */
export async function readIpsecKeyDigest(
  client: ClusterClient,
  namespace: string,
  config: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  if (config['enable-ipsec'] !== 'true') return undefined;
  const { keys } = secretTexts(await getIfAllowed(client, secretRef(namespace, IPSEC_KEYS_SECRET)));
  return keys === undefined ? undefined : createHash('sha256').update(keys.trim()).digest('hex');
}

async function getIfAllowed(client: ClusterClient, ref: ObjectRef): Promise<KubeObject | undefined> {
  try {
    return await client.get(ref);
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'Forbidden') return undefined;
    throw error;
  }
}
