import { createHash } from 'node:crypto';
import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { secretRef } from '../mesh/objects/names.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';

const IPSEC_KEYS_SECRET = 'cilium-ipsec-keys';

/** The labels of a namespace; undefined where they may not be read, or it is not there. */
export async function readNamespaceLabels(
  client: ClusterClient,
  namespace: string,
): Promise<ClusterSnapshot['namespaceLabels']> {
  const read = await unlessForbidden(client.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }));
  return read && (read.metadata.labels ?? {});
}

/** Of the keys with which Cilium encrypts; undefined where it does not use IPsec, or they may not be read. */
export async function readIpsecKeyDigest(
  client: ClusterClient,
  namespace: string,
  config: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  if (config['enable-ipsec'] !== 'true') return undefined;
  const { keys } = secretTexts(await unlessForbidden(client.get(secretRef(namespace, IPSEC_KEYS_SECRET))));
  return keys === undefined ? undefined : createHash('sha256').update(keys.trim()).digest('hex');
}
