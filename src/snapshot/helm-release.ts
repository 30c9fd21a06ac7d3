import { gunzipSync } from 'node:zlib';
import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

/** More than etcd takes of one Secret, however well it is packed. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The values that were given for a Helm release, as its last deployed revision has them (`config`). Undefined where Helm keeps them
 * elsewhere, they may not be read, or cannot be: Helm's own Secrets are JSON, packed with gzip, in base64 (pkg/storage/driver in
 * Helm, `encodeRelease`; labels of `newSecretsObject`).
 */
export async function readReleaseValues(client: ClusterClient, namespace: string, release: string): Promise<unknown> {
  const labelSelector = `owner=helm,name=${release},status=deployed`;
  const found = await unlessForbidden(client.listAll({ apiVersion: 'v1', kind: 'Secret', namespace, labelSelector }));
  const last = [...(found ?? [])].sort((one, other) => revisionOf(one) - revisionOf(other)).at(-1);
  const packed = (last?.data as { release?: unknown } | undefined)?.release;
  return typeof packed === 'string' ? unpacked(packed) : undefined;
}

function revisionOf({ metadata }: KubeObject): number {
  return Number(metadata.labels?.version ?? 0);
}

function unpacked(packed: string): unknown {
  try {
    const inner = Buffer.from(Buffer.from(packed, 'base64').toString(), 'base64');
    const text = gunzipSync(inner, { maxOutputLength: MOST_BYTES }).toString();
    return (JSON.parse(text) as { config?: unknown } | null)?.config;
  } catch {
    // Of another form than Helm's by now: then it is as if there were none.
    return undefined;
  }
}
