import { DATED_BACK_MS } from '../mesh/certificates/certificate.ts';

/** The time of a run, which dates certificates and judges whether they are valid. */
export interface RunTime {
  now(): Date;
  /** Takes note of the clock of a cluster's API server. @param aheadMs how far this machine's clock is ahead of it */
  sawClock(context: string, aheadMs: number): void;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Less than that is how long an answer takes, and what clocks are apart that somebody minds. */
const NOTICED_MS = 2 * MINUTE_MS;
/** Where all clusters are behind this machine, it is this one that is wrong: a time zone, or a day. */
const MOST_MS = 24 * HOUR_MS;
/** Where others agree with this machine, what a cluster is behind is its own fault: so much costs the others nothing. */
const MOST_AMONG_OTHERS_MS = 2 * HOUR_MS;

/**
 * A run's time goes by the clock that is furthest behind, of this machine and of the clusters that have answered: whoever gets a
 * certificate from the future refuses all of a mesh until it has come (certificates are dated back by a few minutes only,
 * mesh/certificates/certificate.ts). But not by one that is behind beyond reason, as where a cluster begins in 1970: the
 * certificates of all others would be dated and judged by it.
 *
 * By which clock, is settled when the time is first asked for, and stays so: what is dated late in a run is dated as what it was
 * judged by. By then all clusters to which it may issue have answered, since none is worked on before all were looked at.
 * @param machine this machine's time
 */
export function createRunTime(machine: () => Date, warn: (text: string) => void): RunTime {
  const aheadOf = new Map<string, number>();
  const told = new Set<string>();
  let settledMs: number | undefined;
  const tell = (context: string, aheadMs: number, correctedMs: number) => {
    if (aheadMs < NOTICED_MS || told.has(context)) return;
    told.add(context);
    warn(
      `context "${context}": its API server's clock is ${apart(aheadMs)} behind this machine's${effect(aheadMs - correctedMs)}`,
    );
  };
  const settle = (): number => {
    const correctedMs = correctionFor([...aheadOf.values()]);
    for (const [context, aheadMs] of aheadOf) tell(context, aheadMs, correctedMs);
    return correctedMs;
  };
  return {
    now() {
      settledMs ??= settle();
      return new Date(machine().getTime() - settledMs);
    },
    sawClock(context, aheadMs) {
      if (settledMs !== undefined) return tell(context, aheadMs, settledMs);
      const known = aheadOf.get(context);
      if (known === undefined || Math.abs(aheadMs - known) >= NOTICED_MS) aheadOf.set(context, aheadMs);
    },
  };
}

function correctionFor(all: readonly number[]): number {
  const most = all.every((aheadMs) => aheadMs >= NOTICED_MS) ? MOST_MS : MOST_AMONG_OTHERS_MS;
  return Math.max(0, ...all.filter((aheadMs) => aheadMs >= NOTICED_MS && aheadMs <= most));
}

/** What comes of it, as the end of a sentence. @param behindMs how far a cluster's clock is behind the time of the run */
function effect(behindMs: number): string {
  if (behindMs > DATED_BACK_MS)
    return ', and this run does not date certificates by it: that cluster refuses new ones until its clock has come there; set it right';
  // Certificates are dated back by more than that.
  if (behindMs >= NOTICED_MS) return ': set right which is wrong';
  return ', and certificates are dated and judged by the clock that is furthest behind; set right which is wrong';
}

function apart(ms: number): string {
  if (ms < 3 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} minutes`;
  return ms < 3 * MOST_MS ? `${Math.round(ms / HOUR_MS)} hours` : `${Math.round(ms / (24 * HOUR_MS))} days`;
}
