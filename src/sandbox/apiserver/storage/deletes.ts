import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { conflict } from '../errors.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import type { ResourceTarget } from '../http/request-target.ts';
import { isDryRun, type WriteRequest } from '../http/write-request.ts';
import { type ClusterState, deleteObject, type Propagation } from './lifecycle.ts';
import { requireMortal } from './namespaces.ts';
import { requireObject } from './reads.ts';
import { requestSelector } from './selectors.ts';

interface DeleteOptions {
  propagation?: Propagation | undefined;
  dryRun: boolean;
  preconditions: JsonObject | undefined;
}

function deleteOptionsOf({ body, query }: WriteRequest): DeleteOptions {
  const options = isObject(body.value) ? body.value : {};
  const policy = query.get('propagationPolicy') ?? options.propagationPolicy;
  const orphan = query.get('orphanDependents') === 'true' || options.orphanDependents === true;
  return {
    propagation: orphan ? 'Orphan' : (policy as Propagation | undefined),
    dryRun: isDryRun(query, options),
    preconditions: isObject(options.preconditions) ? options.preconditions : undefined,
  };
}

function checkPreconditions(
  { resource }: ResourceTarget,
  object: KubeObject,
  preconditions: JsonObject | undefined,
): void {
  const record = { UID: object.metadata.uid, ResourceVersion: object.metadata.resourceVersion };
  const wanted = { UID: preconditions?.uid, ResourceVersion: preconditions?.resourceVersion };
  for (const field of ['UID', 'ResourceVersion'] as const) {
    if (wanted[field] === undefined || wanted[field] === record[field]) continue;
    const why = `the ${field} in the precondition (${String(wanted[field])}) does not match the ${field} in record (${String(record[field])}). The object might have been ${field === 'UID' ? 'deleted and then recreated' : 'modified'}`;
    throw conflict({ group: '', plural: resource.kind }, object.metadata.name, why);
  }
}

// Kinds whose deletion is answered with their last state.
const ANSWERED_WITH_OBJECT = new Set(['Namespace', 'Pod', 'Service', 'ServiceAccount']);

/** Answers a delete: a Status if the object is gone, the object if it waits for its finalizers or is of a few kinds. */
export function remove(state: ClusterState, request: WriteRequest): KubeObject | JsonObject {
  const { target } = request;
  const before = requireObject(state, target);
  requireMortal(target.resource, before.metadata.name);
  const options = deleteOptionsOf(request);
  checkPreconditions(target, before, options.preconditions);
  const { object, gone } = deleteObject(state, target.resource, before, options);
  const { group, plural, kind, custom } = target.resource;
  if (!gone || (!custom && ANSWERED_WITH_OBJECT.has(kind))) return object;
  const details = { name: object.metadata.name, ...(group ? { group } : {}), kind: plural, uid: object.metadata.uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

/** Answers a deletecollection: gives the objects that it deleted. */
export function removeAll(state: ClusterState, request: WriteRequest): KubeObject[] {
  const { resource, namespace } = request.target;
  const selector = requestSelector(resource, request.query);
  const options = deleteOptionsOf(request);
  return state.log
    .list(resource, namespace)
    .filter(selector)
    .map((object) => deleteObject(state, resource, object, options).object);
}
