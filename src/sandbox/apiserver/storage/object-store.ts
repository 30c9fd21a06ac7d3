import type { KubeObject, ObjectRef } from '../../../mesh/objects/kube-object.ts';

/** A change in the store. `object` is the new state, or the last one for DELETED. */
export interface StoreEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
}

/**
 * The objects of one sandbox cluster, as its controllers see them (no authentication, no admission).
 * Objects that go in are copied; those that come out are frozen. Absent objects make `update`, `patch` and `delete` throw an ApiError NotFound.
 */
export interface Store {
  get(ref: ObjectRef): KubeObject | undefined;
  list(type: { apiVersion: string; kind: string; namespace?: string; labels?: Record<string, string> }): KubeObject[];
  /** Sets uid, creationTimestamp, resourceVersion, generation. Throws AlreadyExists. */
  create(object: KubeObject, manager?: string): KubeObject;
  /** Replaces the object: reads it, lets `change` mutate a copy, writes it. Bumps generation if spec changed. */
  update(ref: ObjectRef, change: (object: KubeObject) => void, manager?: string): KubeObject;
  delete(ref: ObjectRef): void;
  /** Called after each change, in order. Returns the way to stop. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
}
