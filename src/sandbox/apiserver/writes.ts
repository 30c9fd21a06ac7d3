import type { KubeObject } from '../../mesh/kube-object.ts';
import { ApiError, badRequest, conflict, invalid, notFound, staleVersion, unsupportedMediaType } from './errors.ts';
import { clone, isObject, type JsonObject } from './json.ts';
import { apiVersionOf } from './kinds.ts';
import {
  type ClusterState,
  createObject,
  deleteObject,
  type Propagation,
  schemaOf,
  updateObject,
  type WriteOptions,
} from './lifecycle.ts';
import type { FieldManager, Ownership } from './managed-fields.ts';
import { jsonPatch } from './patch-json.ts';
import { mergePatch } from './patch-merge.ts';
import { strategicMergePatch } from './patch-strategic.ts';
import { requireObject } from './reads.ts';
import type { RequestBody } from './request-body.ts';
import type { ResourceTarget } from './request-target.ts';
import { requestSelector } from './selectors.ts';
import { serverSideApply } from './server-side-apply.ts';
import { checkFields } from './unknown-fields.ts';
import { validateCreate, validateUpdate } from './validation.ts';

/** One write, taken from its request. */
export interface WriteRequest {
  target: ResourceTarget;
  query: URLSearchParams;
  body: RequestBody;
  /** The field manager of a client that names none: the first part of its User-Agent. */
  userAgent: string;
  /** Throws 403 if the caller may not create the object; asked when an apply creates it. */
  mayCreate: () => void;
  /** Texts for `Warning` headers. */
  warn: (text: string) => void;
}

export const APPLY = 'application/apply-patch+yaml';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const LONGEST_MANAGER = 128;

function managerOf(request: WriteRequest): FieldManager {
  const name =
    request.query.get('fieldManager') || (request.userAgent.split('/')[0] ?? '').slice(0, LONGEST_MANAGER) || 'unknown';
  const { subresource } = request.target;
  return { name, ...(subresource ? { subresource } : {}) };
}

function isDryRun(query: URLSearchParams, body?: JsonObject): boolean {
  const values = [...query.getAll('dryRun'), ...(Array.isArray(body?.dryRun) ? body.dryRun : [])];
  const wrong = values.find((value) => value !== 'All');
  if (wrong === undefined) return values.length > 0;
  const message = `Unsupported value: "${String(wrong)}": supported values: "All"`;
  throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
    { reason: 'FieldValueNotSupported', message, field: 'dryRun' },
  ]);
}

/** The object in a body, with kind and apiVersion checked against the path. */
function objectIn(request: WriteRequest): KubeObject {
  const { target, body } = request;
  if (!isObject(body.value)) throw badRequest('the request has no object in its body');
  const expected = apiVersionOf(target.resource.group, target.version);
  const object = clone(body.value) as KubeObject;
  if ((object.apiVersion ?? expected) !== expected) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if ((object.kind ?? target.resource.kind) !== target.resource.kind) {
    throw badRequest(
      `${object.kind} in version "${expected}" cannot be handled as a ${target.resource.kind}: converting (${object.kind}) to (${target.resource.kind}): unknown conversion`,
    );
  }
  object.apiVersion = expected;
  object.kind = target.resource.kind;
  object.metadata = isObject(object.metadata) ? object.metadata : { name: '' };
  return object;
}

function placeInNamespace(target: ResourceTarget, object: KubeObject): void {
  if (!target.resource.namespaced) return;
  if (object.metadata.namespace && object.metadata.namespace !== target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (target.namespace !== undefined) object.metadata.namespace = target.namespace;
}

/** Answers a create. */
export function create(state: ClusterState, request: WriteRequest): KubeObject {
  const { target } = request;
  const object = objectIn(request);
  if (target.resource.namespaced && target.namespace === undefined)
    throw new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
  placeInNamespace(target, object);
  if (object.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  checkFields(target.resource, object, request.query, request.warn);
  return insert(state, request, object);
}

function insert(state: ClusterState, request: WriteRequest, given: KubeObject, owners?: Ownership[]): KubeObject {
  const { resource } = request.target;
  const object: KubeObject = { ...given, metadata: { ...given.metadata } };
  if (resource.subresources.includes('status')) delete object.status;
  delete object.metadata.uid;
  delete object.metadata.creationTimestamp;
  validateCreate(resource, object);
  if (resource.namespaced) requireNamespace(state, object);
  return createObject(state, resource, object, {
    manager: managerOf(request),
    owners,
    dryRun: isDryRun(request.query),
  });
}

function requireNamespace(state: ClusterState, object: KubeObject): void {
  const namespaces = state.kinds.require('v1', 'Namespace');
  const name = object.metadata.namespace ?? '';
  if (!state.log.get(namespaces, undefined, name)) throw notFound(namespaces, name);
}

/** Throws 409 where the given resourceVersion or uid is not that of the stored object. */
function checkVersion(target: ResourceTarget, before: KubeObject, metadata: JsonObject | undefined): void {
  const { name } = before.metadata;
  if (metadata?.uid && metadata.uid !== before.metadata.uid) {
    throw conflict(
      target.resource,
      name,
      `Precondition failed: UID in precondition: ${String(metadata.uid)}, UID in object meta: ${String(before.metadata.uid)}`,
    );
  }
  if (metadata?.resourceVersion && metadata.resourceVersion !== before.metadata.resourceVersion)
    throw staleVersion(target.resource, name);
}

function checkName(target: ResourceTarget, object: KubeObject): void {
  const { name } = object.metadata;
  if (name && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name ?? ''})`);
  }
  object.metadata.name = target.name ?? '';
}

/** The next state of the stored object if a write to the main resource or a subresource brings `given`. */
function nextState(target: ResourceTarget, before: KubeObject, given: KubeObject): KubeObject {
  const { resource, subresource } = target;
  const managedFields = given.metadata.managedFields;
  if (subresource === 'status') {
    const next: KubeObject = {
      ...before,
      metadata: { ...before.metadata, ...(managedFields ? { managedFields } : {}) },
    };
    if (given.status === undefined) delete next.status;
    else next.status = given.status;
    return next;
  }
  if (!resource.subresources.includes('status')) return given;
  const { status: _, ...rest } = given;
  return before.status === undefined ? (rest as KubeObject) : ({ ...rest, status: before.status } as KubeObject);
}

function store(
  state: ClusterState,
  request: WriteRequest,
  before: KubeObject,
  given: KubeObject,
  owners?: Ownership[],
): KubeObject {
  const { resource } = request.target;
  const next = nextState(request.target, before, given);
  validateUpdate(resource, before, next);
  const options: WriteOptions = { manager: managerOf(request), owners, dryRun: isDryRun(request.query) };
  return updateObject(state, resource, before, next, options);
}

/** Answers an update (PUT) of the object or its status. */
export function update(state: ClusterState, request: WriteRequest): KubeObject {
  const { target } = request;
  const object = objectIn(request);
  checkName(target, object);
  placeInNamespace(target, object);
  const before = requireObject(state, target);
  checkVersion(target, before, object.metadata);
  checkFields(target.resource, object, request.query, request.warn);
  return store(state, request, before, object);
}

/** Changes an object by a JSON, merge or strategic merge patch. */
export function patched(target: ResourceTarget, before: JsonObject, body: RequestBody): unknown {
  switch (body.mediaType) {
    case JSON_PATCH:
      return jsonPatch(before, body.value);
    case MERGE_PATCH:
      if (!isObject(body.value)) throw badRequest('error decoding patch: a merge patch is an object');
      return mergePatch(before, body.value);
    case STRATEGIC_PATCH:
      if (target.resource.custom) throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, APPLY]);
      if (!isObject(body.value)) throw badRequest('error decoding patch: a strategic merge patch is an object');
      return strategicMergePatch(schemaOf(target.resource), before, body.value);
    default:
      throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY]);
  }
}

/** Answers a patch of the object or its status. `created` tells whether an apply made it. */
export function patch(state: ClusterState, request: WriteRequest): { object: KubeObject; created: boolean } {
  const { target, query } = request;
  if (request.body.mediaType === APPLY) return apply(state, request);
  if (query.has('force')) {
    const message = 'Forbidden: may not be specified for non-apply patch';
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
      { reason: 'FieldValueForbidden', message, field: 'force' },
    ]);
  }
  const before = requireObject(state, target);
  const result = patched(
    target,
    { ...before, apiVersion: apiVersionOf(target.resource.group, target.version) },
    request.body,
  );
  if (!isObject(result) || !isObject(result.metadata)) throw badRequest('the patch leaves no object');
  const next = clone(result) as KubeObject;
  checkName(target, next);
  checkVersion(target, before, next.metadata);
  checkFields(target.resource, next, query, request.warn);
  return { object: store(state, request, before, next), created: false };
}

function apply(state: ClusterState, request: WriteRequest): { object: KubeObject; created: boolean } {
  const { target, query } = request;
  if (!query.get('fieldManager')) {
    const message = 'Required value: is required for apply patch';
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
      { reason: 'FieldValueRequired', message, field: 'fieldManager' },
    ]);
  }
  const config = objectIn(request);
  checkName(target, config);
  placeInNamespace(target, config);
  if (target.subresource === 'status') keepOnlyStatus(config);
  else if (target.resource.subresources.includes('status')) delete config.status;
  if (config.metadata.managedFields) throw badRequest('metadata.managedFields must be nil');
  checkFields(target.resource, config, query, request.warn, true);
  const before = state.log.get(target.resource, target.namespace, target.name ?? '');
  if (before) checkVersion(target, before, config.metadata);
  if (!before && target.subresource) throw notFound(target.resource, target.name ?? '');
  if (!before && config.metadata.resourceVersion) throw staleVersion(target.resource, target.name ?? '');
  const force = query.get('force') === 'true';
  const live = before && { ...before, apiVersion: apiVersionOf(target.resource.group, target.version) };
  const { object, owners } = serverSideApply(schemaOf(target.resource), live, config, managerOf(request), force);
  if (before) return { object: store(state, request, before, object, owners), created: false };
  request.mayCreate();
  return { object: insert(state, request, object, owners), created: true };
}

function keepOnlyStatus(config: KubeObject): void {
  for (const field of Object.keys(config)) {
    if (!['apiVersion', 'kind', 'metadata', 'status'].includes(field)) delete config[field];
  }
  const { labels: _, annotations: __, ...metadata } = config.metadata;
  config.metadata = metadata;
}

interface DeleteOptions {
  propagation?: Propagation | undefined;
  dryRun: boolean;
  preconditions: JsonObject | undefined;
}

function deleteOptionsOf(request: WriteRequest): DeleteOptions {
  const body = isObject(request.body.value) ? request.body.value : {};
  const policy = request.query.get('propagationPolicy') ?? body.propagationPolicy;
  const orphan = request.query.get('orphanDependents') === 'true' || body.orphanDependents === true;
  return {
    propagation: orphan ? 'Orphan' : (policy as Propagation | undefined),
    dryRun: isDryRun(request.query, body),
    preconditions: isObject(body.preconditions) ? body.preconditions : undefined,
  };
}

/** Answers a delete: a Status if the object is gone, the object if it waits for its finalizers. */
export function remove(state: ClusterState, request: WriteRequest): JsonObject {
  const { target } = request;
  const before = requireObject(state, target);
  const options = deleteOptionsOf(request);
  checkVersion(target, before, options.preconditions);
  const { object, gone } = deleteObject(state, target.resource, before, options);
  if (!gone) return object;
  const { group, plural } = target.resource;
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
