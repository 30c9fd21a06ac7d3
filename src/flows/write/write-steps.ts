import { type ApplyOutcome, type ApplyStepsOptions, applySteps } from '../../kube/apply.ts';
import type { ClusterClient } from '../../kube/client.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow } from '../flow.ts';

/** {@link applySteps} until the run is interrupted; that an API server is waited for meanwhile is said. */
export function writeSteps(
  { signal, progress }: Pick<Flow, 'signal' | 'progress'>,
  client: ClusterClient,
  steps: readonly Step[],
  options: Pick<ApplyStepsOptions, 'materialise' | 'force'>,
): Promise<ApplyOutcome> {
  const onOutage = () =>
    progress.info(
      `context "${client.context}": its API server does not answer: what is to be written there is kept for up to a minute, until it does`,
    );
  return applySteps(client, steps, { ...options, signal, onOutage });
}
