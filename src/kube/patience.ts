import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../mesh/clock.ts';

const ends = new AsyncLocalStorage<number>();

/** Until when what is asked here may wait for an API server that is away, on the run's clock; how long it does so is another matter. */
export function endOfPatience(): number {
  return ends.getStore() ?? Number.POSITIVE_INFINITY;
}

/**
 * Does what has a time of its own, as a wait has, or a look after it: for no longer than that is an API server waited for that goes away
 * meanwhile, whichever request finds that out.
 * @param ms absent: not at all
 */
export function withPatience<T>(clock: Pick<Clock, 'ms'>, ms: number | undefined, work: () => Promise<T>): Promise<T> {
  return ends.run(Math.min(endOfPatience(), clock.ms() + (ms ?? 0)), work);
}

/** Does what goes on without an answer, or asks again by itself: one that goes away is not waited for. */
export function withoutPatience<T>(work: () => Promise<T>): Promise<T> {
  return ends.run(Number.NEGATIVE_INFINITY, work);
}
