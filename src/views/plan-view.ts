import type { Step, StepAction } from '../mesh/plan.ts';
import type { Theme } from './theme.ts';

/** How many steps of a plan there are for each action. */
export function countActions(steps: readonly Pick<Step, 'action'>[]): Record<StepAction, number> {
  const counts: Record<StepAction, number> = { create: 0, update: 0, delete: 0, keep: 0 };
  for (const { action } of steps) counts[action] += 1;
  return counts;
}

const DONE: Readonly<Record<StepAction, string>> = {
  create: 'created',
  update: 'updated',
  delete: 'deleted',
  keep: 'kept',
};

/** `9 created, 3 kept`; `nothing to change` when all are kept. */
export function summariseActions(counts: Readonly<Record<StepAction, number>>, theme: Theme): string {
  const parts = (['create', 'update', 'delete', 'keep'] as const).filter((action) => counts[action] > 0);
  if (parts.every((action) => action === 'keep')) return theme.dim('nothing to change');
  return parts.map((action) => `${counts[action]} ${DONE[action]}`).join(', ');
}

/** A step as data for `-o json`: what is done to which object and why. Changes hold no secret bytes by construction. */
export function stepData({ action, object, why, changes }: Step): Record<string, unknown> {
  return { action, object, why, changes: object.kind === 'Secret' ? changes.map(withoutValues) : changes };
}

/** Of a Secret only what meshctl itself wrote as words may show: paths, and what a new value is. */
function withoutValues({ path, to }: Step['changes'][number]): Record<string, unknown> {
  return { path, ...(typeof to === 'string' ? { to } : {}) };
}
