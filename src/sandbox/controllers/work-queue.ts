/** Work that controllers ask for: one entry per key, run soon after the change that caused it, never within it. */
export interface WorkQueue {
  /** Runs `work` soon; a key that is already waiting is not added twice. */
  add(key: string, work: () => void): void;
  /** Runs `work` after a delay. An earlier request under the same key stays in force. */
  addAfter(delayMs: number, key: string, work: () => void): void;
  /** Drops what waits, for good. */
  close(): void;
}

/**
 * Makes a queue. An error in `work` goes to `onError` and does not stop the others.
 */
export function createWorkQueue(onError: (error: unknown) => void): WorkQueue {
  const waiting = new Map<string, () => void>();
  const timers = new Map<string, NodeJS.Timeout>();
  let turn: NodeJS.Immediate | undefined;
  let closed = false;

  function runTurn() {
    turn = undefined;
    const batch = [...waiting.values()];
    waiting.clear();
    for (const work of batch) {
      if (closed) return;
      try {
        work();
      } catch (error) {
        onError(error);
      }
    }
  }

  function add(key: string, work: () => void) {
    if (closed) return;
    if (!waiting.has(key)) waiting.set(key, work);
    turn ??= setImmediate(runTurn);
  }

  return {
    add,
    addAfter(delayMs, key, work) {
      if (closed || timers.has(key)) return;
      const timer = setTimeout(() => {
        timers.delete(key);
        add(key, work);
      }, delayMs);
      timers.set(key, timer);
    },
    close() {
      closed = true;
      if (turn) clearImmediate(turn);
      for (const timer of timers.values()) clearTimeout(timer);
      waiting.clear();
      timers.clear();
    },
  };
}
