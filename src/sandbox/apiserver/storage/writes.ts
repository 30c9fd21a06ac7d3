import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError, badRequest, invalid, methodNotAllowed, notFound, unsupportedMediaType } from '../errors.ts';
import { clone, isObject, type JsonObject } from '../fields/json.ts';
import type { Ownership } from '../fields/managed-fields.ts';
import { jsonPatch } from '../fields/patch-json.ts';
import { mergePatch } from '../fields/patch-merge.ts';
import { strategicMergePatch } from '../fields/patch-strategic.ts';
import { serverSideApply } from '../fields/server-side-apply.ts';
import type { RequestBody } from '../http/request-body.ts';
import type { ResourceTarget } from '../http/request-target.ts';
import {
  checkName,
  checkVersion,
  isDryRun,
  managerOf,
  objectIn,
  placeInNamespace,
  type WriteRequest,
} from '../http/write-request.ts';
import { checkAppliedFields, checkFields, checkPatchedFields } from '../validation/unknown-fields.ts';
import { validateCreate, validateUpdate } from '../validation/validation.ts';
import { apiVersionOf } from './kinds.ts';
import { type ClusterState, createObject, schemaOf, updateObject, type WriteOptions } from './lifecycle.ts';
import { isNamespace, requireOpenNamespace } from './namespaces.ts';
import { enforcePodSecurity } from './pod-security.ts';
import { requireObject } from './reads.ts';

const APPLY = 'application/apply-patch+yaml';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';

/** Answers a create. */
export function create(state: ClusterState, request: WriteRequest): KubeObject {
  const { target } = request;
  const object = objectIn(request);
  if (target.resource.namespaced && target.namespace === undefined) throw methodNotAllowed();
  placeInNamespace(target, object);
  if (object.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  checkFields(target.resource, object, request.query, request.warn);
  return insert(state, request, object);
}

function insert(state: ClusterState, request: WriteRequest, given: KubeObject, owners?: Ownership[]): KubeObject {
  const { resource } = request.target;
  const { uid: _, creationTimestamp: __, ...metadata } = given.metadata;
  const object: KubeObject = { ...given, metadata: metadata as KubeObject['metadata'] };
  if (resource.subresources.includes('status')) delete object.status;
  request.mayGrant(object);
  validateCreate(resource, object);
  if (resource.namespaced) requireOpenNamespace(state, resource, object);
  enforcePodSecurity(state, object);
  return createObject(state, resource, object, {
    manager: managerOf(request),
    owners,
    dryRun: isDryRun(request.query),
  });
}

/** The next state of the stored object if a write to the main resource or a subresource brings `given`. */
function nextState(target: ResourceTarget, before: KubeObject, given: KubeObject): KubeObject {
  const { resource, subresource } = target;
  const { managedFields } = given.metadata;
  const withStatus = (object: KubeObject, status: unknown): KubeObject => {
    const { status: _, ...rest } = object;
    return (status === undefined ? rest : { ...rest, status }) as KubeObject;
  };
  if (subresource === 'status') {
    const metadata = { ...before.metadata, ...(managedFields ? { managedFields } : {}) };
    return withStatus({ ...before, metadata }, given.status);
  }
  // The finalizers in a namespace's spec have an endpoint of their own.
  if (subresource === 'finalize') return { ...before, spec: given.spec ?? {} };
  const next = isNamespace(resource) ? { ...given, spec: before.spec } : given;
  return resource.subresources.includes('status') ? withStatus(next, before.status) : next;
}

function replace(
  state: ClusterState,
  request: WriteRequest,
  before: KubeObject,
  given: KubeObject,
  owners?: Ownership[],
): KubeObject {
  const { resource } = request.target;
  const next = nextState(request.target, before, given);
  request.mayGrant(next, before);
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
  return replace(state, request, before, object);
}

/** Changes an object by a JSON, merge or strategic merge patch. Throws 400 for no patch, 415 for another kind of patch. */
export function patched(target: ResourceTarget, before: JsonObject, body: RequestBody): unknown {
  if (body.mediaType === JSON_PATCH) return jsonPatch(before, body.value);
  const isStrategic = body.mediaType === STRATEGIC_PATCH;
  if (isStrategic && target.resource.custom) throw unsupportedMediaType([JSON_PATCH, MERGE_PATCH, APPLY]);
  if (!isStrategic && body.mediaType !== MERGE_PATCH) {
    throw new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  }
  if (!isObject(body.value)) throw badRequest('error decoding patch: the patch is no object');
  return isStrategic
    ? strategicMergePatch(schemaOf(target.resource), before, body.value)
    : mergePatch(before, body.value);
}

/** Answers a patch of the object or its status. `created` tells whether an apply made it. */
export function patch(state: ClusterState, request: WriteRequest): { object: KubeObject; created: boolean } {
  const { target, query } = request;
  if (request.body.mediaType === APPLY) return apply(state, request);
  if (query.has('force')) {
    const message = 'Forbidden: may not be specified for non-apply patch';
    const cause = { reason: 'FieldValueForbidden', message, field: 'force' };
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [cause]);
  }
  const before = requireObject(state, target);
  const live = { ...before, apiVersion: apiVersionOf(target.resource.group, target.version) };
  const result = patched(target, live, request.body);
  if (!isObject(result) || !isObject(result.metadata)) throw badRequest('the patch leaves no object');
  const next = clone(result) as KubeObject;
  checkName(target, next);
  checkVersion(target, before, next.metadata);
  checkPatchedFields(target.resource, next, query, request.warn);
  return { object: replace(state, request, before, next), created: false };
}

function apply(state: ClusterState, request: WriteRequest): { object: KubeObject; created: boolean } {
  const { target, query } = request;
  if (!query.get('fieldManager')) {
    const message = 'Required value: is required for apply patch';
    const cause = { reason: 'FieldValueRequired', message, field: 'fieldManager' };
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [cause]);
  }
  const config = configurationIn(request);
  const live = state.log.get(target.resource, target.namespace, target.name ?? '');
  if (!live && target.subresource) throw notFound(target.resource, target.name ?? '');
  if (live) checkVersion(target, live, config.metadata);
  const versioned = live && { ...live, apiVersion: config.apiVersion };
  const force = query.get('force') === 'true';
  const { object, owners } = serverSideApply(schemaOf(target.resource), versioned, config, managerOf(request), force);
  if (live) return { object: replace(state, request, live, object, owners), created: false };
  request.mayCreate();
  return { object: insert(state, request, object, owners), created: true };
}

/** The configuration that an apply brings, with only the part that its endpoint writes. */
function configurationIn(request: WriteRequest): KubeObject {
  const { target, body } = request;
  const given = isObject(body.value) ? body.value : {};
  if (!given.apiVersion || !given.kind) {
    throw badRequest(`invalid object type: ${String(given.apiVersion ?? '/')}, Kind=${String(given.kind ?? '')}`);
  }
  const config = objectIn(request);
  if (config.metadata.managedFields) throw badRequest('metadata.managedFields must be nil');
  checkAppliedFields(target.resource, config);
  checkName(target, config);
  placeInNamespace(target, config);
  if (target.subresource === 'status') {
    const { labels: _, annotations: __, ...metadata } = config.metadata;
    return {
      apiVersion: config.apiVersion,
      kind: config.kind,
      metadata,
      ...(isObject(config.status) ? { status: config.status } : {}),
    };
  }
  if (target.resource.subresources.includes('status')) delete config.status;
  return config;
}
