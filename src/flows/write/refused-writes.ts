import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { isInaccessible, type Unanswered } from '../where-it-succeeds.ts';
import { tryOnServer } from './try-on-server.ts';

/**
 * The clusters whose API servers would not let a plan be carried out, each with the first reason: the user has not the rights, a rule
 * of the server is against it, or there is no answer. What has changed since it was read is none: it is planned anew.
 */
export async function refusedWrites(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
): Promise<Unanswered[]> {
  const refused = new Map<string, Unanswered>();
  for (const [{ cluster }, verdict] of await tryOnServer(flow, targets, steps)) {
    if (refused.has(cluster) || !(verdict instanceof MeshctlError)) continue;
    if (isRefusal(verdict) || isInaccessible(verdict)) refused.set(cluster, { context: cluster, error: verdict });
  }
  return [...refused.values()];
}
