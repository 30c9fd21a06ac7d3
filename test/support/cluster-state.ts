import { createHash } from 'node:crypto';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';

/** The kinds that meshctl writes; of Services those of applications too. */
const KINDS = [
  ...['ServiceAccount', 'ConfigMap', 'Secret', 'Service'].map((kind) => ({ apiVersion: 'v1', kind })),
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  ...['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'].map((kind) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
  })),
];

/** All objects of these kinds in some clusters, to come back to. */
export interface ClusterState {
  /** Where the clusters differ from it now: `context Kind namespace/name`. */
  differences(): string[];
  /** Makes the clusters so again. */
  restore(): void;
}

export function stateOf(clusters: readonly SandboxCluster[]): ClusterState {
  const saved = clusters.map((cluster) => ({ cluster, objects: objectsOf(cluster) }));
  return {
    differences: () =>
      saved.flatMap(({ cluster, objects }) => {
        const now = objectsOf(cluster);
        const names = new Set([...objects.keys(), ...now.keys()]);
        return [...names]
          .filter((name) => contentOf(objects.get(name)) !== contentOf(now.get(name)))
          .map((name) => `${cluster.context} ${name}`);
      }),
    restore() {
      for (const { cluster, objects } of saved) {
        const now = objectsOf(cluster);
        for (const [name, object] of now) if (!objects.has(name)) cluster.store.delete(refOf(object));
        for (const [name, object] of objects) {
          // Whose it was is known by who wrote it.
          if (!now.has(name)) cluster.store.create(withoutVersion(object), managerOf(object));
          else if (contentOf(now.get(name)) !== contentOf(object)) {
            cluster.store.update(refOf(object), (live) => {
              const { metadata, status, ...content } = object;
              for (const key of Object.keys(live)) if (!['metadata', 'status'].includes(key)) delete live[key];
              Object.assign(live, content);
              live.metadata = {
                ...live.metadata,
                labels: metadata.labels ?? {},
                annotations: metadata.annotations ?? {},
              };
            });
          }
        }
      }
    },
  };
}

function managerOf({ metadata: { managedFields = [] } }: KubeObject): string | undefined {
  const managers = managedFields.filter(({ subresource }) => subresource === undefined).map(({ manager }) => manager);
  return managers.includes('meshctl') ? 'meshctl' : managers[0];
}

function objectsOf({ store }: SandboxCluster): Map<string, KubeObject> {
  return new Map(
    KINDS.flatMap((selection) =>
      store
        .list(selection)
        .map((object): [string, KubeObject] => [
          `${object.kind} ${object.metadata.namespace ? `${object.metadata.namespace}/` : ''}${object.metadata.name}`,
          object,
        ]),
    ),
  );
}

/** What people and tools wrote; hashed, because there are Secrets. */
function contentOf(object: KubeObject | undefined): string | undefined {
  if (!object) return undefined;
  const { metadata, status: _status, ...rest } = object;
  const { labels = {}, annotations = {} } = metadata;
  // The Deployment controller counts what it rolled out.
  const { 'deployment.kubernetes.io/revision': _revision, ...own } = annotations;
  return createHash('sha256')
    .update(JSON.stringify([labels, own, sorted(rest)]))
    .digest('hex');
}

/** A merge patch that puts a key back puts it at the end. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, sorted(entry)]),
  );
}

function withoutVersion({ metadata, ...rest }: KubeObject): KubeObject {
  const { uid: _uid, resourceVersion: _version, managedFields: _fields, ...own } = metadata;
  return { ...rest, metadata: own };
}
