import type { EnableDraft, EnableOptions } from '../../../flows/enable/draft-enable.ts';
import { draftEnableCluster } from '../../../flows/enable/enable.ts';
import { lackOfSource } from '../../../flows/enable/given-authority.ts';
import type { Target } from '../../../flows/flow.ts';
import { whereItSucceeds } from '../../../flows/where-it-succeeds.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import type { Hazard } from '../../../mesh/plan/agreement.ts';
import type { EnableFailure } from '../../../views/enable/enable-view.ts';
import type { PlanReport } from '../../../views/plan/plan-view.ts';
import type { CommandContext } from '../../command.ts';
import { namingContexts, withMendsNamed } from '../../targets/contexts-of-clusters.ts';
import type { EnableFlags } from './enable-flags.ts';

/** A cluster with its plan. */
export interface PlannedEnable {
  target: Target;
  draft: EnableDraft;
}

/** Without the clusters that were to share a new CA, where the one that it is made for is not among them: they fail as well. */
export function withSource(
  { givenAuthority }: EnableOptions,
  found: { done: readonly PlannedEnable[]; failures: readonly EnableFailure[] },
): typeof found {
  const source = givenAuthority?.madeFor;
  const contexts = found.done.map(contextOf);
  if (source === undefined || contexts.includes(source)) return found;
  const failed = contexts.map((context) => ({ context, error: lackOfSource(context, source) }));
  return { done: [], failures: [...found.failures, ...failed] };
}

/** Plans that name the contexts of peers that the run has not read. */
export async function withContextsNamedIn(
  context: CommandContext,
  flags: EnableFlags,
  { planned, failures }: { planned: readonly PlannedEnable[]; failures: readonly EnableFailure[] },
): Promise<PlannedEnable[]> {
  return Promise.all(
    planned.map(async ({ target, draft }) => ({
      target,
      draft: {
        ...draft,
        warnings: await namingContexts(context, flags, draft.warnings),
        effects: await withMendsNamed(context, flags, draft.effects, failures),
      },
    })),
  );
}

/** Does the work for all of them in parallel. @param isOnly there is no other cluster: its error is the command's */
export async function inEachCluster<T extends { client: Target['client'] } | PlannedEnable, R>(
  clusters: readonly T[],
  isOnly: boolean,
  work: (cluster: T) => Promise<R>,
): Promise<{ done: R[]; failures: EnableFailure[] }> {
  const settled = await Promise.allSettled(clusters.map(work));
  const failures: EnableFailure[] = [];
  const done: R[] = [];
  settled.forEach((result, index) => {
    const cluster = clusters[index];
    if (result.status === 'fulfilled') done.push(result.value);
    else if (cluster === undefined || isOnly || !(result.reason instanceof MeshctlError)) throw result.reason;
    else failures.push({ context: contextOf(cluster), error: result.reason });
  });
  return { done, failures };
}

function contextOf(cluster: { client: Target['client'] } | PlannedEnable): string {
  return 'client' in cluster ? cluster.client.context : cluster.target.client.context;
}

/** One plan of all of them. */
export function reportOfEnables(planned: readonly PlannedEnable[]): PlanReport {
  return {
    steps: planned.flatMap(({ draft }) => draft.plan.steps),
    effects: planned.flatMap(({ draft }) => draft.effects),
    hazards: planned.flatMap(({ draft }) => draft.hazards),
    notes: Object.fromEntries(planned.map(({ target, draft }) => [target.client.context, draft.notes])),
  };
}

/** What enable does beside ending connections, by what is there now; what cannot be read any more fails in its own turn. */
export async function hazardsOfEnables(
  context: CommandContext,
  planned: readonly PlannedEnable[],
  options: EnableOptions,
): Promise<readonly Hazard[]> {
  const targets = planned.map(({ target }) => target);
  const { done } = await whereItSucceeds(context, targets, (target) => draftEnableCluster(context, target, options));
  return done.flatMap(({ hazards }) => hazards);
}
