import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import type { Clock } from '../../src/mesh/clock.ts';

/** A sandbox is quicker than a cluster by more than that (TEST_TIMINGS). */
const SHORTER = 10;

/** How much shorter a wait is for an API server that a test does not let come back. */
export const NEVER_BACK = 100;

/**
 * A clock on which a wait lasts as long as was asked, and in truth a tenth of it; between waits time goes by as it does. So a
 * deadline comes after as many looks as ever, however long each of them takes on a busy machine.
 * @param shorter by how much, where nothing happens in a cluster that one would have to wait for
 */
export function briskClock(shorter = SHORTER): Clock {
  let aheadMs = 0;
  const ms = () => SYSTEM_CLOCK.ms() + aheadMs;
  return {
    ms,
    async sleep(waitMs, signal) {
      const end = ms() + waitMs;
      await SYSTEM_CLOCK.sleep(Math.ceil(waitMs / shorter), signal);
      // Of several that wait at once, each sees its own time gone by, and not that of all of them.
      aheadMs = Math.max(aheadMs, end - SYSTEM_CLOCK.ms());
    },
  };
}
