import { errorOfAbort, MeshctlError } from '../mesh/errors.ts';
import { type KubeObject, type ObjectRef, refOf } from '../mesh/objects/kube-object.ts';
import { beingDeleted, isGoing } from '../mesh/plan/going.ts';
import type { Edit, EditBasis, ReadyWrite, Step } from '../mesh/plan/plan.ts';
import { changedMeanwhile, isChanged, isGone, isStillSo, withWriter } from './changed-meanwhile.ts';
import type { ClusterClient } from './client.ts';
import { attemptsOf, mayBeSentAgain, neverArrived } from './http/no-answer.ts';
import { equal, mergePatch, overlay } from './merge-patch.ts';
import { type Outlast, outlasting, WRITE_OUTAGE } from './outlast.ts';

/** One write that was sent. Holds whole objects, secrets among them: never printed. */
export interface JournalEntry {
  ref: ObjectRef;
  /** Undefined when it did not exist. */
  before: KubeObject | undefined;
  /** What the API server stored, or undefined after a deletion; while the answer is unknown, what should be there. */
  after: KubeObject | undefined;
  /** What should come of it by what was sent alone, without what an API server adds; absent for a deletion. */
  meant?: KubeObject | undefined;
  /** False when the connection broke before the answer: the write may or may not have happened. */
  certain: boolean;
  /** What takes it back from the object as it is then; absent: field by field. */
  rollback?: ((live: KubeObject) => Edit | undefined) | undefined;
  /**
   * What has to be seen before it is taken back, because connections hang on it; where it throws, what was written stays.
   * It has its own deadline.
   */
  awaitBefore?: (() => Promise<void>) | undefined;
  /** What is waited for once it is taken back, before anything else is. */
  awaitAfter?: (() => Promise<void>) | undefined;
  /** Others stand on what was written: `rollback` counts also where nobody has written since. */
  shared?: boolean | undefined;
}

/** The writes of one cluster in their order, for rolling them back. */
export interface Journal {
  cluster: string;
  entries: JournalEntry[];
}

export interface ApplyStepsOptions {
  /** Makes the bytes of writes that have them only now (certificates, a CA), and hands other writes on. */
  materialise: (step: Step) => Promise<ReadyWrite>;
  /** Take over fields that other managers own. */
  force?: boolean | undefined;
  /** The API server checks everything and stores nothing; the journal stays empty. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Told when the API server takes no connection and is waited for, up to a minute; a dry run does not wait. */
  onOutage?: (() => void) | undefined;
}

export interface ApplyOutcome {
  /** What was written, also when something failed later. */
  journal: Journal;
  /** Why it stopped before the end. */
  error?: MeshctlError | undefined;
}

/**
 * Writes the steps of one cluster in their order and stops at the first failure. It does not throw for what the API
 * server or the signal does: the journal of what was written must reach whoever rolls it back. What could not be sent, as while the API
 * server restarts, is sent once it is back; of what may have arrived, only what the client repeats by itself is sent again.
 */
export async function applySteps(
  client: ClusterClient,
  steps: readonly Step[],
  { materialise, force, dryRun, signal, onOutage }: ApplyStepsOptions,
): Promise<ApplyOutcome> {
  const journal: Journal = { cluster: client.context, entries: [] };
  const patience = { ...WRITE_OUTAGE, onOutage, mayRepeat: mayBeSentAgain };
  const outlast: Outlast = dryRun ? (attempt) => attempt() : outlasting(client.clock, patience);
  try {
    for (const step of steps) {
      if (step.action === 'keep' || !step.write) continue;
      if (signal?.aborted) throw errorOfAbort(signal);
      await carryOut(client, step, await materialise(step), journal, { force, dryRun, signal, outlast });
    }
    return { journal };
  } catch (error) {
    const known = error instanceof MeshctlError ? error : new MeshctlError('Bug', String(error), { cause: error });
    return { journal, error: known };
  }
}

/** For steps of which nothing is made only now. @throws MeshctlError `Bug` for one that has to be made first */
export async function asPlanned({ object, write }: Step): Promise<ReadyWrite> {
  if (write && write.method !== 'authority' && write.method !== 'issue' && write.method !== 'restart') return write;
  throw new MeshctlError('Bug', `step for ${object.name} has nothing that could be written as it is`);
}

/** Several operators may write at once, and each round one of them gets on: more rounds than this are a fight. */
const MOST_ROUNDS = 20;

type SentWrite = Exclude<ReadyWrite, { method: 'edit' }>;

interface SendOptions {
  force?: boolean | undefined;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  outlast: Outlast;
  onSend?: (() => void) | undefined;
}

/**
 * Makes the change to the object as the plan saw it, and anew to what is there whenever someone else was faster. What
 * changes an object always names the version that it is meant for: a request that was given up and arrives late is refused
 * once the object has moved on.
 */
async function carryOut(
  client: ClusterClient,
  { object: ref, before }: Step,
  write: ReadyWrite,
  journal: Journal,
  options: SendOptions,
): Promise<void> {
  let live = before;
  for (let round = 1; ; round++) {
    const sent = sentWrite(client, ref, write, live);
    if (!sent) return;
    if (live && isGoing(live) && write.method !== 'delete')
      throw beingDeleted({ context: client.context, object: live });
    if ((write.method === 'edit' || write.method === 'apply') && write.basis)
      await requireBasis(client, write.basis, options);
    const seen = live;
    const takesBack = write.method === 'edit' ? write.rollback : undefined;
    const rollback = takesBack && seen && ((now: KubeObject) => takesBack(seen, now));
    try {
      await record(client, { ref, before: seen, write: sent, rollback }, journal, options);
      return;
    } catch (error) {
      if (seen && error instanceof MeshctlError && error.code === 'NotFound' && error.hint === undefined)
        throw isGone(client.context, ref);
      if (!isOvertaken(error, write)) throw error;
      live = await persistently(options, () => client.get(ref, { signal: options.signal }));
      // Someone else has done it, or an attempt of ours whose answer was lost; that one is in the journal.
      if (seen && isDone(write, live)) return;
      // What an attempt of ours has stored looks the same.
      if (error.details.repeated !== true && isOutdated(write, seen, live))
        throw isChanged(client.context, ref, seen, live);
      if (isForOneVersion(write) || isAnother(write, seen, live) || round === MOST_ROUNDS)
        throw withWriter(error, seen, live);
    }
  }
}

const NEVER = new AbortController().signal;

function persistently<T>({ outlast, signal = NEVER }: SendOptions, attempt: () => Promise<T>): Promise<T> {
  return outlast(attempt, signal);
}

/** @throws MeshctlError `Conflict` where what a write was copied from is not so any more */
async function requireBasis(client: ClusterClient, basis: EditBasis, options: SendOptions): Promise<void> {
  const ref = refOf(basis.source);
  const live = await persistently(options, () => client.get(ref, { signal: options.signal }));
  if (!isStillSo(basis, live)) throw isChanged(client.context, ref, basis.source, live);
}

/** Whether the API server refused a write because the object is no longer as it was. */
function isOvertaken(error: unknown, { method }: ReadyWrite): error is MeshctlError {
  if (!(error instanceof MeshctlError) || error.code !== 'Conflict') return false;
  // Of server-side apply, the other conflict is with the owners of fields; of a create, with whoever made the object.
  return method === 'edit' || (method !== 'create' && error.details.conflicts === undefined);
}

/** Whether the plan holds for the object as it was and for no other: then the caller plans anew. */
function isForOneVersion(write: ReadyWrite): boolean {
  return (write.method === 'patch' || write.method === 'delete') && write.resourceVersion !== undefined;
}

/** Whether another run has changed what is to be applied: the plan does not say what becomes of that. */
function isOutdated(write: ReadyWrite, seen: KubeObject | undefined, live: KubeObject | undefined): boolean {
  return write.method === 'apply' && !!seen && !!live && changedMeanwhile(seen, live, write.object);
}

/** Whether what was to be deleted has gone, and an object of the same name is in its place. */
function isAnother({ method }: ReadyWrite, seen: KubeObject | undefined, live: KubeObject | undefined): boolean {
  return method === 'delete' && seen?.metadata.uid !== live?.metadata.uid;
}

function isDone(write: ReadyWrite, live: KubeObject | undefined): boolean {
  if (write.method === 'delete') return live === undefined;
  if (!live) return false;
  if (write.method === 'edit') return write.edit(live) === undefined;
  // An apply may also be there to take fields away, which does not show.
  return write.method === 'patch' && equal(mergePatch(live, write.patch), live);
}

/** What a write comes to for the object as it is; undefined when nothing has to change. */
function sentWrite(
  client: ClusterClient,
  ref: ObjectRef,
  write: ReadyWrite,
  live: KubeObject | undefined,
): SentWrite | undefined {
  const { uid, resourceVersion } = live?.metadata ?? {};
  switch (write.method) {
    case 'create':
      return write;
    case 'apply': {
      if (resourceVersion === undefined) return write;
      return { ...write, object: { ...write.object, metadata: { ...write.object.metadata, resourceVersion } } };
    }
    case 'patch':
      return { resourceVersion, ...write };
    case 'delete':
      return { uid, resourceVersion, ...write };
    case 'edit':
      if (live) {
        const change = write.edit(live);
        if (change === 'delete') return { method: 'delete', uid, resourceVersion };
        return change && { method: 'patch', patch: change.patch, resourceVersion };
      }
      if (write.create) return { method: 'create', object: write.create };
      throw isGone(client.context, ref);
  }
}

/** Sends a write, also once an API server is back, and keeps account of it: from when it goes out as what should come of it, after the answer as what did. */
async function record(
  client: ClusterClient,
  { ref, before, write, rollback }: Pick<JournalEntry, 'ref' | 'before' | 'rollback'> & { write: SentWrite },
  journal: Journal,
  options: SendOptions,
): Promise<void> {
  if (options.dryRun) {
    await send(client, ref, write, options);
    return;
  }
  const meant = expectedAfter(before, write);
  const entry: JournalEntry = { ref, before, after: meant, meant, certain: false, rollback };
  const onSend = (): void => {
    if (!journal.entries.includes(entry)) journal.entries.push(entry);
  };
  try {
    const attempt = attemptsOf(() => send(client, ref, write, { ...options, onSend }));
    entry.after = await persistently(options, attempt);
    entry.certain = true;
  } catch (error) {
    if (changedNothing(error)) journal.entries = journal.entries.filter((other) => other !== entry);
    throw error;
  }
}

/** Gives what the API server stored; undefined after a deletion. */
async function send(
  client: ClusterClient,
  ref: ObjectRef,
  write: SentWrite,
  options: SendOptions,
): Promise<KubeObject | undefined> {
  if (write.method === 'apply') return client.apply(write.object, write.force ? { ...options, force: true } : options);
  if (write.method === 'create') return client.create(write.object, options);
  if (write.method === 'patch') {
    return client.patch(ref, write.patch, { ...options, resourceVersion: write.resourceVersion });
  }
  const { uid, resourceVersion } = write;
  await client.delete(ref, { ...options, uid, resourceVersion });
  return undefined;
}

function expectedAfter(before: KubeObject | undefined, write: SentWrite): KubeObject | undefined {
  if (write.method === 'delete') return undefined;
  if (write.method === 'patch') return before && (mergePatch(before, write.patch) as KubeObject);
  return before ? (overlay(before, write.object) as KubeObject) : write.object;
}

/**
 * Whether the API server itself said no, or was not reached, at the first attempt. Anything else (no answer, a 5xx, a
 * refusal after an attempt that got no answer) leaves open whether it wrote.
 */
function changedNothing(error: unknown): boolean {
  if (!(error instanceof MeshctlError) || error.details.repeated === true) return false;
  const { httpStatus } = error.details;
  return typeof httpStatus === 'number' ? httpStatus < 500 : neverArrived(error);
}
