import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { expired } from '../errors.ts';
import { frozen } from '../fields/json.ts';
import type { ResourceType } from './kinds.ts';
import type { StoreEvent } from './object-store.ts';

/** A change with the revision it made and what was there before. */
export interface Change extends StoreEvent {
  revision: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  resource: ResourceType;
  previous?: KubeObject;
}

/**
 * The objects of a cluster by kind and name, with one revision counter over all and the recent changes, as etcd keeps
 * them. It hands out the very objects that it holds, which are frozen: callers copy before they change.
 */
export interface ObjectLog {
  revision(): number;
  get(resource: ResourceType, namespace: string | undefined, name: string): KubeObject | undefined;
  /** In order of namespace and name; all namespaces if none is given. */
  list(resource: ResourceType, namespace?: string): KubeObject[];
  /** The list as it was at a revision. Throws 410 if that is too long ago. */
  listAt(resource: ResourceType, namespace: string | undefined, revision: number): KubeObject[];
  /** Adds or replaces the object under its kind, namespace and name, with a new resourceVersion. */
  put(resource: ResourceType, object: KubeObject): KubeObject;
  /** Takes the object out; gives its last state with the revision of the removal. */
  remove(resource: ResourceType, object: KubeObject): KubeObject;
  /** The changes after a revision. Throws 410 if that is too long ago. */
  changesAfter(revision: number): Change[];
  /** Called after each change, in order, also when a listener makes changes itself. Returns the way to stop. */
  subscribe(listener: (change: Change) => void): () => void;
}

const storageKey = (resource: ResourceType): string => `${resource.group}/${resource.kind}`;
const nameKey = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
const keyOfObject = (object: KubeObject): string => nameKey(object.metadata.namespace, object.metadata.name);

/** The objects of one kind by name, and in order while none comes or changes: they are listed far more often than written. */
interface Shelf {
  byName: Map<string, KubeObject>;
  inOrder: readonly KubeObject[] | undefined;
}

function inOrder(byName: ReadonlyMap<string, KubeObject>): KubeObject[] {
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

/** An empty log. It keeps between one and two times `remembered` changes for watches and continued lists. */
export function createObjectLog(remembered: number): ObjectLog {
  const shelves = new Map<string, Shelf>();
  const listeners = new Set<(change: Change) => void>();
  const pending: Change[] = [];
  let changes: Change[] = [];
  let revision = 1;
  let delivering = false;

  const shelfOf = (resource: ResourceType): Shelf => {
    const key = storageKey(resource);
    const existing = shelves.get(key);
    if (existing) return existing;
    const made: Shelf = { byName: new Map(), inOrder: undefined };
    shelves.set(key, made);
    return made;
  };

  const changing = (resource: ResourceType): Map<string, KubeObject> => {
    const shelf = shelfOf(resource);
    shelf.inOrder = undefined;
    return shelf.byName;
  };

  // A listener may write: its change waits until every listener has seen the one before.
  const deliver = (change: Change): void => {
    pending.push(change);
    if (delivering) return;
    delivering = true;
    try {
      for (let next = pending.shift(); next; next = pending.shift())
        for (const listener of [...listeners]) listener(next);
    } finally {
      delivering = false;
    }
  };

  const record = (change: Change): void => {
    changes.push(change);
    if (changes.length > remembered * 2) changes = changes.slice(-remembered);
    deliver(change);
  };

  const list = (resource: ResourceType, namespace?: string): KubeObject[] => {
    const shelf = shelfOf(resource);
    shelf.inOrder ??= inOrder(shelf.byName);
    return shelf.inOrder.filter((object) => namespace === undefined || object.metadata.namespace === namespace);
  };

  const changesAfter = (since: number): Change[] => {
    const oldest = (changes[0]?.revision ?? revision + 1) - 1;
    if (since < oldest) throw expired(`too old resource version: ${since} (${oldest})`);
    return changes.filter((change) => change.revision > since);
  };

  return {
    revision: () => revision,
    get: (resource, namespace, name) =>
      shelfOf(resource).byName.get(nameKey(resource.namespaced ? namespace : undefined, name)),
    list,
    listAt: (resource, namespace, at) => {
      if (at === revision) return list(resource, namespace);
      const state = new Map(list(resource, namespace).map((object) => [keyOfObject(object), object]));
      for (const change of changesAfter(at).reverse()) {
        if (storageKey(change.resource) !== storageKey(resource)) continue;
        if (namespace !== undefined && change.object.metadata.namespace !== namespace) continue;
        if (change.previous) state.set(keyOfObject(change.previous), change.previous);
        else state.delete(keyOfObject(change.object));
      }
      return inOrder(state);
    },
    put: (resource, object) => {
      revision += 1;
      const stored = frozen({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
      const objects = changing(resource);
      const previous = objects.get(keyOfObject(stored));
      objects.set(keyOfObject(stored), stored);
      const type = previous ? 'MODIFIED' : 'ADDED';
      record({ revision, type, resource, object: stored, ...(previous ? { previous } : {}) });
      return stored;
    },
    remove: (resource, object) => {
      revision += 1;
      const last = frozen({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
      const objects = changing(resource);
      const previous = objects.get(keyOfObject(object)) ?? object;
      objects.delete(keyOfObject(object));
      record({ revision, type: 'DELETED', resource, object: last, previous });
      return last;
    },
    changesAfter,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
