import { MeshctlError } from '../../mesh/errors.ts';
import { type ChangedObjects, changedObjects } from '../../mesh/plan/changed-objects.ts';
import type { Step } from '../../mesh/plan/plan.ts';

/** Adds what steps that are done have changed, and that stays so, to what an error tells programs: `details.changed`. */
export function tellChanged(error: unknown, steps: readonly Step[]): void {
  const changed = changedObjects(steps);
  if (!(error instanceof MeshctlError) || changed.length === 0) return;
  const further = (error.details.changed ?? []) as readonly ChangedObjects[];
  error.details.changed = [...changed, ...further];
}
