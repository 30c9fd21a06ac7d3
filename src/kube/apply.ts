import { MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef } from '../mesh/kube-object.ts';
import type { Edit, ReadyWrite, Step } from '../mesh/plan.ts';
import type { ClusterClient } from './client.ts';
import { errorOfAbort } from './errors.ts';
import { mergePatch, overlay } from './merge-patch.ts';

/** One write that was sent. Holds whole objects, secrets among them: never printed. */
export interface JournalEntry {
  ref: ObjectRef;
  /** Undefined when it did not exist. */
  before: KubeObject | undefined;
  /** What the API server stored, or undefined after a deletion; while the answer is unknown, what should be there. */
  after: KubeObject | undefined;
  /** False when the connection broke before the answer: the write may or may not have happened. */
  certain: boolean;
  /** What takes it back from the object as it is then; absent: field by field. */
  undo?: ((live: KubeObject) => Edit | undefined) | undefined;
}

/** The writes of one cluster in their order, for undoing them. */
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
}

export interface ApplyOutcome {
  /** What was written, also when something failed later. */
  journal: Journal;
  /** Why it stopped before the end. */
  error?: MeshctlError | undefined;
}

/**
 * Writes the steps of one cluster in their order and stops at the first failure. It does not throw for what the API
 * server or the signal does: the journal of what was written must reach whoever undoes it.
 */
export async function applySteps(
  client: ClusterClient,
  steps: readonly Step[],
  { materialise, force, dryRun, signal }: ApplyStepsOptions,
): Promise<ApplyOutcome> {
  const journal: Journal = { cluster: client.context, entries: [] };
  try {
    for (const step of steps) {
      if (step.action === 'keep' || !step.write) continue;
      if (signal?.aborted) throw errorOfAbort(signal);
      const write = await materialise(step);
      const options = { force, dryRun, signal };
      if (write.method === 'edit') await edit(client, step, write, journal, options);
      else await record(client, { ref: step.object, before: step.before, write }, journal, options);
    }
    return { journal };
  } catch (error) {
    const known = error instanceof MeshctlError ? error : new MeshctlError('Bug', String(error), { cause: error });
    return { journal, error: known };
  }
}

/** Several operators may write at once, and each round one of them gets on: more rounds than this are a fight. */
const MOST_ROUNDS = 20;

type SentWrite = Exclude<ReadyWrite, { method: 'edit' }>;

interface SendOptions {
  force?: boolean | undefined;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Makes the change from the object as the plan saw it, and anew from what is there whenever someone else was faster. */
async function edit(
  client: ClusterClient,
  { object: ref, before }: Step,
  write: Extract<ReadyWrite, { method: 'edit' }>,
  journal: Journal,
  options: SendOptions,
): Promise<void> {
  let live = before;
  for (let round = 1; ; round++) {
    const sent = sentWrite(client, ref, write, live);
    if (!sent) return;
    const seen = live;
    const undo = seen && write.undo && ((now: KubeObject) => write.undo?.(seen, now));
    try {
      await record(client, { ref, before: seen, write: sent, undo }, journal, options);
      return;
    } catch (error) {
      const conflict = error instanceof MeshctlError && error.code === 'Conflict';
      if (!conflict || round === MOST_ROUNDS) throw error;
      live = await client.get(ref, { signal: options.signal });
      // An answer may have been lost and the request repeated: what was to be done is there, perhaps by ourselves.
      if (seen && live && !write.edit(live) && !options.dryRun) {
        journal.entries.push({ ref, before: seen, after: expectedAfter(seen, sent), certain: false, undo });
      }
    }
  }
}

/** What an edit comes to for the object as it is; undefined when nothing has to change. */
function sentWrite(
  client: ClusterClient,
  ref: ObjectRef,
  { create, edit }: Extract<ReadyWrite, { method: 'edit' }>,
  live: KubeObject | undefined,
): SentWrite | undefined {
  if (live) {
    const change = edit(live);
    const { uid, resourceVersion } = live.metadata;
    if (change === 'delete') return { method: 'delete', uid, resourceVersion };
    return change && { method: 'patch', patch: change.patch, resourceVersion };
  }
  if (create) return { method: 'create', object: create };
  throw new MeshctlError('NotFound', `context "${client.context}": ${describeRef(ref)} is gone`, {
    hint: 'Run the same command again.',
    details: { context: client.context, object: describeRef(ref) },
  });
}

/** Sends a write and keeps account of it: before the answer as what should come of it, after it as what did. */
async function record(
  client: ClusterClient,
  { ref, before, write, undo }: Pick<JournalEntry, 'ref' | 'before' | 'undo'> & { write: SentWrite },
  journal: Journal,
  options: SendOptions,
): Promise<void> {
  if (options.dryRun) {
    await send(client, ref, write, options);
    return;
  }
  const entry: JournalEntry = { ref, before, after: expectedAfter(before, write), certain: false, undo };
  journal.entries.push(entry);
  try {
    entry.after = await send(client, ref, write, options);
    entry.certain = true;
  } catch (error) {
    if (changedNothing(error)) journal.entries.splice(journal.entries.indexOf(entry), 1);
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
  if (write.method === 'apply') return client.apply(write.object, options);
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

/** Whether the API server itself said no. Anything else (no answer, a 5xx) leaves open whether it wrote. */
function changedNothing(error: unknown): boolean {
  if (!(error instanceof MeshctlError)) return false;
  const { httpStatus } = error.details;
  return typeof httpStatus === 'number' && httpStatus < 500;
}
