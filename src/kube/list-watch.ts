import { StringDecoder } from 'node:string_decoder';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { isRecord } from '../mesh/record.ts';
import { parseStatus } from './api-status.ts';
import { type ApiAction, errorOfRefusal, type Whereabouts } from './errors.ts';
import { errorOfProtocol, errorOfTransport } from './http/no-answer.ts';
import type { Transport } from './http/transport.ts';
import { soundObject } from './object-shape.ts';
import { collectionPath, groupOf, pluralOf } from './resources.ts';
import { type Shape, shaped } from './shape.ts';

/** Some objects of one kind. */
export interface Selection {
  apiVersion: string;
  kind: string;
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  /** e.g. `k8s-app=cilium`. */
  labelSelector?: string | undefined;
  /** e.g. `metadata.name=cilium-config`. */
  fieldSelector?: string | undefined;
  /** Objects per request; default 500. */
  pageSize?: number | undefined;
}

export interface ListPage {
  items: KubeObject[];
  /** Of the whole list; where a watch starts. */
  resourceVersion: string;
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
}

const DEFAULT_PAGE_SIZE = 500;
const LIST: Shape = { items: ['any'], metadata: { continue: 'text', resourceVersion: 'text' } };

/**
 * The pages of a list. Objects in a list lack apiVersion and kind; they are put back. A continuation that has expired
 * (410, on lists that take minutes) goes on from the token that the API server offers instead, which may miss changes
 * made meanwhile but no object that was there throughout.
 */
export async function* listPages(
  transport: Transport,
  at: Whereabouts,
  selection: Selection,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListPage> {
  const action = actionOn(at, 'list', selection);
  let next: string | undefined;
  do {
    const query = selectionQuery(selection);
    query.set('limit', String(selection.pageSize ?? DEFAULT_PAGE_SIZE));
    if (next) query.set('continue', next);
    const { status, body } = await transport.request({
      action,
      method: 'GET',
      path: `${collectionPath(selection)}?${query}`,
      idempotent: true,
      expectedStatuses: next ? [410] : [],
      signal,
    });
    const list = shaped(body, LIST) as
      | { items?: unknown[]; metadata?: { continue?: string; resourceVersion?: string } }
      | undefined;
    const token = list?.metadata?.continue;
    if (status === 410) {
      if (!token) throw errorOfProtocol(action, 'the list expired while it was read');
    } else {
      if (!list?.metadata) throw errorOfProtocol(action, 'the answer is not a list');
      const { apiVersion, kind } = selection;
      const items = (list.items ?? []).flatMap(
        (item) => soundObject(isRecord(item) && { ...item, apiVersion, kind }) ?? [],
      );
      yield { items, resourceVersion: list.metadata.resourceVersion ?? '' };
    }
    next = token;
  } while (next);
}

/**
 * One watch. Returns when the API server ends it, which it does every few minutes; throws when the connection breaks
 * or `resourceVersion` is too old (details.httpStatus 410). Going on from there is the caller's, see `waitFor`.
 */
export async function* watchEvents(
  transport: Transport,
  at: Whereabouts,
  selection: Selection,
  options: { resourceVersion: string; timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<WatchEvent> {
  const action = actionOn(at, 'watch', selection);
  const query = selectionQuery(selection);
  query.set('watch', 'true');
  query.set('resourceVersion', options.resourceVersion);
  if (options.timeoutMs !== undefined)
    query.set('timeoutSeconds', String(Math.max(1, Math.ceil(options.timeoutMs / 1000))));
  const path = `${collectionPath(selection)}?${query}`;
  const response = await transport.stream({ action, method: 'GET', path, idempotent: true, signal: options.signal });
  try {
    for await (const line of linesOf(response)) {
      const { type, object } = (JSON.parse(line) ?? {}) as { type?: unknown; object?: unknown };
      if (type === 'ERROR') {
        const body = JSON.stringify({ ...(isRecord(object) ? object : {}), kind: 'Status' });
        const refusal = { status: parseStatus(body)?.code ?? 500, body };
        throw errorOfRefusal(action, refusal, { auth: { kind: 'none' } });
      }
      const sound = soundObject(object);
      if (sound && (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')) yield { type, object: sound };
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw errorOfProtocol(action, 'the watch was cut off within an event');
    throw error instanceof MeshctlError ? error : errorOfTransport(action, error);
  } finally {
    response.destroy();
  }
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.write(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest.trim() !== '') yield rest;
}

function selectionQuery({ labelSelector, fieldSelector }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (labelSelector) query.set('labelSelector', labelSelector);
  if (fieldSelector) query.set('fieldSelector', fieldSelector);
  return query;
}

function actionOn(at: Whereabouts, verb: string, selection: Selection): ApiAction {
  const plural = pluralOf(selection.kind);
  return {
    ...at,
    verb,
    target: selection.namespace ? `${plural} in ${selection.namespace}` : plural,
    apiGroup: groupOf(selection.apiVersion),
    resource: plural,
    namespace: selection.namespace,
  };
}
