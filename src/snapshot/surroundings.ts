import { createHash } from 'node:crypto';
import type { ClusterClient } from '../kube/client.ts';
import { orRefusal } from '../kube/unless-refused.ts';
import type { CiliumConfig } from '../mesh/cilium/known-keys.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { namespaceRef, secretRef } from '../mesh/objects/names.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';
import { isGoing } from '../mesh/plan/going.ts';

const IPSEC_KEYS_SECRET = 'cilium-ipsec-keys';

/** A namespace; undefined where it is not there, or the refusal where it may not be read. */
export function readNamespace(
  client: ClusterClient,
  namespace: string,
): Promise<KubeObject | MeshctlError | undefined> {
  return orRefusal(client.get(namespaceRef(namespace)));
}

/** What of Cilium's namespace is part of a snapshot. */
export function namespaceFacts(
  read: KubeObject | undefined,
): Pick<ClusterSnapshot, 'namespaceLabels' | 'goingNamespace'> {
  return {
    namespaceLabels: read && (read.metadata.labels ?? {}),
    ...(isGoing(read) ? { goingNamespace: read } : {}),
  };
}

/** Of the keys with which Cilium encrypts; undefined where it does not use IPsec, or the refusal where they may not be read. */
export async function readIpsecKeyDigest(
  client: ClusterClient,
  namespace: string,
  config: CiliumConfig,
): Promise<string | MeshctlError | undefined> {
  if (config['enable-ipsec'] !== 'true') return undefined;
  const read = await orRefusal(client.get(secretRef(namespace, IPSEC_KEYS_SECRET)));
  if (read instanceof MeshctlError) return read;
  const { keys } = secretTexts(read);
  return keys === undefined ? undefined : createHash('sha256').update(keys.trim()).digest('hex');
}
