import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { objectAt } from '../apiserver/fields/json.ts';
import type { ClusterStore } from '../apiserver/storage/store.ts';
import { type Condition, type ConfigMap, ref, timestamp, typeOf, withCondition } from '../objects.ts';
import { CONTROLLER_MANAGER, type Controller, type ControllerWorld, enqueuer, sameJson } from './controller.ts';

const ROOT_CA = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
// The annotation says what the ConfigMap is good for; the sandbox's is shorter than the real one.
const ROOT_CA_DESCRIPTION = "The CA of this cluster's API server.";

interface NamespaceWorld extends ControllerWorld {
  store: ClusterStore;
}

/**
 * Gives each namespace what every cluster's has, the ConfigMap with the API server's CA and the service account `default`,
 * also again; empties one that is being deleted, and lets it go once nothing is left in it.
 */
export function createNamespaceController(world: NamespaceWorld, rootCa: string): Controller {
  const ending = new Set<string>();
  const enqueue = enqueuer(world, 'Namespace', (_, __, name) => reconcile(world, name, rootCa));
  for (const { metadata } of world.store.list(typeOf('Namespace'))) enqueue(undefined, metadata.name);
  return ({ type, object }) => {
    const { namespace, name, deletionTimestamp } = object.metadata;
    if (object.kind === 'Namespace') {
      if (type === 'DELETED') ending.delete(name);
      else {
        if (deletionTimestamp) ending.add(name);
        enqueue(undefined, name);
      }
    } else if (namespace !== undefined && (ending.has(namespace) || isBasic(object))) enqueue(undefined, namespace);
  };
}

function isBasic({ kind, metadata }: KubeObject): boolean {
  return kind === 'ConfigMap' ? metadata.name === ROOT_CA : kind === 'ServiceAccount' && metadata.name === 'default';
}

function reconcile(world: NamespaceWorld, name: string, rootCa: string): void {
  const namespace = world.store.get(ref('Namespace', undefined, name));
  if (!namespace) return;
  if (namespace.metadata.deletionTimestamp) empty(world, namespace);
  else furnish(world, name, rootCa);
}

function furnish({ store }: NamespaceWorld, namespace: string, rootCa: string): void {
  const data = { 'ca.crt': rootCa };
  const published = store.get(ref('ConfigMap', namespace, ROOT_CA));
  if (!published) {
    const metadata = { name: ROOT_CA, namespace, annotations: { [DESCRIPTION]: ROOT_CA_DESCRIPTION } };
    store.create({ ...typeOf('ConfigMap'), metadata, data }, CONTROLLER_MANAGER);
  } else if (!sameJson(published.data, data)) {
    store.update(
      ref('ConfigMap', namespace, ROOT_CA),
      (object) => {
        (object as ConfigMap).data = data;
      },
      CONTROLLER_MANAGER,
    );
  }
  if (store.get(ref('ServiceAccount', namespace, 'default'))) return;
  store.create({ ...typeOf('ServiceAccount'), metadata: { name: 'default', namespace } }, CONTROLLER_MANAGER);
}

function contents(store: ClusterStore, namespace: string): { plural: string; object: KubeObject }[] {
  return store.state.kinds
    .all()
    .filter(({ namespaced }) => namespaced)
    .flatMap((kind) => store.state.log.list(kind, namespace).map((object) => ({ plural: kind.plural, object })));
}

function empty({ store, now }: NamespaceWorld, namespace: KubeObject): void {
  const { name } = namespace.metadata;
  for (const { object } of contents(store, name)) {
    const { apiVersion, kind, metadata } = object;
    const reference = { apiVersion, kind, namespace: name, name: metadata.name };
    // It may have gone with its owner.
    if (!metadata.deletionTimestamp && store.get(reference)) store.delete(reference);
  }
  const left = contents(store, name);
  const conditions = left.length > 0 ? remaining(left) : [];
  const at = timestamp(now());
  store.update(
    ref('Namespace', undefined, name),
    (object) => {
      const former = (objectAt(object, 'status')?.conditions ?? []) as Condition[];
      if (left.length === 0) object.spec = {};
      else {
        const next = conditions.reduce((all, condition) => withCondition(all, condition, at), former);
        object.status = { phase: 'Terminating', conditions: next };
      }
    },
    CONTROLLER_MANAGER,
  );
}

/** Why the namespace is still there, in the words of the namespace controller. */
function remaining(left: readonly { plural: string; object: KubeObject }[]): Condition[] {
  const finalizers = left.flatMap(({ object }) => (object.metadata as { finalizers?: string[] }).finalizers ?? []);
  const counted = (names: readonly string[], text: (name: string, count: number) => string): string =>
    [...new Set(names)]
      .sort()
      .map((name) => text(name, names.filter((other) => other === name).length))
      .join(', ');
  const plurals = left.map(({ plural }) => plural);
  const resources = counted(plurals, (name, count) => `${name}. has ${count} resource instances`);
  const holders = counted(finalizers, (name, count) => `${name} in ${count} resource instances`);
  return [
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    {
      type: 'NamespaceContentRemaining',
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${resources}`,
    },
    {
      type: 'NamespaceFinalizersRemaining',
      status: 'True',
      reason: 'SomeFinalizersRemain',
      message: `Some content in the namespace has finalizers remaining: ${holders}`,
    },
  ];
}
