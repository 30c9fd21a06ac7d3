/** Time as all that waits sees it, so that a test that is about a long wait need not last as long. */
export interface Clock {
  /** Whole milliseconds since some moment; it never goes back. Deadlines are on this clock. */
  ms(): number;
  /** Waits. Throws what an aborted signal means: `Interrupted` or `Timeout`. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
