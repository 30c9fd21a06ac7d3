import { noticed } from '../mesh/cluster-clocks.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../mesh/objects/kube-object.ts';
import { FIELD_MANAGER } from '../mesh/plan/plan.ts';
import { openCredentials } from './access/credentials.ts';
import { selectContext } from './access/kubeconfig.ts';
import type { Kubeconfig } from './access/kubeconfig-entries.ts';
import { proxyFor, withoutPassword } from './access/proxy.ts';
import type { ApplyOptions, ClientOptions, ClusterClient } from './client.ts';
import type { ApiAction, Whereabouts } from './errors.ts';
import { execInPod } from './exec.ts';
import type { ApiRequest } from './http/exchange.ts';
import { lastingTransport } from './http/lasting-transport.ts';
import { errorOfProtocol } from './http/no-answer.ts';
import { DEFAULT_RETRY, sleep } from './http/retry.ts';
import { createTransport, type Transport } from './http/transport.ts';
import { listPages, watchEvents } from './list-watch.ts';
import { isObjectOf, soundObject } from './object-shape.ts';
import { forwardPort } from './port-forward.ts';
import { collectionPath, groupOf, objectPath, pluralOf } from './resources.ts';
import { readRules, readUser } from './rules-review.ts';
import { shaped } from './shape.ts';

/** Opens a client. Nothing is sent until the first call. Throws what {@link selectContext} throws, and `Usage`. */
export function openCluster(kubeconfig: Kubeconfig, options: ClientOptions): ClusterClient {
  const context = selectContext(kubeconfig, options.context);
  const { server } = context.cluster;
  const { requestTimeoutMs, userAgent, signal, debug, warn, onClock, env = {}, work = { hasBegun: false } } = options;
  const { retry = DEFAULT_RETRY, clock = { sleep, ms: () => Math.round(performance.now()) } } = options;
  const proxy = proxyFor(server, context.cluster.proxyUrl, env);
  const { as, asGroup } = options;
  const credentials = openCredentials(context, { as, asGroup, proxy, timeoutMs: requestTimeoutMs, ms: clock.ms });
  for (const warning of context.warnings) warn?.(warning);
  const shown = withoutPassword(server);
  /** How far this machine is ahead of it. */
  let aheadMs: number | undefined;
  const transport = createTransport({
    server,
    shown,
    credentials,
    requestTimeoutMs,
    userAgent,
    signal,
    onClock: (date) => {
      aheadMs = Date.now() - date.getTime();
      onClock?.(date);
    },
    debug,
    warn: warn && onceEach((text) => warn(`context "${context.name}": ${text}`)),
    retry,
    clock,
  });
  const through = proxy && `the proxy ${withoutPassword(proxy.url)} (${proxy.setBy})`;
  const time = {
    clock,
    now: () => new Date(Date.now() - (aheadMs ?? 0)),
    aheadMs: options.aheadMs ?? (() => (aheadMs === undefined ? undefined : noticed(-aheadMs))),
  };
  const onOutage = options.onOutage && (() => options.onOutage?.(context.name));
  const lasting = lastingTransport(transport, { work, signal, clock, onOutage });
  return clientOver(lasting, time, { context: context.name, server: shown, ...(through ? { through } : {}) });
}

/** API servers warn in every answer of the same thing. */
function onceEach(say: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
}

function clientOver(
  transport: Transport,
  { clock, now, aheadMs }: Required<Pick<ClusterClient, 'clock' | 'now' | 'aheadMs'>>,
  at: Whereabouts,
): ClusterClient {
  const onObject = (verb: string, ref: ObjectRef, subresource?: string): ApiAction => ({
    ...at,
    verb,
    target: describeRef(ref),
    apiGroup: groupOf(ref.apiVersion),
    resource: subresource ? `${pluralOf(ref.kind)}/${subresource}` : pluralOf(ref.kind),
    namespace: ref.namespace,
  });

  /** The object in an answer, which must be the one that the request is about. */
  async function objectFrom(request: ApiRequest, ref: ObjectRef): Promise<KubeObject> {
    const { body } = await transport.request(request);
    return theObject(request.action, body, ref);
  }

  async function applyOnce(
    object: KubeObject,
    { force = false, dryRun, signal, onSend }: ApplyOptions,
  ): Promise<KubeObject> {
    const ref = refOf(object);
    const request: ApiRequest = {
      action: { ...onObject('patch', ref), attempt: `apply ${describeRef(ref)}` },
      method: 'PATCH',
      path: `${objectPath(ref)}${writeQuery(dryRun, { force: String(force) })}`,
      contentType: 'application/apply-patch+yaml',
      body: object,
      idempotent: true,
      stores: !dryRun,
      onSend,
      signal,
    };
    return objectFrom(request, ref);
  }

  const client: ClusterClient = {
    context: at.context,
    server: at.server,
    now,
    aheadMs,
    clock,

    async get(ref, { signal } = {}) {
      const action = onObject('get', ref);
      const { status, body } = await transport.request({
        action,
        method: 'GET',
        path: objectPath(ref),
        idempotent: true,
        expectedStatuses: [404],
        signal,
      });
      return status === 404 ? undefined : theObject(action, body, ref);
    },

    async *list(selection, { signal } = {}) {
      for await (const page of listPages(transport, at, selection, signal)) yield* page.items;
    },

    async listAll(selection, { signal } = {}) {
      const objects: KubeObject[] = [];
      for await (const page of listPages(transport, at, selection, signal)) objects.push(...page.items);
      return objects;
    },

    async collect(selection, keep, { signal } = {}) {
      const kept: ReturnType<typeof keep>[number][] = [];
      for await (const page of listPages(transport, at, selection, signal)) kept.push(...page.items.flatMap(keep));
      return kept;
    },

    listPages: (selection, { signal } = {}) => listPages(transport, at, selection, signal),

    create(object, { dryRun, signal, onSend } = {}) {
      const { apiVersion, kind, namespace } = { ...object, namespace: object.metadata.namespace };
      const request: ApiRequest = {
        action: onObject('create', refOf(object)),
        method: 'POST',
        path: `${collectionPath({ apiVersion, kind, namespace })}${writeQuery(dryRun)}`,
        body: object,
        idempotent: false,
        stores: !dryRun,
        onSend,
        signal,
      };
      return objectFrom(request, refOf(object));
    },

    async apply(object, options = {}) {
      try {
        return await applyOnce(object, options);
      } catch (error) {
        // What meshctl wrote by merge patch counts as another manager's; taking over from oneself is no conflict.
        if (options.force || !isConflictWithOurselves(error)) throw error;
        return applyOnce(object, { ...options, force: true });
      }
    },

    patch(ref, patch, { resourceVersion, subresource, dryRun, signal, onSend } = {}) {
      const metadata = patch.metadata as Record<string, unknown> | undefined;
      const request: ApiRequest = {
        action: onObject('patch', ref, subresource),
        method: 'PATCH',
        path: `${objectPath(ref, subresource)}${writeQuery(dryRun)}`,
        contentType: 'application/merge-patch+json',
        body: resourceVersion ? { ...patch, metadata: { ...metadata, resourceVersion } } : patch,
        idempotent: true,
        stores: !dryRun,
        onSend,
        signal,
      };
      return objectFrom(request, ref);
    },

    async delete(ref, { uid, resourceVersion, dryRun, signal, onSend } = {}) {
      const { status } = await transport.request({
        action: onObject('delete', ref),
        method: 'DELETE',
        path: objectPath(ref),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          ...(uid || resourceVersion
            ? { preconditions: { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) } }
            : {}),
          ...(dryRun ? { dryRun: ['All'] } : {}),
        },
        idempotent: true,
        stores: !dryRun,
        onSend,
        expectedStatuses: [404],
        signal,
      });
      return status !== 404;
    },

    watch(selection, resourceVersion, { timeoutMs, signal } = {}) {
      return watchEvents(transport, at, selection, { resourceVersion, timeoutMs, signal });
    },

    async version() {
      const { body } = await transport.request(nonResource('/version', 'the version'));
      const { gitVersion } = (shaped(body, { gitVersion: 'text' }) ?? {}) as { gitVersion?: string };
      return gitVersion ?? '';
    },

    async apiGroups() {
      const { body } = await transport.request(nonResource('/apis', 'the API groups'));
      const { groups = [] } = (shaped(body, { groups: [{ name: 'text' }] }) ?? {}) as { groups?: { name?: string }[] };
      return groups.flatMap(({ name }) => name ?? []);
    },

    rules: (namespace) => readRules(transport, at, namespace),
    user: () => readUser(transport, at),

    exec: (options) => execInPod(transport, at, options),

    portForward: (options) => forwardPort(transport, at, options),

    close: () => transport.close(),
  };
  return client;

  function nonResource(path: string, target: string): ApiRequest {
    return { action: { ...at, verb: 'get', target }, method: 'GET', path, idempotent: true };
  }
}

/** With Strict, an API server refuses a field that it does not know instead of dropping it in silence. */
function writeQuery(dryRun: boolean | undefined, more: Record<string, string> = {}): string {
  const query = {
    fieldManager: FIELD_MANAGER,
    fieldValidation: 'Strict',
    ...more,
    ...(dryRun ? { dryRun: 'All' } : {}),
  };
  return `?${new URLSearchParams(query)}`;
}

/** @throws MeshctlError `ApiFailure` for an answer that is something else than the object that it should be */
function theObject(action: ApiAction, body: unknown, ref: ObjectRef): KubeObject {
  const object = soundObject(body);
  if (object && isObjectOf(object, ref)) return object;
  throw errorOfProtocol(
    action,
    object ? `the answer is ${describeRef(refOf(object))}` : 'the answer is not an object of that kind',
  );
}

function isConflictWithOurselves(error: unknown): boolean {
  if (!(error instanceof MeshctlError) || error.code !== 'Conflict') return false;
  const conflicts = (error.details.conflicts ?? []) as { manager: string }[];
  return conflicts.length > 0 && conflicts.every(({ manager }) => manager === FIELD_MANAGER);
}
