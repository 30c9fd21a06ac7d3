/** Looks cost API servers a port-forward or an exec for each pod, and a wait may last minutes. */
const LONGEST_PAUSE_MS = 2_000;

/**
 * How long to pause before the next look at what is waited for: a tenth of what was waited, so that what comes is noticed at most a tenth
 * later.
 * @param shortestMs between the first looks
 */
export function pauseAfter(waitedMs: number, shortestMs: number): number {
  return Math.max(shortestMs, Math.min(LONGEST_PAUSE_MS, waitedMs / 10));
}
