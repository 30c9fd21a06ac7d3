import type { Journal } from '../kube/apply.ts';
import { type RollbackResult, rollback } from '../kube/rollback.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { describeRef } from '../mesh/kube-object.ts';
import type { Flow, Target } from './flow.ts';
import { nudgePods } from './nudge.ts';

/** What became of one cluster after a failure; data for `-o json`. */
export interface ClusterUndo {
  context: string;
  /** `left`: by the operator's wish (--no-rollback). */
  outcome: 'as-before' | 'incomplete' | 'left';
  objects: { object: string; outcome: RollbackResult['outcome'] | 'left'; error?: string }[];
  /** The command that mends what could not be put back. */
  mend?: string;
}

export interface PutBackOptions {
  /** False leaves what stands (--no-rollback). Default true. */
  rollback?: boolean | undefined;
  /** Whether pods mount what was written, so that they are to look at once. */
  mounted?: boolean | undefined;
  /** The command that mends a cluster. */
  mend?: ((context: string) => string) | undefined;
}

/** Two minutes, whatever the command's own signal says: it may be why there is something to undo. */
const UNDO_TIMEOUT_MS = 120_000;

/**
 * Puts every cluster back as the journals say and tells so per cluster; what could not be put back, with the command that
 * mends it. Never throws: the failure that led here goes on its way, with what became of the clusters in its details.
 */
export async function putBack(
  flow: Flow,
  targets: readonly Target[],
  journals: readonly Journal[],
  cause: unknown,
  options: PutBackOptions = {},
): Promise<void> {
  const touched = targets.flatMap((target) => {
    const { context } = target.client;
    const entries = journals.filter(({ cluster }) => cluster === context).flatMap((journal) => journal.entries);
    return entries.length > 0 ? [{ target, journal: { cluster: context, entries } }] : [];
  });
  const results = await Promise.all(
    touched.map(({ target, journal }) =>
      options.rollback === false ? leaveCluster(flow, journal, options) : undoCluster(flow, target, journal, options),
    ),
  );
  if (cause instanceof MeshctlError && results.length > 0) cause.details.rollback = results;
}

async function undoCluster(
  flow: Flow,
  target: Target,
  journal: Journal,
  { mounted, mend }: PutBackOptions,
): Promise<ClusterUndo> {
  const { context } = target.client;
  const signal = AbortSignal.timeout(UNDO_TIMEOUT_MS);
  const task = flow.progress.start(`${context}: putting back ${journal.entries.length} objects`);
  const undone = await rollback(target.client, journal, { signal });
  const objects = undone.map(({ ref, outcome, error }) => ({
    object: describeRef(ref),
    outcome,
    ...(error ? { error: error.message } : {}),
  }));
  const failed = undone.filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) {
    // Kubelets would keep what was put back from the pods for a minute. It is no failure if they do.
    const nudge = { pods: 'apiserver-and-agents', withdraw: true, signal } as const;
    if (mounted) await nudgePods(flow, target, nudge).catch(() => undefined);
    task.done(`${context}: is as before`);
    return { context, outcome: 'as-before', objects };
  }
  const command = mend?.(context);
  task.fail(`${context}: could not put back ${failed.map(({ ref }) => describeRef(ref)).join(', ')}`);
  flow.progress.warn(
    `context "${context}": ${failed[0]?.error?.message ?? 'unknown'} → when it can be reached: ${command}`,
  );
  return { context, outcome: 'incomplete', objects, ...(command ? { mend: command } : {}) };
}

async function leaveCluster(flow: Flow, { cluster, entries }: Journal, { mend }: PutBackOptions): Promise<ClusterUndo> {
  const objects = [...new Set(entries.map(({ ref }) => describeRef(ref)))];
  const command = mend?.(cluster);
  flow.progress.warn(
    `context "${cluster}": ${objects.join(', ')} stay as written (--no-rollback)${command ? ` → to take them back: ${command}` : ''}`,
  );
  return {
    context: cluster,
    outcome: 'left',
    objects: objects.map((object) => ({ object, outcome: 'left' as const })),
    ...(command ? { mend: command } : {}),
  };
}
