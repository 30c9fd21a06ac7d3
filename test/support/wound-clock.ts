import type { Clock } from '../../src/mesh/clock.ts';

/** A clock that only waiting winds on: each wait is over at once, and its time has gone by. */
export function woundClock(): Clock {
  let ms = 0;
  return {
    ms: () => ms,
    async sleep(waitMs) {
      ms += waitMs;
    },
  };
}
