import type { CommandContext } from '../../commands/command.ts';

/**
 * Signals that come within this many milliseconds are one wish: `timeout` sends its signal to the program and to its group,
 * npm passes on what the terminal has sent already.
 */
export const ONE_WISH_MS = 1000;

/** What a program can do when it is to end. */
export interface Interruptible {
  /** Milliseconds on a clock that only goes forward. */
  ms(): number;
  /** Lets it end in its own time, with everything put back. */
  abort(): void;
  /** Ends it at once. */
  exit(): void;
}

/** What SIGINT and SIGTERM do: the first one aborts; one that is a wish of its own after it ends the program at once. */
export function onInterrupt({ ms, abort, exit }: Interruptible): () => void {
  let first: number | undefined;
  return () => {
    if (first === undefined) {
      first = ms();
      abort();
    } else if (ms() - first > ONE_WISH_MS) exit();
  };
}

const STILL_AT_WORK =
  'interrupted: waiting for work under way to finish or be rolled back; another Ctrl-C stops at once and may leave clusters half changed';

/**
 * Runs a command, and says so where it goes on after Ctrl-C: writes are let end, what was written is taken back, and a cluster that
 * does not answer makes that long. Whoever hears nothing of it would end the program in the middle.
 * @param patienceMs for so long nothing is said; undefined: never
 */
export async function sayingWhatIsAwaited<T>(
  { signal, clock, progress }: Pick<CommandContext, 'signal' | 'clock' | 'progress'>,
  patienceMs: number | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (patienceMs === undefined) return work();
  const ended = new AbortController();
  const say = (): void => {
    clock.sleep(patienceMs, ended.signal).then(
      () => progress.warn(STILL_AT_WORK),
      () => undefined,
    );
  };
  signal.addEventListener('abort', say, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', say);
    ended.abort();
  }
}
