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
