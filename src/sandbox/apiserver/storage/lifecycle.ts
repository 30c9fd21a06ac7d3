import { randomInt, randomUUID } from 'node:crypto';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { alreadyExists } from '../errors.ts';
import { applyDefaults } from '../fields/defaulting.ts';
import { childObject, clone, equal } from '../fields/json.ts';
import type { Schema } from '../fields/list-keys.ts';
import {
  type FieldManager,
  type Ownership,
  ownersAfterUpdate,
  readOwnership,
  writeOwnership,
} from '../fields/managed-fields.ts';
import { dropOmitted } from '../fields/omitted-values.ts';
import { setServerFields } from '../fields/server-fields.ts';
import { rfc3339 } from '../fields/time.ts';
import { isDefinition, type Kinds, type ResourceType } from './kinds.ts';
import { isHeld, isNamespace } from './namespaces.ts';
import type { ObjectLog } from './object-log.ts';

/** The state of one cluster: its objects and the kinds it knows. */
export interface ClusterState {
  log: ObjectLog;
  kinds: Kinds;
}

export interface WriteOptions {
  manager: FieldManager;
  /** The owners after a server-side apply. Otherwise they follow from what changed. */
  owners?: Ownership[] | undefined;
  dryRun?: boolean | undefined;
}

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

/** The letters and digits of generated names: no vowels, so no words. */
export const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

const randomSuffix = (): string =>
  Array.from({ length: SUFFIX_LENGTH }, () => NAME_ALPHABET[randomInt(NAME_ALPHABET.length)]).join('');

/** How the lists and maps of a resource fold. */
export function schemaOf(resource: ResourceType): Schema {
  return { kind: resource.kind, custom: resource.custom };
}

/** The part of an object that its main resource owns: without the status where that has its own endpoint. */
function withoutForeignParts(resource: ResourceType, object: KubeObject, manager: FieldManager): KubeObject {
  const part = { ...object };
  if (manager.subresource !== 'status' && resource.subresources.includes('status')) delete part.status;
  return part;
}

/** What decoding, defaulting and encoding make of an object of a built-in kind. Changes the object. */
function normalize(object: KubeObject): void {
  dropOmitted(object, object.kind);
  applyDefaults(object);
}

function isMainChange(resource: ResourceType, before: KubeObject, after: KubeObject): boolean {
  const main = (object: KubeObject): KubeObject => ({ ...object, metadata: { name: '' }, status: undefined });
  return resource.generation && !equal(main(before), main(after));
}

/**
 * Writes a new object: name from generateName, uid, times, defaults, addresses, owners of its fields.
 * Gives the stored object. Throws 409 AlreadyExists, 422 where an address cannot be had.
 */
export function createObject(
  state: ClusterState,
  resource: ResourceType,
  given: KubeObject,
  options: WriteOptions,
): KubeObject {
  const object = clone(given);
  const { metadata } = object;
  if (!metadata.name && typeof metadata.generateName === 'string') {
    metadata.name = `${metadata.generateName}${randomSuffix()}`;
  }
  if (!resource.namespaced) delete metadata.namespace;
  if (state.log.get(resource, metadata.namespace, metadata.name)) throw alreadyExists(resource, metadata.name);
  metadata.uid ??= randomUUID();
  metadata.creationTimestamp ??= rfc3339();
  if (resource.generation) metadata.generation = 1;
  delete metadata.resourceVersion;
  delete metadata.managedFields;
  if (!resource.custom) normalize(object);
  const part = withoutForeignParts(resource, object, options.manager);
  const owners = options.owners ?? ownersAfterUpdate(schemaOf(resource), undefined, part, [], options.manager);
  writeOwnership(object, owners, []);
  if (!resource.custom) setServerFields(state, object);
  if (options.dryRun) return object;
  const stored = state.log.put(resource, object);
  if (isDefinition(stored)) state.kinds.define(stored);
  return stored;
}

/**
 * Writes the next state of an object: keeps what clients cannot change, fills in defaults, counts the generation,
 * follows the owners. Writes nothing if nothing changed. Gives the stored object.
 */
export function updateObject(
  state: ClusterState,
  resource: ResourceType,
  before: KubeObject,
  given: KubeObject,
  options: WriteOptions,
): KubeObject {
  const object = clone(given);
  const kept = before.metadata;
  object.metadata = {
    ...object.metadata,
    name: kept.name,
    ...(kept.namespace === undefined ? {} : { namespace: kept.namespace }),
    ...(kept.uid === undefined ? {} : { uid: kept.uid }),
    ...(kept.resourceVersion === undefined ? {} : { resourceVersion: kept.resourceVersion }),
    ...(kept.creationTimestamp === undefined ? {} : { creationTimestamp: kept.creationTimestamp }),
    ...(kept.deletionTimestamp === undefined ? {} : { deletionTimestamp: kept.deletionTimestamp }),
    ...(kept.generation === undefined ? {} : { generation: kept.generation }),
  };
  if (!resource.custom) normalize(object);
  const formerOwners = readOwnership(before);
  // A client may hand in other owners: kubectl does when it moves from client-side to server-side apply.
  const base = object.metadata.managedFields?.length ? readOwnership(object) : formerOwners;
  const changedBefore = withoutForeignParts(resource, before, options.manager);
  const changedAfter = withoutForeignParts(resource, object, options.manager);
  const owners =
    options.owners ?? ownersAfterUpdate(schemaOf(resource), changedBefore, changedAfter, base, options.manager);
  writeOwnership(object, owners, formerOwners);
  if (!resource.custom) setServerFields(state, object, before);
  if (equal(before, object)) return before;
  if (isMainChange(resource, before, object)) object.metadata.generation = (kept.generation ?? 0) + 1;
  if (options.dryRun) return object;
  if (object.metadata.deletionTimestamp && !isHeld(resource, object))
    return removeNow(state, resource, object, 'Background');
  const stored = state.log.put(resource, object);
  if (isDefinition(stored)) state.kinds.define(stored);
  return stored;
}

/**
 * Deletes an object and, unless they are to be orphaned, what only it owns. With finalizers it is only marked: a namespace
 * always, until a controller has emptied it.
 * Gives the last state and whether the object is gone.
 */
export function deleteObject(
  state: ClusterState,
  resource: ResourceType,
  object: KubeObject,
  options: { propagation?: Propagation | undefined; dryRun?: boolean | undefined } = {},
): { object: KubeObject; gone: boolean } {
  if (options.dryRun) return { object, gone: true };
  const propagation = options.propagation ?? 'Background';
  if (!isHeld(resource, object)) return { object: removeNow(state, resource, object, propagation), gone: true };
  if (object.metadata.deletionTimestamp) return { object, gone: false };
  const marked = clone(object);
  marked.metadata.deletionTimestamp = rfc3339();
  if (isNamespace(resource)) childObject(marked, 'status').phase = 'Terminating';
  else marked.metadata.deletionGracePeriodSeconds = 0;
  if (marked.metadata.generation !== undefined) marked.metadata.generation += 1;
  return { object: state.log.put(resource, marked), gone: false };
}

function removeNow(
  state: ClusterState,
  resource: ResourceType,
  object: KubeObject,
  propagation: Propagation,
): KubeObject {
  if (isDefinition(object)) removeInstances(state, object);
  if (propagation === 'Foreground') collectDependents(state, object, propagation);
  const last = state.log.remove(resource, object);
  if (propagation !== 'Foreground') collectDependents(state, object, propagation);
  return last;
}

function removeInstances(state: ClusterState, definition: KubeObject): void {
  const names = definition.spec as { group: string; names: { kind: string } };
  const defined = state.kinds.all().find((type) => type.group === names.group && type.kind === names.names.kind);
  if (!defined) return;
  for (const instance of state.log.list(defined)) state.log.remove(defined, instance);
  state.kinds.undefine(definition);
}

/** What the garbage collector of a real cluster does a moment later: dependents lose their owner, and go with their last one. */
function collectDependents(state: ClusterState, owner: KubeObject, propagation: Propagation): void {
  for (const resource of state.kinds.all()) {
    const candidates = state.log.list(resource, resource.namespaced ? owner.metadata.namespace : undefined);
    for (const dependent of candidates) {
      const references = dependent.metadata.ownerReferences ?? [];
      const rest = references.filter((reference) => reference.uid !== owner.metadata.uid);
      if (rest.length === references.length) continue;
      if (rest.length > 0 || propagation === 'Orphan') {
        const { ownerReferences: _, ...metadata } = dependent.metadata;
        state.log.put(resource, {
          ...dependent,
          metadata: rest.length > 0 ? { ...metadata, ownerReferences: rest } : metadata,
        });
      } else {
        deleteObject(state, resource, dependent, { propagation });
      }
    }
  }
}
