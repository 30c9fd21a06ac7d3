import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { badRequest, conflict, invalid, staleVersion } from '../errors.ts';
import { clone, isObject, type JsonObject } from '../fields/json.ts';
import type { FieldManager } from '../fields/managed-fields.ts';
import { apiVersionOf } from '../storage/kinds.ts';
import type { RequestBody } from './request-body.ts';
import type { ResourceTarget } from './request-target.ts';

/** One write, taken from its request. */
export interface WriteRequest {
  target: ResourceTarget;
  query: URLSearchParams;
  body: RequestBody;
  /** Its first part is the field manager of a client that names none. */
  userAgent: string;
  /** Throws 403 if the caller may not create the object; asked when an apply creates it. */
  mayCreate: () => void;
  /** Throws 403 if the object hands on rights that the caller lacks; `before` is what an update changes. */
  mayGrant: (object: KubeObject, before?: KubeObject) => void;
  /** Texts for `Warning` headers. */
  warn: (text: string) => void;
}

const LONGEST_MANAGER = 128;

/** Who owns what the request changes. */
export function managerOf(request: Pick<WriteRequest, 'query' | 'userAgent' | 'target'>): FieldManager {
  const agent = (request.userAgent.split('/')[0] ?? '').slice(0, LONGEST_MANAGER);
  const name = request.query.get('fieldManager') || agent || 'unknown';
  const { subresource } = request.target;
  return { name, ...(subresource ? { subresource } : {}) };
}

/** Whether the request only asks what would happen. Throws 422 for another value than `All`. */
export function isDryRun(query: URLSearchParams, body?: JsonObject): boolean {
  const values = [...query.getAll('dryRun'), ...(Array.isArray(body?.dryRun) ? body.dryRun : [])];
  if (values.every((value) => value === 'All')) return values.length > 0;
  const message = `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`;
  const cause = { reason: 'FieldValueNotSupported', message, field: 'dryRun' };
  throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [cause]);
}

/** A copy of the object in a body, with kind and apiVersion as the path says. Throws 400 where they differ. */
export function objectIn({ target, body }: WriteRequest): KubeObject {
  if (!isObject(body.value)) throw badRequest('the request has no object in its body');
  const { resource, version } = target;
  const expected = apiVersionOf(resource.group, version);
  const object = clone(body.value) as KubeObject;
  // Only of built-in kinds the server knows by the path what a body is.
  if (resource.custom) requireType(object, resource.kind, expected);
  const { apiVersion = expected, kind = resource.kind } = object;
  if (apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (kind !== resource.kind) {
    throw badRequest(
      `${kind} in version "${version}" cannot be handled as a ${resource.kind}: converting (${kind}) to (${resource.kind}): unknown conversion`,
    );
  }
  const metadata = isObject(object.metadata) ? object.metadata : { name: '' };
  return { ...object, apiVersion, kind, metadata };
}

function requireType(object: KubeObject, kind: string, apiVersion: string): void {
  const text = JSON.stringify(object);
  if (!object.kind) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): Object 'Kind' is missing in '${text}' (${text})`,
    );
  }
  if (!object.apiVersion)
    throw badRequest(`the API version in the data () does not match the expected API version (${apiVersion})`);
}

/** Gives a namespaced object the namespace of the path. Throws 400 where it names another. */
export function placeInNamespace(target: ResourceTarget, object: KubeObject): void {
  if (!target.resource.namespaced || target.namespace === undefined) return;
  if (object.metadata.namespace && object.metadata.namespace !== target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  object.metadata.namespace = target.namespace;
}

/** Gives an object the name of the path. Throws 400 where it has another. */
export function checkName(target: ResourceTarget, object: KubeObject): void {
  const { name } = object.metadata;
  if (name && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name ?? ''})`);
  }
  object.metadata.name = target.name ?? '';
}

/** Throws 409 where the given resourceVersion or uid is not that of the stored object. */
export function checkVersion(target: ResourceTarget, before: KubeObject, metadata: JsonObject | undefined): void {
  const { name, uid, resourceVersion } = before.metadata;
  if (metadata?.uid && metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${String(metadata.uid)}, UID in object meta: ${String(uid)}`;
    throw conflict(target.resource, name, why);
  }
  if (metadata?.resourceVersion && metadata.resourceVersion !== resourceVersion)
    throw staleVersion(target.resource, name);
}
