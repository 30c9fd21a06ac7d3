import type { KubeObject, ObjectRef } from '../../../mesh/objects/kube-object.ts';
import { notFound } from '../errors.ts';
import { clone } from '../fields/json.ts';
import { createKinds, type ResourceType } from './kinds.ts';
import { type ClusterState, createObject, deleteObject, updateObject } from './lifecycle.ts';
import { createObjectLog } from './object-log.ts';
import type { Store } from './object-store.ts';

/** A store with what the API server reads and writes below it. */
export interface ClusterStore extends Store {
  readonly state: ClusterState;
}

const FIRST_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const DEFAULT_MANAGER = 'kube-controller-manager';

/**
 * A new cluster's objects: the four namespaces of every cluster, nothing else. Objects are defaulted as the API server
 * defaults them, Services get their addresses, deletion takes dependents along; nothing is validated. At least the last
 * `rememberedChanges` can be watched and listed again.
 */
export function createStore({ rememberedChanges = 4096 } = {}): ClusterStore {
  const state: ClusterState = { log: createObjectLog(rememberedChanges), kinds: createKinds() };

  const find = (ref: ObjectRef): { resource: ResourceType; object: KubeObject } => {
    const resource = state.kinds.require(ref.apiVersion, ref.kind);
    const object = state.log.get(resource, ref.namespace, ref.name);
    if (!object) throw notFound(resource, ref.name);
    return { resource, object };
  };

  const store: ClusterStore = {
    state,
    get: (ref) => {
      const resource = state.kinds.byKind(ref.apiVersion, ref.kind);
      return resource && state.log.get(resource, ref.namespace, ref.name);
    },
    list: ({ apiVersion, kind, namespace, labels = {} }) => {
      const resource = state.kinds.require(apiVersion, kind);
      return state.log
        .list(resource, namespace)
        .filter((object) => Object.entries(labels).every(([key, value]) => object.metadata.labels?.[key] === value));
    },
    create: (object, manager = DEFAULT_MANAGER) => {
      const resource = state.kinds.require(object.apiVersion, object.kind);
      return createObject(state, resource, object, { manager: { name: manager } });
    },
    update: (ref, change, manager = DEFAULT_MANAGER) => {
      const { resource, object } = find(ref);
      const next = clone(object);
      change(next);
      return updateObject(state, resource, object, next, { manager: { name: manager } });
    },
    delete: (ref) => {
      const { resource, object } = find(ref);
      deleteObject(state, resource, object);
    },
    subscribe: state.log.subscribe,
  };

  for (const name of FIRST_NAMESPACES)
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, 'kube-apiserver');
  return store;
}
