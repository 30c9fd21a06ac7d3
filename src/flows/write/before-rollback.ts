import type { ClusterClient } from '../../kube/client.ts';
import { outlasting } from '../../kube/outlast.ts';

const LOOK_TIMEOUT_MS = 60_000;

/**
 * What has to be known of a cluster before anything is rolled back, also after Ctrl-C. An API server that restarts, which may be why there
 * is something to roll back, is back by then: of one that stays silent all is left, and of a pair one cluster may dial the other alone.
 * @param onOutage told when it does not answer
 */
export function askedBeforeRollback<T>(
  { clock }: Pick<ClusterClient, 'clock'>,
  ask: (signal: AbortSignal) => Promise<T>,
  onOutage?: () => void,
): Promise<T> {
  const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
  return outlasting(clock, { limitMs: LOOK_TIMEOUT_MS, everyMs: 2_000, onOutage })(() => ask(signal), signal);
}
