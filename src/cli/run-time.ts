/** The time of a run, which dates certificates and judges whether they are valid. */
export interface RunTime {
  now(): Date;
  /** Takes note of the clock of a cluster's API server. @param aheadMs how far this machine's clock is ahead of it */
  sawClock(context: string, aheadMs: number): void;
}

/** Less than that is how long an answer takes, and what clocks are apart that somebody minds. */
const NOTICED_MS = 120_000;
const MINUTE_MS = 60_000;

/**
 * A run's time goes by the clock that is furthest behind, of this machine and of the clusters that have answered: whoever gets a
 * certificate from the future refuses all of a mesh until it has come (certificates are dated back by a few minutes only,
 * mesh/certificates/certificate.ts).
 * @param machine this machine's time
 */
export function createRunTime(machine: () => Date, warn: (text: string) => void): RunTime {
  let correctedMs = 0;
  return {
    now: () => new Date(machine().getTime() - correctedMs),
    sawClock(context, aheadMs) {
      if (aheadMs < correctedMs + NOTICED_MS) return;
      correctedMs = aheadMs;
      const minutes = Math.round(aheadMs / MINUTE_MS);
      warn(
        `context "${context}": this machine's clock is ${minutes} minutes ahead of the API server's, by which certificates are dated and judged; set it right`,
      );
    },
  };
}
