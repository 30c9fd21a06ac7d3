import { MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../mesh/kube-object.ts';
import type { Edit } from '../mesh/plan.ts';
import type { Journal, JournalEntry } from './apply.ts';
import type { ClusterClient } from './client.ts';
import { contains, inversePatch } from './merge-patch.ts';

/** What became of one object of a journal. */
export interface RollbackResult {
  ref: ObjectRef;
  /** `unchanged`: the write never happened, or others have since replaced all of it. */
  outcome: 'restored' | 'unchanged' | 'failed';
  error?: MeshctlError | undefined;
}

export interface RollbackOptions {
  /** Default: two minutes of its own. The client's signal does not count: it may be why there is something to undo. */
  signal?: AbortSignal | undefined;
}

const ROLLBACK_TIMEOUT_MS = 120_000;

/** An object may change between the look and the write; more often than this would be a fight. */
const MAX_ATTEMPTS = 5;

/**
 * Undoes the journal's writes, the last one first. Takes back only what was changed and is still so: later writes of
 * others stay. Goes on past failures and never throws.
 */
export async function rollback(
  client: ClusterClient,
  journal: Journal,
  { signal = AbortSignal.timeout(ROLLBACK_TIMEOUT_MS) }: RollbackOptions = {},
): Promise<RollbackResult[]> {
  const results: RollbackResult[] = [];
  for (const entry of journal.entries.toReversed()) {
    const { ref } = entry;
    try {
      results.push({ ref, outcome: (await undo(client, entry, signal)) ? 'restored' : 'unchanged' });
    } catch (error) {
      const known = error instanceof MeshctlError ? error : new MeshctlError('Bug', String(error), { cause: error });
      results.push({ ref, outcome: 'failed', error: known });
    }
  }
  return results;
}

/** Whether anything was written. */
async function undo(client: ClusterClient, entry: JournalEntry, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await undoOnce(client, entry, signal);
    } catch (error) {
      const conflict = error instanceof MeshctlError && error.code === 'Conflict';
      if (!conflict || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function undoOnce(client: ClusterClient, entry: JournalEntry, signal: AbortSignal): Promise<boolean> {
  const { ref, before, after } = entry;
  const live = await client.get(ref, { signal });
  if (!after) return before !== undefined && !live ? recreate(client, before, signal) : false;
  if (!live || isAnother(live, entry)) return false;
  const { uid, resourceVersion } = live.metadata;
  const edit = editToUndo(entry, live, after);
  if (!edit) return false;
  if (edit === 'delete') return client.delete(ref, { uid, resourceVersion, signal });
  await client.patch(ref, edit.patch, { resourceVersion, signal });
  return true;
}

function editToUndo({ before, undo }: JournalEntry, live: KubeObject, after: KubeObject): Edit | undefined {
  if (undo) return undo(live);
  if (!before && holdsNothingElse(live, after)) return 'delete';
  const patch = inversePatch(restorable(before), restorable(after), restorable(live));
  return patch && { patch };
}

/** Whether the object of that name is not the one that was written. */
function isAnother(live: KubeObject, { before, after, certain }: JournalEntry): boolean {
  const uid = (certain ? after : before)?.metadata.uid;
  if (uid !== undefined) return live.metadata.uid !== uid;
  // It is not known whether the object was created: it was, if it holds all that was sent.
  return after !== undefined && !contains(restorable(live), restorable(after));
}

/** Whether an object that was created still holds only what was put into it; others may have added keys of theirs. */
function holdsNothingElse(live: KubeObject, after: KubeObject): boolean {
  const keys = (object: KubeObject) => Object.keys((object.data ?? {}) as Record<string, unknown>);
  const ours = new Set(keys(after));
  return keys(live).every((key) => ours.has(key));
}

async function recreate(client: ClusterClient, before: KubeObject, signal: AbortSignal): Promise<boolean> {
  try {
    await client.create(restorable(before) as KubeObject, { signal });
  } catch (error) {
    const exists = error instanceof MeshctlError && error.details.reason === 'AlreadyExists';
    if (!exists) throw error;
    throw new MeshctlError(
      'Conflict',
      `context "${client.context}": someone else made ${describeRef(refOf(before))} anew`,
      {
        details: { context: client.context },
      },
    );
  }
  return true;
}

/** Without what the API server and controllers keep. */
function restorable(object: KubeObject | undefined): Record<string, unknown> {
  if (!object) return {};
  const { status: _status, metadata, ...rest } = object;
  const { uid, resourceVersion, generation, creationTimestamp, managedFields, selfLink, ...own } = metadata;
  return { ...rest, metadata: own };
}
