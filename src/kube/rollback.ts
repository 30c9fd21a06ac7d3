import { alreadyExists, MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../mesh/objects/kube-object.ts';
import { MANAGED_BY, toolOwner } from '../mesh/objects/ownership.ts';
import { type Edit, FIELD_MANAGER } from '../mesh/plan/plan.ts';
import type { Journal, JournalEntry } from './apply.ts';
import type { ClusterClient } from './client.ts';
import { asStored, contains, equal, inversePatch, mergePatch } from './merge-patch.ts';
import { type Outlast, outlasting, WRITE_OUTAGE } from './outlast.ts';
import { OwnersNotRestored, restoreOwners } from './rollback-owners.ts';

type RolledBack = 'restored' | 'unchanged' | 'overtaken' | 'may-arrive' | 'left' | 'shared';

/** Outcomes with more to say. */
const TOLD_FURTHER = {
  removed: { outcome: 'overtaken', removed: true },
  'all-shared': { outcome: 'shared', whole: true },
  'all-left': { outcome: 'left', whole: true },
} as const satisfies Record<string, Omit<RollbackResult, 'ref'>>;

type RolledBackOnce = RolledBack | keyof typeof TOLD_FURTHER;

function isToldFurther(outcome: RolledBackOnce): outcome is keyof typeof TOLD_FURTHER {
  return outcome in TOLD_FURTHER;
}

/** What became of one object of a journal. */
export interface RollbackResult {
  ref: ObjectRef;
  /**
   * `unchanged`: the write never happened, or somebody has taken it back already. `overtaken`: others have since replaced or removed
   * what was written, so that it is neither that nor as before. `may-arrive`: it is as before, but the
   * object's creation was never answered, and nothing can refuse it if it still comes. `left`: it was not there before, and is
   * now, as someone else's by what is in it. `shared`: something of it stays, since others stand on it. `kept`: all of it stays,
   * since what it would be taken back for has not come; `error` says what. `owners`: it is as before, but for whose its fields are;
   * `error` says why.
   */
  outcome: RolledBack | 'kept' | 'owners' | 'failed';
  /** Of what is overtaken: others have removed it, so that nothing of what was written is left to be taken back. */
  removed?: true | undefined;
  /** Of what is left or shared: nothing of it was taken back. */
  whole?: true | undefined;
  error?: MeshctlError | undefined;
}

export interface RollbackOptions {
  /**
   * How long what lies between two waits may take; default: two minutes. The client's signal does not count: it may be why there
   * is something to roll back.
   */
  newSignal?: (() => AbortSignal) | undefined;
  /** How it waits for an API server that is away; default: for up to a minute. */
  outlast?: Outlast | undefined;
}

const ROLLBACK_TIMEOUT_MS = 120_000;

/** An object may change between the look and the write; more often than this would be a fight. */
const MAX_ATTEMPTS = 5;

/** A creation that was given up is looked for so often in the end, and so long after each other. */
const LATE_LOOKS = 4;
const LATE_LOOK_INTERVAL_MS = 500;

/** Set and taken away again, so that a write that was meant for the object as it was is refused if it still arrives. */
const MOVED_ON = 'meshctl.io/moved-on';

/**
 * Takes the journal's writes back, the last one first. Takes back only what was changed and is still so: later writes of
 * others stay. Of a write that was not answered, sees to it that it does not come later. Goes on past failures and never
 * throws.
 */
export async function rollback(
  client: ClusterClient,
  journal: Journal,
  {
    newSignal = () => AbortSignal.timeout(ROLLBACK_TIMEOUT_MS),
    outlast = outlasting(client.clock, WRITE_OUTAGE),
  }: RollbackOptions = {},
): Promise<RollbackResult[]> {
  const results: RollbackResult[] = [];
  let signal = newSignal();
  /** Waiting takes nothing of the time that the rest has, also where it was in vain. */
  const untimed = async (wait: (() => Promise<void>) | undefined) => {
    if (!wait) return;
    try {
      await wait();
    } finally {
      signal = newSignal();
    }
  };
  const rollBackEntry = async (entry: JournalEntry): Promise<RollbackResult> => {
    const { ref, awaitBefore, awaitAfter } = entry;
    let isAwaited = awaitBefore === undefined;
    try {
      await untimed(awaitBefore);
      isAwaited = true;
      const result = await rollBackPersistently(client, entry, signal, outlast).then(
        (outcome) => (isToldFurther(outcome) ? TOLD_FURTHER[outcome] : { outcome }),
        (error: unknown) => {
          if (error instanceof OwnersNotRestored) return { outcome: 'owners' as const, error: known(error.reason) };
          throw error;
        },
      );
      await untimed(awaitAfter);
      return { ref, ...result };
    } catch (error) {
      return { ref, outcome: isAwaited ? 'failed' : 'kept', error: known(error) };
    }
  };
  const late: JournalEntry[] = [];
  for (const entry of journal.entries.toReversed()) {
    const result = await rollBackEntry(entry);
    if (result.outcome === 'may-arrive') late.push(entry);
    else results.push(result);
  }
  return [...results, ...(await Promise.all(late.map((entry) => rollBackLate(client, entry, rollBackEntry, signal))))];
}

function known(error: unknown): MeshctlError {
  return error instanceof MeshctlError ? error : new MeshctlError('Bug', String(error), { cause: error });
}

/** A creation that has not been seen is looked for a little longer. */
async function rollBackLate(
  client: ClusterClient,
  entry: JournalEntry,
  rollBackEntry: (entry: JournalEntry) => Promise<RollbackResult>,
  signal: AbortSignal,
): Promise<RollbackResult> {
  let result: RollbackResult = { ref: entry.ref, outcome: 'may-arrive' };
  for (let look = 0; look < LATE_LOOKS && result.outcome === 'may-arrive' && !signal.aborted; look++) {
    // Over before its time when the signal is aborted: then comes the last look.
    await client.clock.sleep(LATE_LOOK_INTERVAL_MS, signal).catch(() => undefined);
    result = await rollBackEntry(entry);
  }
  return result;
}

async function rollBackPersistently(
  client: ClusterClient,
  entry: JournalEntry,
  signal: AbortSignal,
  outlast: Outlast,
): Promise<RolledBackOnce> {
  for (let conflicts = 0; ; ) {
    try {
      return await outlast(() => rollBackOnce(client, entry, signal), signal);
    } catch (error) {
      const isConflict = error instanceof MeshctlError && error.code === 'Conflict';
      if (!isConflict || ++conflicts === MAX_ATTEMPTS) throw error;
    }
  }
}

async function rollBackOnce(client: ClusterClient, entry: JournalEntry, signal: AbortSignal): Promise<RolledBackOnce> {
  const { ref, before, after, certain } = entry;
  const live = await client.get(ref, { signal });
  if (!certain && !before && !live) return 'may-arrive';
  if (!certain && live && live.metadata.resourceVersion === before?.metadata.resourceVersion) {
    await moveOn(client, live, signal);
    return 'unchanged';
  }
  if (!after) {
    if (live) return isOvertaken(entry, live) ? 'overtaken' : 'unchanged';
    return before !== undefined && (await recreate(client, before, signal)) ? 'restored' : 'unchanged';
  }
  if (!live) return before && certain ? 'removed' : 'unchanged';
  // What was sent and not answered is known without what the API server has filled in.
  const stored = certain ? after : (asStored(after, live) as KubeObject);
  if (isAnother(live, entry, stored)) return !certain && !before ? 'all-left' : replacedBy(entry, live);
  const { uid, resourceVersion } = live.metadata;
  const edit = rollbackEdit(entry, live, stored);
  if (!edit && entry.shared) return 'all-shared';
  if (!edit) return !isMixed(entry, live, stored) && isOvertaken(entry, live) ? 'overtaken' : 'unchanged';
  if (edit === 'left') return 'all-left';
  if (edit === 'delete') return (await client.delete(ref, { uid, resourceVersion, signal })) ? 'restored' : 'unchanged';
  const restored = await client.patch(ref, edit.patch, { resourceVersion, signal });
  // Of a write without an answer it is only known that all in the object is as it was to be.
  const left = certain || !equal(contentOf(live), contentOf(stored)) ? after : live;
  if (before && !isMixed(entry, live, stored))
    await restoreOwners(client, { before, after: left, live }, restored, signal);
  if (entry.shared) return 'shared';
  return before ? 'restored' : 'left';
}

/** Of an object in whose place there is another one of its name: as before, where that is what was there. */
function replacedBy(entry: JournalEntry, live: KubeObject): RolledBack {
  return entry.certain && (!entry.before || isOvertaken(entry, live)) ? 'overtaken' : 'unchanged';
}

/** Whether something that a write has changed, and that is not as it was written any more, is not as it was before either. */
function isOvertaken({ before, after, certain }: JournalEntry, live: KubeObject): boolean {
  if (!certain || !before) return false;
  const [was, now] = [restorable(before), restorable(live)];
  if (!after) return !contains(now, was);
  const back = inversePatch(was, restorable(after), restorable(after));
  return back !== undefined && !equal(mergePatch(now, back), now);
}

/** Gives an object another version and leaves it as it is. */
async function moveOn(client: ClusterClient, live: KubeObject, signal: AbortSignal): Promise<void> {
  const marked = (value: string | null) => ({ metadata: { annotations: { [MOVED_ON]: value } } });
  await client.patch(refOf(live), marked(''), { resourceVersion: live.metadata.resourceVersion, signal });
  await client.patch(refOf(live), marked(null), { signal });
}

function rollbackEdit(entry: JournalEntry, live: KubeObject, after: KubeObject): Edit | 'left' | undefined {
  const { before, rollback: takeBack } = entry;
  if (takeBack && isMixed(entry, live, after)) return takeBack(live);
  // Who applies all of it, or looks after it, by now stands on all of it.
  if (!before && isTakenOver(live, after)) return 'left';
  if (!before && isStillOurs(live, after)) return 'delete';
  // Of an object that was not there, others have something in it now: it stays theirs, without the keys that are not.
  const own = before ? restorable : ownPart;
  const patch = inversePatch(own(before), own(after), own(live));
  if (patch) return { patch };
  return before ? undefined : 'left';
}

/**
 * Whether what was written may be one with what others have written, so that only the plan tells what of it to take back. While
 * nobody else has written, what was there comes back to the byte.
 */
function isMixed({ rollback: takeBack, shared }: JournalEntry, live: KubeObject, after: KubeObject): boolean {
  return takeBack !== undefined && (shared === true || !equal(contentOf(live), contentOf(after)));
}

/** Whether the object of that name is not the one that was written. */
function isAnother(live: KubeObject, { before, certain }: JournalEntry, after: KubeObject): boolean {
  const uid = (certain ? after : before)?.metadata.uid;
  if (uid !== undefined) return live.metadata.uid !== uid;
  // It is not known whether the object was created: it was, if it holds all that was sent.
  return !contains(restorable(live), restorable(after));
}

/**
 * Whether an object that was created is not someone else's by now: others may have added keys of theirs, have written over one,
 * have made a Service lead to pods of theirs, or have a tool look after it. What else they set goes with it.
 */
function isStillOurs(live: KubeObject, after: KubeObject): boolean {
  const [theirs, ours] = [live, after].map(({ data = {} }) => data as Record<string, unknown>);
  const [now, then] = [live, after].map(({ spec, metadata: { labels } }) => ({
    selector: (spec as { selector?: unknown } | undefined)?.selector,
    manager: labels?.[MANAGED_BY],
  }));
  return Object.entries(theirs ?? {}).every(([key, value]) => value === ours?.[key]) && equal(now, then);
}

/**
 * Whether somebody else makes an object by now that was created: a tool has marked it as its own, or another program applies it. What
 * controllers set in it they write by updates, and in its status.
 */
function isTakenOver(live: KubeObject, after: KubeObject): boolean {
  const appliersOf = ({ metadata: { managedFields = [] } }: KubeObject) =>
    managedFields.filter(({ manager, operation, subresource }) => {
      const isApply = operation === 'Apply' || manager === CLIENT_SIDE_APPLY;
      return isApply && subresource === undefined && manager !== FIELD_MANAGER;
    });
  const known = appliersOf(after).map(({ manager }) => manager);
  const isNew = appliersOf(live).some(({ manager }) => !known.includes(manager));
  return isNew || (toolOwner(live) !== undefined && toolOwner(live) !== toolOwner(after));
}

/** The manager of `kubectl apply` without --server-side, which writes by updates. */
const CLIENT_SIDE_APPLY = 'kubectl-client-side-apply';

/** Of what others write in an object too, that which can go key by key: the data, and the marks that say whose it is. */
function ownPart(object: KubeObject | undefined): Record<string, unknown> {
  const none = { metadata: { labels: {}, annotations: {} } };
  if (object?.data === undefined) return none;
  const { labels = {}, annotations = {} } = object.metadata;
  return { data: object.data, metadata: { labels, annotations } };
}

async function recreate(client: ClusterClient, before: KubeObject, signal: AbortSignal): Promise<boolean> {
  try {
    const created = await client.create(restorable(before) as KubeObject, { signal });
    await restoreOwners(client, { before, after: undefined, live: undefined }, created, signal);
  } catch (error) {
    if (!alreadyExists(error)) throw error;
    throw new MeshctlError(
      'Conflict',
      `context "${client.context}": someone else recreated ${describeRef(refOf(before))}`,
      {
        details: { context: client.context },
      },
    );
  }
  return true;
}

/** Without what only says by whom and when it was marked. */
function contentOf(object: KubeObject): Record<string, unknown> {
  const { metadata: _metadata, ...content } = restorable(object);
  return content;
}

/** Without what the API server and controllers keep. */
function restorable(object: KubeObject | undefined): Record<string, unknown> {
  if (!object) return {};
  const { status: _status, metadata, ...rest } = object;
  const { uid, resourceVersion, generation, creationTimestamp, managedFields, selfLink, ...own } = metadata;
  return { ...rest, metadata: own };
}
