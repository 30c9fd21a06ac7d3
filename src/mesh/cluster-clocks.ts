import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { meshctlCommand } from './command-line.ts';
import { enumerated } from './counted.ts';

/** Less than that, in milliseconds, is how long an answer takes, and what clocks are apart that nobody minds. */
export const NOTICED_APART_MS = 2 * 60_000;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * What a cluster's clock shows at a time of the run: whether a certificate is valid, is for who verifies it to say, by its own clock
 * (crypto/x509 in Go, `VerifyOptions.CurrentTime`), whatever other clusters and the operator's machine show.
 */
export function timeIn({ clockAheadMs = 0 }: Pick<ClusterSnapshot, 'clockAheadMs'>, now: Date): Date {
  return clockAheadMs === 0 ? now : new Date(now.getTime() + clockAheadMs);
}

/**
 * A time of this machine while all that was seen beside it is the clock of one cluster, which is apart from it: nobody can tell which
 * of the two is right. What is judged by it holds by both (`earliestOf`, `latestOf`).
 */
export class DoubtfulTime extends Date {
  /** How far the cluster's clock is ahead of this machine's, in milliseconds; behind is below zero. */
  readonly aheadMs: number;

  constructor(machine: Date, aheadMs: number) {
    super(machine.getTime());
    this.aheadMs = aheadMs;
  }
}

/** The earlier of two clocks between which nobody can tell, else the time itself: what has ended by it has ended by both. */
export function earliestOf(now: Date): Date {
  return now instanceof DoubtfulTime && now.aheadMs < 0 ? new Date(now.getTime() + now.aheadMs) : now;
}

/** The later of two clocks between which nobody can tell, else the time itself: what has not begun by it has begun by neither. */
export function latestOf(now: Date): Date {
  return now instanceof DoubtfulTime && now.aheadMs > 0 ? new Date(now.getTime() + now.aheadMs) : now;
}

/**
 * So far, in milliseconds, the clock may be behind by which certificates are dated: by so much less those of other clusters last, and
 * none is meant for less than a day.
 */
export const MOST_LAG_MS = 2 * HOUR_MS;

/** Whether certificates that are issued now are not valid yet on a cluster's clock. Between it and this machine's, they are dated by the earlier. */
export function refusesNew({ clockAheadMs = 0 }: Pick<ClusterSnapshot, 'clockAheadMs'>, now: Date): boolean {
  return clockAheadMs < -MOST_LAG_MS && now.getTime() + clockAheadMs < earliestOf(now).getTime() - NOTICED_APART_MS / 2;
}

/** What clocks are apart, and 0 where that is too little to mind. Milliseconds. */
export function noticed(apartMs: number): number {
  return Math.abs(apartMs) < NOTICED_APART_MS ? 0 : apartMs;
}

/** How far clocks are apart, e.g. `60 minutes`, `49 hours`. @param ms whichever is ahead */
export function apartWords(ms: number): string {
  const span = Math.abs(ms);
  if (span < 3 * HOUR_MS) return `${Math.round(span / MINUTE_MS)} minutes`;
  return span < 3 * DAY_MS ? `${Math.round(span / HOUR_MS)} hours` : `${Math.round(span / DAY_MS)} days`;
}

/** Of clusters those whose clocks are apart from the time of the run. */
export function clocksApart<T extends Pick<ClusterSnapshot, 'context' | 'clockAheadMs'>>(clusters: readonly T[]): T[] {
  return clusters.filter(({ clockAheadMs = 0 }) => clockAheadMs !== 0);
}

/** `the clock of context "two" is 3 hours behind`. */
export function saysApart(clusters: readonly Pick<ClusterSnapshot, 'context' | 'clockAheadMs'>[]): string {
  return enumerated(
    clusters.map(
      ({ context, clockAheadMs = 0 }) =>
        `the clock of context "${context}" is ${apartWords(clockAheadMs)} ${clockAheadMs < 0 ? 'behind' : 'ahead'}`,
    ),
  );
}

/** What mends clocks by which good certificates are refused, with the command that shows them. @param context of all clusters that have a part in it */
export function setClocksRight(context: readonly string[]): string {
  const look = meshctlCommand('clustermesh check', { context }, ['--category', 'tls']);
  return `set right the clock that is wrong, as by NTP on all its machines; no certificate has to be renewed: ${look}`;
}
