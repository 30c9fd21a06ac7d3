import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../mesh/clock.ts';
import { errorOfAbort } from '../../mesh/errors.ts';

/** The machine's. */
export const SYSTEM_CLOCK: Clock = {
  ms: () => Math.round(performance.now()),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch {
      throw errorOfAbort(signal);
    }
  },
};
