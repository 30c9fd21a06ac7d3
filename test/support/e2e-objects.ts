import { createHash } from 'node:crypto';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { refOf } from '../../src/mesh/objects/kube-object.ts';

const NAMESPACE = 'kube-system';

/** The kinds that meshctl writes. */
const KINDS = [
  { apiVersion: 'v1', kind: 'ServiceAccount', namespace: NAMESPACE },
  { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE },
  { apiVersion: 'v1', kind: 'Secret', namespace: NAMESPACE },
  { apiVersion: 'v1', kind: 'Service', namespace: NAMESPACE },
  { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE },
  { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: NAMESPACE },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', namespace: NAMESPACE },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', namespace: NAMESPACE },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' },
] as const;

/** What a cluster holds of these kinds: a fingerprint of what people and tools wrote, by object. */
export async function objectSet(client: ClusterClient): Promise<Map<string, string>> {
  const objects = (await Promise.all(KINDS.map((selection) => client.listAll(selection)))).flat();
  return new Map(objects.map((object) => [nameOf(object), fingerprint(object)]));
}

/** Deletes the objects that are not in a former set. */
export async function deleteObjectsBeyond(client: ClusterClient, former: ReadonlyMap<string, string>): Promise<void> {
  for (const selection of KINDS) {
    for (const object of await client.listAll(selection)) {
      if (!former.has(nameOf(object))) await client.delete(refOf(object));
    }
  }
}

function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ? `${metadata.namespace}/` : ''}${metadata.name}`;
}

/** Without what API servers and controllers add; hashed, because there are Secrets. */
function fingerprint({ metadata, status: _status, ...rest }: KubeObject): string {
  const { labels = {}, annotations = {}, uid } = metadata;
  return createHash('sha256')
    .update(JSON.stringify([uid, labels, annotations, rest]))
    .digest('hex')
    .slice(0, 12);
}

/** Which containers run, and how often they were restarted, by pod. */
export async function runningPods(client: ClusterClient, labelSelector: string): Promise<Record<string, number>> {
  const pods = await client.listAll({ apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE, labelSelector });
  return Object.fromEntries(
    pods.map(({ metadata, status }) => {
      const { containerStatuses = [] } = (status ?? {}) as { containerStatuses?: { restartCount: number }[] };
      const restarts = containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
      return [`${metadata.name} ${metadata.uid}`, restarts];
    }),
  );
}
