import { gunzipSync } from 'node:zlib';
import { parseAllDocuments } from 'yaml';
import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { type KubeObject, keyOf, refOf } from '../mesh/objects/kube-object.ts';
import { RELEASE_NAME, RELEASE_NAMESPACE } from '../mesh/objects/ownership.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';

/** More than etcd takes of one Secret, however well it is packed. */
const MOST_BYTES = 64 * 1024 * 1024;

type Lister = Pick<ClusterClient, 'listAll'>;

/** Of what Helm stores of a revision. */
interface Release {
  /** The values that were given. */
  config?: unknown;
  /** The objects as the chart rendered them: YAML documents. */
  manifest?: unknown;
}

/**
 * The values that were given for a Helm release, as its last deployed revision has them. Undefined where Helm keeps them elsewhere, they
 * may not be read, or cannot be.
 */
export async function readReleaseValues(client: Lister, namespace: string, release: string): Promise<unknown> {
  return (await readRelease(client, namespace, release))?.config;
}

/**
 * What the Helm release that has made some objects has for them by its values: the objects as its chart rendered them at the last
 * install or upgrade. Keys among them stay in memory.
 * @returns undefined where no release made any, or it may not be read or is not as Helm writes it
 */
export async function readRenderedByHelm(
  client: Lister,
  made: readonly KubeObject[],
): Promise<ReadonlyMap<string, KubeObject> | undefined> {
  const metadata = made.find((object) => object.metadata.annotations?.[RELEASE_NAME] !== undefined)?.metadata;
  const release = metadata?.annotations?.[RELEASE_NAME];
  if (release === undefined) return undefined;
  const namespace = metadata?.annotations?.[RELEASE_NAMESPACE] ?? metadata?.namespace;
  const manifest = (await readRelease(client, namespace, release))?.manifest;
  if (typeof manifest !== 'string') return undefined;
  const wanted = new Set(made.map((object) => keyOf(refOf(object))));
  const rendered = objectsIn(manifest, namespace).filter((object) => wanted.has(keyOf(refOf(object))));
  return new Map(rendered.map((object) => [keyOf(refOf(object)), object]));
}

/**
 * The last deployed revision of a release. Helm keeps each in a Secret of its own, as JSON, packed with gzip, in base64
 * (pkg/storage/driver in Helm, `encodeRelease`; labels of `newSecretsObject`).
 */
async function readRelease(
  client: Lister,
  namespace: string | undefined,
  release: string,
): Promise<Release | undefined> {
  const labelSelector = `owner=helm,name=${release},status=deployed`;
  const revisions = await unlessForbidden(
    client.listAll({ apiVersion: 'v1', kind: 'Secret', namespace, labelSelector }),
  );
  const [newest] = (revisions ?? []).toSorted((a, b) => revisionOf(b) - revisionOf(a));
  return newest && unpacked(secretTexts(newest).release ?? '');
}

function revisionOf({ metadata }: KubeObject): number {
  return Number(metadata.labels?.version ?? 0);
}

function unpacked(release: string): Release | undefined {
  try {
    const json = gunzipSync(Buffer.from(release, 'base64'), { maxOutputLength: MOST_BYTES }).toString('utf8');
    return (JSON.parse(json) as Release | null) ?? undefined;
  } catch {
    // Of another form than Helm's by now: then it is as if there were none.
    return undefined;
  }
}

function objectsIn(manifest: string, namespace: string | undefined): KubeObject[] {
  // Most of them are no matter of a mesh: they need not be parsed.
  const parts = manifest.split(/^---$/m).filter((part) => /^kind: (Secret|ConfigMap)$/m.test(part));
  return parts.flatMap((part) => {
    const [document] = parseAllDocuments(part);
    if (!document || !('toJS' in document) || document.errors.length > 0) return [];
    const object = document.toJS() as KubeObject | null;
    if (typeof object?.metadata?.name !== 'string') return [];
    return [{ ...object, metadata: { ...(namespace === undefined ? {} : { namespace }), ...object.metadata } }];
  });
}
