import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { rememberedOf } from '../../../mesh/remembered.ts';
import type { PodRuntime } from '../api.ts';
import { answerReview, type Judge, reviewOf } from '../auth/access-reviews.ts';
import type { Identity } from '../auth/authentication.ts';
import { type ApiError, methodNotAllowed, noSuchPath } from '../errors.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import { remove, removeAll } from '../storage/deletes.ts';
import { type ClusterState, updateObject } from '../storage/lifecycle.ts';
import { getObject, listObjects, requireObject } from '../storage/reads.ts';
import { scaleOf, withScale } from '../storage/scale.ts';
import { create, patch, patched, update } from '../storage/writes.ts';
import { chooseContainer } from '../streams/pod-connection.ts';
import { serveWatch } from '../streams/watch.ts';
import { discover, versionInfo } from './discovery.ts';
import { openApi, openApiV2 } from './openapi.ts';
import { presentList, presentObject, representationOf } from './presentation.ts';
import { type RequestBody, readBody } from './request-body.ts';
import type { ResourceTarget } from './request-target.ts';
import { isDryRun, managerOf, type WriteRequest } from './write-request.ts';

/** One authenticated and authorized request. */
export interface ServedRequest {
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  query: URLSearchParams;
  identity: Identity;
  verb: string;
  target: ResourceTarget | undefined;
  /** Where it was read to see what is asked for. */
  body?: RequestBody | undefined;
}

export interface Services extends Judge {
  state: ClusterState;
  runtime: PodRuntime;
  kubernetesVersion: string;
  /** Throws 403 unless the identity may do that. */
  require: (identity: Identity, target: ResourceTarget, verb: string) => void;
  /** Throws 403 where an object hands on rights that the identity lacks; `before` is what an update changes. */
  requireHeld: (identity: Identity, target: ResourceTarget, object: KubeObject, before?: KubeObject) => void;
}

function reply(response: ServerResponse, code: number, body: JsonObject, mediaType = 'application/json'): void {
  replyBytes(response, code, Object.isFrozen(body) ? bytesOfStored(body) : bytesOf(body), mediaType);
}

function bytesOf(body: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(body));
}

/** An object that is stored never changes, and is read many times. */
const bytesOfStored = rememberedOf(bytesOf);

function replyBytes(response: ServerResponse, code: number, bytes: Buffer, mediaType: string): void {
  response.writeHead(code, {
    'content-type': mediaType,
    'content-length': bytes.length,
    'cache-control': 'no-cache, private',
  });
  response.end(bytes);
}

function replyText(response: ServerResponse, text: string): void {
  replyBytes(response, 200, Buffer.from(text), 'text/plain');
}

/** Answers with a Status. */
export function replyError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  const { retryAfterSeconds } = error.details ?? {};
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
  reply(response, error.code, error.toStatus());
}

const HEALTH = new Set(['/healthz', '/livez', '/readyz']);

/** Serves one request. Throws ApiError. */
export async function dispatch(services: Services, served: ServedRequest): Promise<void> {
  if (served.target) return serveResource(services, served, served.target);
  const { request, response, path } = served;
  const review = reviewOf(path);
  if (review !== undefined) {
    if (request.method !== 'POST') throw methodNotAllowed();
    const { value } = await readBody(request);
    return reply(response, 201, answerReview(review, value, served.identity, services));
  }
  if (request.method !== 'GET') throw noSuchPath();
  if (HEALTH.has(path)) return replyText(response, 'ok');
  if (path === '/version') return reply(response, 200, versionInfo(services.kubernetesVersion));
  if (path === '/openapi/v2') {
    const { body, mediaType } = openApiV2(request.headers.accept ?? '');
    return replyBytes(response, 200, body, mediaType);
  }
  const schema = path.startsWith('/openapi/v3') ? openApi(services.state.kinds, path) : undefined;
  if (schema) return reply(response, 200, schema);
  const discovered = discover(services.state.kinds, path, request.headers.accept ?? '');
  if (!discovered) throw noSuchPath();
  return reply(response, 200, discovered.body, discovered.mediaType);
}

async function serveResource(services: Services, served: ServedRequest, target: ResourceTarget): Promise<void> {
  const { subresource, resource } = target;
  if (subresource === 'log' && resource.kind === 'Pod') return serveLog(services, served, target);
  if (subresource === 'scale' && resource.subresources.includes('scale')) return serveScale(services, served, target);
  const isFinalize = subresource === 'finalize' && resource.kind === 'Namespace';
  const isStatus = subresource === 'status' && resource.subresources.includes('status');
  if (subresource !== undefined && !isStatus && !isFinalize) throw noSuchPath();
  return serveObject(services, served, target);
}

async function writeRequest(services: Services, served: ServedRequest, target: ResourceTarget): Promise<WriteRequest> {
  const { request, response, query, identity } = served;
  const warnings = new Set<string>();
  return {
    target,
    query,
    body: served.body ?? (await readBody(request)),
    userAgent: request.headers['user-agent'] ?? '',
    mayCreate: () => services.require(identity, target, 'create'),
    mayGrant: (object, before) => services.requireHeld(identity, target, object, before),
    warn: (text) => {
      warnings.add(`299 - ${JSON.stringify(text)}`);
      response.setHeader('warning', [...warnings]);
    },
  };
}

async function serveObject(services: Services, served: ServedRequest, target: ResourceTarget): Promise<void> {
  const { request, response, query, verb } = served;
  const { state } = services;
  const { resource, version } = target;
  const shape = representationOf(request.headers.accept, query);
  const mediaType = shape.kind === 'table' ? 'application/json;as=Table;v=v1;g=meta.k8s.io' : 'application/json';
  switch (verb) {
    case 'get':
      return reply(response, 200, getObject(state, target, shape), mediaType);
    case 'list':
      return reply(response, 200, listObjects(state, target, query, shape), mediaType);
    case 'watch':
      return serveWatch(state, target, query, shape, response);
  }
  const write = await writeRequest(services, served, target);
  switch (verb) {
    case 'create':
      if (target.name !== undefined) throw methodNotAllowed();
      return reply(response, 201, presentObject(create(state, write), resource, version, shape), mediaType);
    case 'update':
      if (target.name === undefined) throw methodNotAllowed();
      return reply(response, 200, presentObject(update(state, write), resource, version, shape), mediaType);
    case 'patch': {
      if (target.name === undefined) throw methodNotAllowed();
      const { object, created } = patch(state, write);
      return reply(response, created ? 201 : 200, presentObject(object, resource, version, shape), mediaType);
    }
    case 'delete':
      return reply(response, 200, remove(state, write));
    case 'deletecollection': {
      const metadata = { resourceVersion: String(state.log.revision()) };
      return reply(response, 200, presentList(removeAll(state, write), resource, version, shape, metadata), mediaType);
    }
    default:
      throw methodNotAllowed();
  }
}

async function serveScale(services: Services, served: ServedRequest, target: ResourceTarget): Promise<void> {
  const { response, verb } = served;
  const before = requireObject(services.state, target);
  if (verb === 'get') return reply(response, 200, scaleOf(before));
  if (verb !== 'update' && verb !== 'patch') throw methodNotAllowed();
  const write = await writeRequest(services, served, target);
  const scale =
    verb === 'patch'
      ? patched({ ...target, resource: { ...target.resource, custom: false } }, scaleOf(before), write.body)
      : write.body.value;
  const next = withScale(before, isObject(scale) ? scale : {});
  const stored = updateObject(services.state, target.resource, before, next, {
    manager: managerOf(write),
    dryRun: isDryRun(served.query),
  });
  return reply(response, 200, scaleOf(stored));
}

function serveLog(services: Services, served: ServedRequest, target: ResourceTarget): void {
  const { query, response } = served;
  if (served.verb !== 'get') throw methodNotAllowed();
  const pod = requireObject(services.state, target);
  const container = chooseContainer(pod, query.get('container'));
  const log = services.runtime.logs(target.namespace ?? '', pod.metadata.name, container);
  const tail = query.get('tailLines');
  const lines = log.split(/(?<=\n)/);
  replyText(response, tail === null ? log : lines.slice(Math.max(0, lines.length - Number(tail))).join(''));
}
