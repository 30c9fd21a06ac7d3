import type { Clock } from '../../mesh/clock.ts';
import { isAway, MeshctlError } from '../../mesh/errors.ts';
import { outlasting, WRITE_OUTAGE } from '../outlast.ts';
import { endOfPatience } from '../patience.ts';
import { signalOfWork } from './linked-signal.ts';
import { attemptsOf, mayBeSentAgain, wasNotAnswered } from './no-answer.ts';
import type { Transport } from './transport.ts';

/** What a run does in all of its clusters. */
export interface RunWork {
  /** Whether an API server has answered that it has stored anything of it; that a run is at work (a Lease) is not its work. */
  hasBegun: boolean;
}

export interface LastingOptions {
  work: RunWork;
  /** That of the run. */
  signal: AbortSignal;
  clock: Clock;
  /** Told when an outage begins that is waited for. */
  onOutage?: (() => void) | undefined;
}

/** In them runs say where they are at work. */
const LEASES = 'leases';

/**
 * A run that has begun to write would be rolled back for one read that comes while an API server restarts. From then on what finds no
 * connection there is sent again for up to a minute: a read whatever became of it, anything else where it has not been sent, or was
 * repeated already. A server that has not answered yet is not waited for, nor does this concern who has a signal of its own, as a
 * rollback, or keeps account of what is sent (`onSend`): they have their own patience. So have waits, and what comes after them
 * (`endOfPatience`).
 */
export function lastingTransport(transport: Transport, { work, signal, clock, onOutage }: LastingOptions): Transport {
  const outlast = outlasting(clock, { ...WRITE_OUTAGE, onOutage });
  const own = signalOfWork(signal);
  let hasAnswered = false;
  return {
    ...transport,
    async request(request) {
      let failure: MeshctlError | undefined;
      const attempt = async () => {
        try {
          const answer = await transport.request(request);
          hasAnswered = true;
          if (request.stores && request.action.resource !== LEASES) work.hasBegun = true;
          return answer;
        } catch (error) {
          if (error instanceof MeshctlError && isAway(error)) failure = error;
          throw error;
        }
      };
      const untilMs = endOfPatience();
      const isLasting = work.hasBegun && hasAnswered && !request.onSend && clock.ms() < untilMs;
      if (!isLasting || signalOfWork(request.signal ?? signal) !== own) return attempt();
      const link = transport.signalOf(request.signal);
      try {
        return await outlast(
          attemptsOf(attempt),
          link.signal,
          request.method === 'GET' ? wasNotAnswered : mayBeSentAgain,
          untilMs,
        );
      } catch (error) {
        // Whose time is up hears what it was spent on.
        throw failure && error instanceof MeshctlError && error.code === 'Timeout' ? failure : error;
      } finally {
        link.unlink();
      }
    },
  };
}
