import type { Journal } from '../kube/apply.ts';
import { type RollbackResult, rollback } from '../kube/rollback.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { describeRef } from '../mesh/kube-object.ts';
import type { Flow, Target } from './flow.ts';

/** Puts every cluster back and says so per cluster; the error that led here goes on its way. */
export async function putBack(
  flow: Flow,
  targets: readonly Target[],
  journals: readonly Journal[],
  cause: unknown,
): Promise<void> {
  const touched = targets.flatMap((target) => {
    const entries = journals
      .filter(({ cluster }) => cluster === target.client.context)
      .flatMap(({ entries }) => entries);
    return entries.length > 0 ? [{ target, journal: { cluster: target.client.context, entries } }] : [];
  });
  const results = await Promise.all(
    touched.map(async ({ target, journal }) => {
      const { context } = target.client;
      const task = flow.progress.start(`${context}: putting back ${journal.entries.length} objects`);
      const undone = await rollback(target.client, journal);
      const failed = undone.filter(({ outcome }) => outcome === 'failed');
      if (failed.length === 0) task.done(`${context}: is as before`);
      else task.fail(`${context}: could not put back ${failed.map(({ ref }) => describeRef(ref)).join(', ')}`);
      return { context, objects: undone.map(rollbackData) };
    }),
  );
  if (cause instanceof MeshctlError) cause.details.rollback = results;
}

function rollbackData({ ref, outcome, error }: RollbackResult): Record<string, unknown> {
  return { object: describeRef(ref), outcome, ...(error ? { error: error.message } : {}) };
}
