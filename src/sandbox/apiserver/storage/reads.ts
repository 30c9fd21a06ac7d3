import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { badRequest, expired, notFound } from '../errors.ts';
import type { JsonObject } from '../fields/json.ts';
import { presentList, presentObject, type Representation } from '../http/presentation.ts';
import type { ResourceTarget } from '../http/request-target.ts';
import type { ClusterState } from './lifecycle.ts';
import { requestSelector } from './selectors.ts';

/** The stored object that a target names. Throws 404. */
export function requireObject(state: ClusterState, target: ResourceTarget): KubeObject {
  const object = state.log.get(target.resource, target.namespace, target.name ?? '');
  if (!object) throw notFound(target.resource, target.name ?? '');
  return object;
}

/** Answers a get. */
export function getObject(state: ClusterState, target: ResourceTarget, shape: Representation): JsonObject {
  return presentObject(requireObject(state, target), target.resource, target.version, shape);
}

interface ContinueToken {
  revision: number;
  /** How many objects the former pages had. */
  offset: number;
}

function readToken(text: string): ContinueToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as ContinueToken;
    if (Number.isInteger(token.revision) && Number.isInteger(token.offset)) return token;
  } catch {
    // Told below.
  }
  throw badRequest('continue key is not valid');
}

const writeToken = (token: ContinueToken): string => Buffer.from(JSON.stringify(token)).toString('base64url');

function listState(state: ClusterState, target: ResourceTarget, revision: number): KubeObject[] {
  if (revision > state.log.revision())
    throw expired(`Too large resource version: ${revision}, current: ${state.log.revision()}`);
  return state.log.listAt(target.resource, target.namespace, revision);
}

/**
 * Answers a list: selectors, pages of one snapshot (`limit`, `continue`; 410 once the snapshot is forgotten),
 * `resourceVersion` with `resourceVersionMatch=Exact`.
 */
export function listObjects(
  state: ClusterState,
  target: ResourceTarget,
  query: URLSearchParams,
  shape: Representation,
): JsonObject {
  const selector = requestSelector(target.resource, query);
  const continued = query.get('continue');
  const token = continued ? readToken(continued) : undefined;
  const exact = query.get('resourceVersionMatch') === 'Exact' ? Number(query.get('resourceVersion')) : undefined;
  const revision = token?.revision ?? exact ?? state.log.revision();
  let all: KubeObject[];
  try {
    all = listState(state, target, revision).filter(selector);
  } catch (error) {
    if (!token) throw error;
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    );
  }
  const limit = Number(query.get('limit') ?? 0);
  const offset = token?.offset ?? 0;
  const end = limit > 0 ? offset + limit : all.length;
  const metadata: JsonObject = { resourceVersion: String(revision) };
  if (end < all.length) {
    metadata.continue = writeToken({ revision, offset: end });
    const selected = query.get('labelSelector') || query.get('fieldSelector');
    if (!selected) metadata.remainingItemCount = all.length - end;
  }
  return presentList(all.slice(offset, end), target.resource, target.version, shape, metadata);
}
