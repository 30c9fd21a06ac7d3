import { errorOfAbort, isAway, isRefusal, MeshctlError } from '../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import type { ClusterClient } from './client.ts';
import { linkSignals, timeoutSignal } from './http/linked-signal.ts';
import type { Selection } from './list-watch.ts';
import { outlasting } from './outlast.ts';

/** For the first list: one that stays away for longer may not come back, and nothing was seen yet that is worth a whole wait. */
const FIRST_OUTAGE_MS = 60_000;

export interface WaitOptions {
  timeoutMs: number;
  signal: AbortSignal;
  /** For the message when time is over: `Deployment kube-system/clustermesh-apiserver to become ready`. */
  waitingFor: string;
  /** Between looks while watching does not work. Default 2 s. */
  pollIntervalMs?: number | undefined;
}

/**
 * Waits until `accept` gives something other than undefined for an object, which is undefined while it does not exist.
 * Throws `Timeout`, `Interrupted`, and whatever the API server refuses for good (e.g. `Forbidden`).
 */
export function waitForObject<T>(
  client: ClusterClient,
  ref: ObjectRef,
  accept: (object: KubeObject | undefined) => T | undefined,
  options: WaitOptions,
): Promise<T> {
  const { apiVersion, kind, namespace, name } = ref;
  const selection: Selection = { apiVersion, kind, namespace, fieldSelector: `metadata.name=${name}` };
  return waitForList(client, selection, ([object]) => accept(object), options);
}

/**
 * Lists and watches until `accept` gives something other than undefined for the objects selected; it is asked once
 * for the list and again after each change, so no state is missed. A watch that ends is taken up again where it
 * ended; one that breaks or is too old (410) begins with a new list; where watching is not possible at all, lists are
 * taken at intervals. Only the first list must be let: an API server that goes away is waited for, and one that refuses what it
 * let before is asked once more.
 */
export async function waitForList<T>(
  client: ClusterClient,
  selection: Selection,
  accept: (objects: readonly KubeObject[]) => T | undefined,
  { timeoutMs, signal: own, waitingFor, pollIntervalMs = 2000 }: WaitOptions,
): Promise<T> {
  const deadline = timeoutSignal(timeoutMs);
  const { signal, unlink } = linkSignals(own, deadline);
  let lastTrouble: unknown;
  let isListed = false;
  try {
    const noteTrouble = (trouble: unknown) => {
      if (!signal.aborted || isTrouble(trouble)) lastTrouble = trouble;
      throw trouble;
    };
    const outlast = outlasting(client.clock, { limitMs: FIRST_OUTAGE_MS, everyMs: pollIntervalMs });
    let state = await outlast(() => listState(client, selection, signal).catch(noteTrouble), signal);
    isListed = true;
    for (;;) {
      const found = accept([...state.objects.values()]);
      if (found !== undefined) return found;
      const seen = await watchState(client, selection, { ...state, accept, signal });
      if (seen.found !== undefined) return seen.found;
      // A watch that worked for a while is worth a new one at once; else this loop would be a busy one.
      if (!seen.progressed) await client.clock.sleep(pollIntervalMs, signal);
      state = await listAgain(client, selection, signal, (trouble) => {
        lastTrouble = trouble;
        return client.clock.sleep(pollIntervalMs, signal);
      });
    }
  } catch (error) {
    if (own.aborted) throw errorOfAbort(own);
    // What was never seen was not waited for.
    if (deadline.aborted && !isListed && lastTrouble !== undefined) throw lastTrouble;
    if (deadline.aborted) {
      throw new MeshctlError('Timeout', `context "${client.context}": waited ${timeoutMs / 1000} s for ${waitingFor}`, {
        cause: lastTrouble,
        details: { context: client.context, timeoutMs },
      });
    }
    throw error;
  } finally {
    unlink();
  }
}

/** The objects as they were listed at some version. */
interface Listed {
  objects: Map<string, KubeObject>;
  resourceVersion: string;
}

async function listState(client: ClusterClient, selection: Selection, signal: AbortSignal): Promise<Listed> {
  const objects = new Map<string, KubeObject>();
  let resourceVersion = '';
  for await (const page of client.listPages(selection, { signal })) {
    for (const item of page.items) objects.set(identityOf(item), item);
    resourceVersion = page.resourceVersion;
  }
  return { objects, resourceVersion };
}

/** A wait that has begun outlasts an API server that is away, however long, and a login that is being renewed. */
async function listAgain(
  client: ClusterClient,
  selection: Selection,
  signal: AbortSignal,
  pause: (trouble: unknown) => Promise<void>,
): Promise<Listed> {
  let mayBeRefused = true;
  for (;;) {
    try {
      return await listState(client, selection, signal);
    } catch (error) {
      const isForgiven = mayBeRefused && error instanceof MeshctlError && isRefusal(error);
      if (signal.aborted || !(isTrouble(error) || isForgiven)) throw error;
      if (isForgiven) mayBeRefused = false;
      await pause(error);
    }
  }
}

interface WatchState<T> extends Listed {
  accept: (objects: readonly KubeObject[]) => T | undefined;
  signal: AbortSignal;
}

/** Follows changes over any number of watches, until something is found or a watch fails. */
async function watchState<T>(
  client: ClusterClient,
  selection: Selection,
  { objects, resourceVersion, accept, signal }: WatchState<T>,
): Promise<{ found: T | undefined; progressed: boolean }> {
  let version = resourceVersion;
  let progressed = false;
  for (;;) {
    const before = version;
    try {
      for await (const { type, object } of client.watch(selection, version, { signal })) {
        version = object.metadata.resourceVersion ?? version;
        if (type === 'DELETED') objects.delete(identityOf(object));
        else objects.set(identityOf(object), object);
        const found = accept([...objects.values()]);
        if (found !== undefined) return { found, progressed };
      }
    } catch (error) {
      if (signal.aborted || !isUnwatchable(error)) throw error;
      return { found: undefined, progressed };
    }
    progressed ||= version !== before;
    // Ended without an event: take the list again rather than ask for a watch in a tight loop.
    if (version === before) return { found: undefined, progressed: false };
  }
}

function isTrouble(error: unknown): boolean {
  return error instanceof MeshctlError && isAway(error);
}

/** Whether lists may do instead of a watch: some users may list but not watch. */
function isUnwatchable(error: unknown): boolean {
  return isTrouble(error) || (error instanceof MeshctlError && isRefusal(error));
}

function identityOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
