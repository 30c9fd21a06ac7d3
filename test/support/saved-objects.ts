import { setImmediate as laterTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { ClusterStore } from '../../src/sandbox/apiserver/storage/store.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { nudge, podsOf } from './cluster-pods.ts';

/** What a fault or a command may change; what controllers make of it follows. */
const KINDS = [
  ...['Namespace', 'Node', 'Service', 'Secret', 'ConfigMap', 'ServiceAccount'].map((kind) => ['v1', kind] as const),
  ...['DaemonSet', 'Deployment'].map((kind) => ['apps/v1', kind] as const),
  ...['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'].map(
    (kind) => ['rbac.authorization.k8s.io/v1', kind] as const,
  ),
  ...['CiliumNetworkPolicy', 'CiliumNode'].map((kind) => ['cilium.io/v2', kind] as const),
  ['networking.k8s.io/v1', 'NetworkPolicy'] as const,
];

/** The objects of some clusters as they were: with their uids, their owners and who wrote which field. */
export interface SavedObjects {
  /** Makes them so again, and lets Cilium's programs know. Resolves when their pods are ready. */
  restore(): Promise<void>;
}

export function saveObjects(clusters: readonly SandboxCluster[]): SavedObjects {
  const saved = clusters.map((cluster) => ({ cluster, objects: objectsOf(cluster) }));
  return {
    async restore() {
      for (const { cluster, objects } of saved) {
        const changes = rollBackCluster(cluster, objects);
        if (changes.length === 0) continue;
        if (changes.every(isTakenUp)) nudge(cluster);
        else for (const pod of podsOf(cluster)) remove(cluster, pod);
      }
      // Kubelets look in the turn after a nudge.
      await laterTurn();
      await Promise.all(clusters.map((cluster) => cluster.settled()));
    },
  };
}

function remove({ store }: SandboxCluster, object: KubeObject): void {
  store.delete(refOf(object));
}

function objectsOf({ store }: SandboxCluster): Map<string, KubeObject> {
  const objects = KINDS.flatMap(([apiVersion, kind]) => store.list({ apiVersion, kind }));
  return new Map(objects.map((object) => [JSON.stringify(refOf(object)), object]));
}

/** An object as it was found, and as it was saved. */
interface Change {
  found: KubeObject | undefined;
  saved: KubeObject | undefined;
}

/** @returns those that were not as saved */
function rollBackCluster(cluster: SandboxCluster, saved: ReadonlyMap<string, KubeObject>): Change[] {
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
  return [
    ...strays.map(([, found]) => ({ found, saved: undefined })),
    ...changed.map(([key, object]) => ({ found: live.get(key), saved: object })),
  ];
}

/** Without what the API server counts up, and what controllers write of it. */
function bodyOf(object: KubeObject | undefined): string | undefined {
  if (!object) return undefined;
  const { resourceVersion: _version, generation: _generation, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata, status: undefined });
}

/** Kinds that programs do not know, or look at anew each time. */
const LOOKED_AT = ['Service', 'CiliumNetworkPolicy', 'NetworkPolicy'];

/**
 * Whether programs that run take it up. Of all else they know what was there when they started: CAs, what cilium-config says,
 * what an account may do.
 */
function isTakenUp({ found, saved }: Change): boolean {
  const { kind = '', metadata } = found ?? saved ?? {};
  if (LOOKED_AT.includes(kind)) return true;
  if (kind === 'ConfigMap') return metadata?.name === 'clustermesh-remote-users';
  return kind === 'Secret' && isDeepStrictEqual(caIn(found), caIn(saved));
}

function caIn(secret: KubeObject | undefined): unknown {
  return (secret?.data as Record<string, string> | undefined)?.['ca.crt'];
}
