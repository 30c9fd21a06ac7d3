import type { ServerResponse } from 'node:http';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { type ApiError, invalid, toApiError } from '../errors.ts';
import type { JsonObject } from '../fields/json.ts';
import { presentObject, type Representation } from '../http/presentation.ts';
import type { ResourceTarget } from '../http/request-target.ts';
import { apiVersionOf } from '../storage/kinds.ts';
import type { ClusterState } from '../storage/lifecycle.ts';
import type { Change } from '../storage/object-log.ts';
import { requestSelector, type Selector } from '../storage/selectors.ts';

const DEFAULT_TIMEOUT_SECONDS = 1800;
const BOOKMARK_EVERY_MS = 10_000;

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: JsonObject;
}

/** What a change means to a watcher who sees only the selected objects, or undefined. */
function eventTypeOf(change: Change, selector: Selector): 'ADDED' | 'MODIFIED' | 'DELETED' | undefined {
  const before = change.previous !== undefined && selector(change.previous);
  const after = change.type !== 'DELETED' && selector(change.object);
  if (before && after) return 'MODIFIED';
  if (after) return 'ADDED';
  return before ? 'DELETED' : undefined;
}

/**
 * Serves a watch until the client goes or its time is up: first the state (without a resourceVersion or with 0) or what
 * happened since (an ERROR event with 410 where that is forgotten), then every change, bookmarks if asked.
 */
export function serveWatch(
  state: ClusterState,
  target: ResourceTarget,
  query: URLSearchParams,
  shape: Representation,
  response: ServerResponse,
): void {
  const { resource, version } = target;
  const { log } = state;
  const byName: Selector = target.name === undefined ? () => true : (object) => object.metadata.name === target.name;
  const requested = requestSelector(resource, query);
  const selector: Selector = (object) => byName(object) && requested(object);
  const wantsBookmarks = query.get('allowWatchBookmarks') === 'true';
  const wantsInitialEvents = query.get('sendInitialEvents') === 'true';
  if (wantsInitialEvents) checkInitialEvents(query, wantsBookmarks);
  const since = query.get('resourceVersion') ?? '';

  response.writeHead(200, {
    'content-type': shape.kind === 'table' ? 'application/json;as=Table;v=v1;g=meta.k8s.io' : 'application/json',
  });
  response.flushHeaders();
  let isFirst = true;
  const send = (event: WatchEvent): void => {
    // Only the first table of a watch has the columns.
    if (shape.kind === 'table' && !isFirst) event.object.columnDefinitions = null;
    isFirst = false;
    response.write(`${JSON.stringify(event)}\n`);
  };
  const sendObject = (type: WatchEvent['type'], object: KubeObject): void => {
    send({ type, object: presentObject(object, resource, version, shape) });
  };
  const sendBookmark = (annotations?: JsonObject): void => {
    const metadata = {
      resourceVersion: String(log.revision()),
      creationTimestamp: null,
      ...(annotations ? { annotations } : {}),
    };
    send({
      type: 'BOOKMARK',
      object: { kind: resource.kind, apiVersion: apiVersionOf(resource.group, version), metadata },
    });
  };
  const sendChange = (change: Change): void => {
    if (change.resource.group !== resource.group || change.resource.kind !== resource.kind) return;
    if (target.namespace !== undefined && change.object.metadata.namespace !== target.namespace) return;
    const type = eventTypeOf(change, selector);
    if (type) sendObject(type, change.object);
  };

  const start = log.revision();
  const unsubscribe = log.subscribe((change) => {
    if (change.revision > start) sendChange(change);
  });
  const timeoutSeconds = Number(query.get('timeoutSeconds') ?? 0) || DEFAULT_TIMEOUT_SECONDS;
  const timeout = setTimeout(() => response.end(), timeoutSeconds * 1000);
  const bookmarks = wantsBookmarks ? setInterval(sendBookmark, BOOKMARK_EVERY_MS) : undefined;
  response.on('close', () => {
    unsubscribe();
    clearTimeout(timeout);
    clearInterval(bookmarks);
  });

  try {
    if (wantsInitialEvents || since === '' || since === '0') {
      for (const object of log.list(resource, target.namespace).filter(selector)) sendObject('ADDED', object);
      if (wantsInitialEvents) sendBookmark({ 'k8s.io/initial-events-end': 'true' });
    } else {
      for (const change of log.changesAfter(Number(since))) sendChange(change);
    }
  } catch (error) {
    sendError(toApiError(error));
  }

  function sendError(error: ApiError): void {
    send({ type: 'ERROR', object: error.toStatus() });
    response.end();
  }
}

function checkInitialEvents(query: URLSearchParams, wantsBookmarks: boolean): void {
  const isRightMatch = query.get('resourceVersionMatch') === 'NotOlderThan';
  if (isRightMatch && wantsBookmarks) return;
  const message =
    'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan and allowWatchBookmarks to true';
  throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
    { reason: 'FieldValueForbidden', message, field: 'sendInitialEvents' },
  ]);
}
