import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../mesh/kube-object.ts';
import type { ReadyWrite, Step } from '../mesh/plan.ts';
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
  /** Called before each write. */
  onStep?: ((step: Step) => void) | undefined;
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
  { materialise, force, dryRun, onStep, signal }: ApplyStepsOptions,
): Promise<ApplyOutcome> {
  const journal: Journal = { cluster: client.context, entries: [] };
  try {
    for (const step of steps) {
      if (step.action === 'keep' || !step.write) continue;
      if (signal?.aborted) throw errorOfAbort(signal);
      onStep?.(step);
      const write = await materialise(step);
      if (dryRun) {
        await send(client, step.object, write, { force, dryRun, signal });
        continue;
      }
      const entry: JournalEntry = {
        ref: step.object,
        before: step.before,
        after: expectedAfter(step.before, write),
        certain: false,
      };
      journal.entries.push(entry);
      try {
        entry.after = await send(client, step.object, write, { force, signal });
        entry.certain = true;
      } catch (error) {
        if (changedNothing(error)) journal.entries.pop();
        throw error;
      }
    }
    return { journal };
  } catch (error) {
    const known = error instanceof MeshctlError ? error : new MeshctlError('Bug', String(error), { cause: error });
    return { journal, error: known };
  }
}

/** Gives what the API server stored; undefined after a deletion. */
async function send(
  client: ClusterClient,
  ref: ObjectRef,
  write: ReadyWrite,
  options: { force?: boolean | undefined; dryRun?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<KubeObject | undefined> {
  if (write.method === 'apply') return client.apply(write.object, options);
  if (write.method === 'create') return client.create(write.object, options);
  if (write.method === 'patch') {
    return client.patch(ref, write.patch, { ...options, resourceVersion: write.resourceVersion });
  }
  await client.delete(ref, options);
  return undefined;
}

function expectedAfter(before: KubeObject | undefined, write: ReadyWrite): KubeObject | undefined {
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
