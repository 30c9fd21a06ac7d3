import { enumerated } from '../../mesh/counted.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { firstFailure, type Unanswered } from '../where-it-succeeds.ts';
import { refusedWrites } from '../write/refused-writes.ts';

/** How far a run has come that disables one cluster after the other: each is in one of these. Contexts. */
export interface TurnAccount {
  disabled: readonly string[];
  failed: readonly string[];
  notBegun: readonly string[];
}

/** The account of a run that has stopped. @param rest those that are not disabled, the one at which it stopped first */
export function turnAccount(disabled: readonly string[], rest: readonly string[]): TurnAccount {
  return { disabled, failed: rest.slice(0, 1), notBegun: rest.slice(1) };
}

/** Says it. @param goOn the command line for those that are not disabled */
export function sayTurns(
  { progress }: Pick<Flow, 'progress'>,
  { disabled, failed, notBegun }: TurnAccount,
  goOn: string,
): void {
  const done = disabled.length > 0 ? `Disabled before it stopped: ${disabled.join(', ')}. ` : '';
  const left = notBegun.length > 0 ? `. Not begun: ${notBegun.join(', ')}` : '';
  progress.warn(`${done}Stopped at: ${failed.join(', ')}${left}. To continue → ${goOn}`);
}

/**
 * What is removed cannot be put back, so each API server is asked first whether it would let all of that be done: without the
 * rights in one cluster nothing is begun in the others.
 * @param leaving contexts of the clusters that are to be disabled
 * @param without the command line for some of them; absent where there is none
 * @throws MeshctlError why it may not be done in a cluster, of the others warnings; `details` is a {@link TurnAccount}
 */
export async function requireRemovable(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  leaving: readonly string[],
  without?: (contexts: readonly string[]) => string,
): Promise<void> {
  const refused = await refusedWrites(flow, targets, steps);
  if (refused.length === 0) return;
  const failed = refused.map(({ context }) => context);
  const able = leaving.filter((context) => !failed.includes(context));
  const isForOwnAlone = failed.every((context) => leaving.includes(context));
  if (without && able.length > 0 && isForOwnAlone)
    flow.progress.warn(`Nothing was removed. Without ${enumerated(failed)} → ${without(able)}`);
  throw notBegun(flow, refused, able);
}

/** Why nothing is removed anywhere: `details` is a {@link TurnAccount}. @param able contexts of the clusters that could leave */
export function notBegun(flow: Flow, refused: readonly Unanswered[], able: readonly string[]): MeshctlError {
  const error = firstFailure(flow, refused);
  const failed = refused.map(({ context }) => context);
  const account: TurnAccount = { disabled: [], failed, notBegun: able };
  return Object.assign(error, { details: { ...error.details, ...account } });
}
