import { enumerated } from '../../mesh/counted.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { firstFailure, isInaccessible, type Unanswered } from '../where-it-succeeds.ts';
import { tryOnServer } from '../write/try-on-server.ts';

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
  const refused = new Map<string, Unanswered>();
  for (const [{ cluster }, verdict] of await tryOnServer(flow, targets, steps)) {
    if (refused.has(cluster) || !(verdict instanceof MeshctlError)) continue;
    // What has changed since it was read is planned anew in its turn.
    if (isRefusal(verdict) || isInaccessible(verdict)) refused.set(cluster, { context: cluster, error: verdict });
  }
  if (refused.size === 0) return;
  const failed = [...refused.keys()];
  const able = leaving.filter((context) => !refused.has(context));
  const isForOwnAlone = failed.every((context) => leaving.includes(context));
  if (without && able.length > 0 && isForOwnAlone)
    flow.progress.warn(`Nothing was removed. Without ${enumerated(failed)} → ${without(able)}`);
  const error = firstFailure(flow, [...refused.values()]);
  throw Object.assign(error, {
    details: { ...error.details, ...({ disabled: [], failed, notBegun: able } satisfies TurnAccount) },
  });
}
