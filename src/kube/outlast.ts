import type { Clock } from '../mesh/clock.ts';
import { MeshctlError, mayAnswerLater } from '../mesh/errors.ts';

/** An API server that is back by then goes on with what was to be written, or taken back. */
export const WRITE_OUTAGE = { limitMs: 60_000, everyMs: 2_000 };

export interface Patience {
  /** How long an API server may be away, in milliseconds. Once it has answered, so long again. */
  limitMs: number;
  /** Between two attempts. */
  everyMs: number;
  /** Told when an outage begins. */
  onOutage?: (() => void) | undefined;
  /** Whether it may be done once more after this; default: {@link mayAnswerLater}. */
  mayRepeat?: ((error: MeshctlError) => boolean) | undefined;
}

/**
 * Does something, again and again while nothing answers. Throws what no time mends, and the last failure when the time is over
 * (`details.outlasted`), which nobody waits for once more.
 * @param mayRepeat of this alone, in place of {@link Patience}'s
 * @param untilMs of this alone: when its own time is over, on the same clock, however much is left of {@link Patience}'s
 */
export type Outlast = <T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  mayRepeat?: (error: MeshctlError) => boolean,
  untilMs?: number,
) => Promise<T>;

/**
 * What outlasts an API server that is away: one that restarts, or that another one takes over for, is back soon. All that is done
 * through one of these shares its time, so that for one that does not come back nobody waits longer, however much there is to do.
 */
export function outlasting(
  clock: Clock,
  { limitMs, everyMs, onOutage, mayRepeat: always = mayAnswerLater }: Patience,
): Outlast {
  let endMs: number | undefined;
  return async (attempt, signal, mayRepeat = always, untilMs = Number.POSITIVE_INFINITY) => {
    for (;;) {
      try {
        const answer = await attempt();
        endMs = undefined;
        return answer;
      } catch (error) {
        if (signal.aborted) throw error;
        if (!(error instanceof MeshctlError && error.details.outlasted !== true && mayRepeat(error))) {
          endMs = undefined;
          throw error;
        }
        if (endMs === undefined) onOutage?.();
        endMs ??= clock.ms() + limitMs;
        const leftMs = Math.min(endMs, untilMs) - clock.ms();
        if (leftMs <= 0) {
          error.details.outlasted = true;
          throw error;
        }
        await clock.sleep(Math.min(everyMs, leftMs), signal).catch(() => undefined);
      }
    }
  };
}
