import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { ClusterStore } from '../../src/sandbox/apiserver/storage/store.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';

/** What a fault or a command may change; what controllers make of it follows. */
const KINDS = [
  ...['Namespace', 'Node', 'Service', 'Secret', 'ConfigMap', 'ServiceAccount'].map((kind) => ['v1', kind] as const),
  ...['DaemonSet', 'Deployment'].map((kind) => ['apps/v1', kind] as const),
  ...['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'].map(
    (kind) => ['rbac.authorization.k8s.io/v1', kind] as const,
  ),
  ['cilium.io/v2', 'CiliumNetworkPolicy'] as const,
  ['networking.k8s.io/v1', 'NetworkPolicy'] as const,
];

/** The objects of some clusters as they were: with their uids, their owners and who wrote which field. */
export interface SavedObjects {
  /** Makes them so again, and has Cilium's pods started anew where anything was otherwise. */
  restore(): Promise<void>;
}

export function saveObjects(clusters: readonly SandboxCluster[]): SavedObjects {
  const saved = clusters.map((cluster) => ({ cluster, objects: objectsOf(cluster) }));
  return {
    async restore() {
      for (const { cluster, objects } of saved) {
        if (!rollBackCluster(cluster, objects)) continue;
        // Programs know the CA, the users and the name that were there when they started.
        for (const pod of podsOf(cluster)) remove(cluster, pod);
      }
      await Promise.all(clusters.map((cluster) => cluster.settled()));
    },
  };
}

function podsOf({ store, namespace }: SandboxCluster): KubeObject[] {
  return store.list({ apiVersion: 'v1', kind: 'Pod', namespace });
}

function refOfObject({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function remove({ store }: SandboxCluster, object: KubeObject): void {
  store.delete(refOfObject(object));
}

function objectsOf({ store }: SandboxCluster): Map<string, KubeObject> {
  const objects = KINDS.flatMap(([apiVersion, kind]) => store.list({ apiVersion, kind }));
  return new Map(objects.map((object) => [JSON.stringify(refOfObject(object)), object]));
}

/** @returns whether any was not as saved */
function rollBackCluster(cluster: SandboxCluster, saved: ReadonlyMap<string, KubeObject>): boolean {
  const { log, kinds } = (cluster.store as ClusterStore).state;
  const live = objectsOf(cluster);
  const strays = [...live].filter(([key]) => !saved.has(key));
  // What controllers made belongs to an object by its uid: one that was made anew takes its own along.
  const anew = [...live].filter(
    ([key, object]) => saved.has(key) && saved.get(key)?.metadata.uid !== object.metadata.uid,
  );
  for (const [, object] of [...strays, ...anew]) remove(cluster, object);
  const changed = [...saved].filter(([key, object]) => bodyOf(live.get(key)) !== bodyOf(object));
  for (const [, object] of changed) log.put(kinds.require(object.apiVersion, object.kind), object);
  return strays.length + changed.length > 0;
}

/** Without what the API server counts up, and what controllers write of it. */
function bodyOf(object: KubeObject | undefined): string | undefined {
  if (!object) return undefined;
  const { resourceVersion: _version, generation: _generation, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata, status: undefined });
}
