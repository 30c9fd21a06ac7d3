import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import type { Flow, Target } from '../flow.ts';
import { explainLook, type Look, nothingKnown, type StatusOptions } from './look-at-clusters.ts';
import { watchful } from './poll-clusters.ts';

/** How long between two looks. */
const WATCH_INTERVAL_MS = 1000;

/**
 * Looks until Ctrl-C. A cluster that does not answer for a while is looked at again, also where it is the only one; the others are
 * shown meanwhile.
 * @param silent those that have not answered so far
 */
export async function watchStatus(
  flow: Flow,
  targets: readonly Target[],
  options: StatusOptions,
  show: (look: Look) => Promise<void>,
  silent: readonly UnreachableCluster[] = [],
): Promise<void> {
  const pollSoon = watchful(flow, targets, options, silent);
  const { nodes, etcds } = nothingKnown();
  try {
    for (;;) {
      const poll = await pollSoon();
      await show(await explainLook(flow, targets, poll, { known: { ...nothingKnown(), nodes, etcds } }));
      await flow.clock.sleep(WATCH_INTERVAL_MS, flow.signal);
    }
  } catch (error) {
    if (!flow.signal.aborted) throw error;
  }
}
