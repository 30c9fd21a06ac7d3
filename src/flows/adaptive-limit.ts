/** Runs pieces of work, so many at a time as the other side bears. */
export interface AdaptiveLimit {
  <T>(work: () => Promise<T>): Promise<T>;
  /** How many may be under way now. */
  width(): number;
}

export interface AdaptiveLimitOptions {
  /** Never more at a time than this. */
  most: number;
  /** Work that takes longer is waited for by itself: it no longer keeps others from starting. */
  slowAfterMs: number;
  /** Whether an error means that the other side has too much to do. */
  isOverload(error: unknown): boolean;
}

/** At the beginning so many at a time. */
const START = 32;
/** Answers that take so many times as long as the fastest one show that more at a time would only queue. */
const QUEUEING_FACTOR = 3;

/**
 * As TCP does it: each success that is about as fast as the fastest widens the limit a little, each sign of overload
 * halves it. Work that hangs costs only itself, because it gives its place to others after `slowAfterMs`.
 */
export function createAdaptiveLimit({ most, slowAfterMs, isOverload }: AdaptiveLimitOptions): AdaptiveLimit {
  let width = Math.min(START, most);
  let running = 0;
  let fastestMs = Number.POSITIVE_INFINITY;
  const waiting: (() => void)[] = [];

  function startWaiting(): void {
    while (running < Math.floor(width)) {
      const start = waiting.shift();
      if (!start) return;
      running += 1;
      start();
    }
  }

  async function limit<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      waiting.push(start);
      startWaiting();
    });
    let holdsPlace = true;
    const leavePlace = (): void => {
      if (!holdsPlace) return;
      holdsPlace = false;
      running -= 1;
      startWaiting();
    };
    const timer = setTimeout(leavePlace, slowAfterMs);
    const startedMs = performance.now();
    try {
      const result = await work();
      const tookMs = performance.now() - startedMs;
      fastestMs = Math.min(fastestMs, tookMs);
      if (tookMs < fastestMs * QUEUEING_FACTOR) width = Math.min(most, width + 1);
      return result;
    } catch (error) {
      if (isOverload(error)) width = Math.max(1, width / 2);
      throw error;
    } finally {
      clearTimeout(timer);
      leavePlace();
    }
  }

  return Object.assign(limit, { width: () => Math.floor(width) });
}
