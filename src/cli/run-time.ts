import { DATED_BACK_MS } from '../mesh/certificates/certificate.ts';
import { apartWords, DoubtfulTime, MOST_LAG_MS, noticed } from '../mesh/cluster-clocks.ts';

/** The time of a run, and what the clocks of clusters are to it. */
export interface RunTime {
  /** By which is judged what no single cluster judges; what a cluster verifies goes by its own clock (`timeIn`, mesh/cluster-clocks.ts). */
  now(): Date;
  /** By which certificates are dated. */
  issuing(): Date;
  /** Takes note of the clock of a cluster's API server. @param date what it showed just now */
  sawClock(context: string, date: Date): void;
  /** How far a cluster's clock is ahead of `now`, in milliseconds; behind is below zero, 0 what nobody minds. Undefined before it was seen. */
  aheadMs(context: string): number | undefined;
}

/** Earlier no clock is that somebody has set: a machine without a battery begins in 1970, or with the day its system was built. */
const NO_CLOCK_BEFORE = new Date('2025-01-01T00:00:00Z');

/**
 * The operator's machine verifies nothing in a mesh: where its clock is apart from those of all clusters, and two of them or more agree,
 * a run goes by theirs; else by this machine's. One cluster alone outvotes nobody: its clock may be the one that is wrong, and what is
 * judged while the two are apart holds by both (`DoubtfulTime`, mesh/cluster-clocks.ts).
 *
 * Certificates are dated by the clock that is furthest behind of this machine's, which verifies what it proves, and the clusters':
 * whoever gets a certificate from the future refuses all of a mesh until it has come (they are dated back by a few minutes only,
 * mesh/certificates/certificate.ts). But not by one that is behind beyond reason, where others tell that it is: that is the cluster's to
 * set right, and such a plan has to be agreed to.
 *
 * By which clock, is settled when either time is first asked for, and stays so: what is dated late in a run is dated as before.
 * By then all clusters to which it may issue have answered, since none is worked on before all were looked at.
 * @param machine this machine's time
 */
export function createRunTime(machine: () => Date, warn: (text: string) => void): RunTime {
  /** How far this machine is ahead of each. */
  const aheadOf = new Map<string, number>();
  const told = new Set<string>();
  let runMs: number | undefined;
  /** How far it is ahead of the only cluster that was seen by then, where the two are apart. */
  let doubtMs = 0;
  let issuingMs: number | undefined;
  const settled = () => {
    if (runMs !== undefined) return runMs;
    const clocks = [...aheadOf.values()].filter((ms) => isClock(machine(), ms));
    const [only = 0] = clocks;
    doubtMs = clocks.length === 1 ? noticed(only) : 0;
    runMs = agreed(clocks);
    return runMs;
  };
  /** How far this machine is ahead of the clock by which certificates are dated, or are as far as that is known by now. */
  const datedBy = () => {
    const own = settled();
    const lags = [0, ...aheadOf.values()].filter((ms) => isApart(ms - own) && ms - own <= MOST_LAG_MS);
    return issuingMs ?? Math.max(own, own + doubtMs, ...lags);
  };
  const tell = (who: string, words: string) => {
    if (told.has(who)) return;
    told.add(who);
    warn(words);
  };
  /** Of one that is as far from this machine's as all are, it is said once, of the machine. */
  const tellOf = (context: string, aheadMs: number, own: number) => {
    const refuses = aheadMs - datedBy() > DATED_BACK_MS;
    const alike = contextsBy(aheadMs);
    // One that was read late agrees with one that nobody could believe before: then it is this machine's that is wrong.
    const outvoted = own === 0 && !refuses && alike.length > 1 && agreed([...aheadOf.values()]) !== 0;
    if (isApart(aheadMs) && outvoted) tell('', `${machineWords(aheadMs, alike)}; set it right`);
    else if (isApart(aheadMs - own)) tell(context, clusterWords(context, aheadMs - own, own === 0, refuses));
    else if (own !== 0) tell('', `${machineWords(own, contextsBy(own))}, ${BY_OTHERS}; set it right`);
  };
  const contextsBy = (own: number) => [...aheadOf].flatMap(([context, ms]) => (isApart(ms - own) ? [] : [context]));
  const tellAll = () => {
    const own = settled();
    for (const [context, aheadMs] of aheadOf) tellOf(context, aheadMs, own);
    return own;
  };
  return {
    now() {
      const date = new Date(machine().getTime() - tellAll());
      return doubtMs === 0 ? date : new DoubtfulTime(date, -doubtMs);
    },
    issuing() {
      tellAll();
      issuingMs ??= datedBy();
      return new Date(machine().getTime() - issuingMs);
    },
    sawClock(context, date) {
      const aheadMs = machine().getTime() - date.getTime();
      const known = aheadOf.get(context);
      if (known === undefined || isApart(aheadMs - known)) aheadOf.set(context, aheadMs);
      if (runMs !== undefined) tellOf(context, aheadOf.get(context) ?? aheadMs, runMs);
    },
    aheadMs(context) {
      const known = aheadOf.get(context);
      return known === undefined ? undefined : noticed(settled() - known);
    },
  };
}

function isApart(ms: number): boolean {
  return noticed(ms) !== 0;
}

function isClock(machine: Date, aheadMs: number): boolean {
  return machine.getTime() - aheadMs >= NO_CLOCK_BEFORE.getTime();
}

/** Of what a machine is ahead of clusters, or behind, what two of them have alike, the least of that; 0 where it agrees with one, or such are on both sides. */
function agreed(all: readonly number[]): number {
  if (all.some((ms) => !isApart(ms))) return 0;
  const alike = all.filter((ms, index) => all.some((other, at) => at !== index && !isApart(ms - other)));
  if (alike.length === 0 || !(alike.every((ms) => ms > 0) || alike.every((ms) => ms < 0))) return 0;
  const least = Math.min(...alike.map(Math.abs));
  return alike.find((ms) => Math.abs(ms) === least) ?? 0;
}

/** @param contexts the clusters that it is so far ahead of; below zero: behind */
function machineWords(machineAheadMs: number, contexts: readonly string[]): string {
  const named = contexts.map((context) => `"${context}"`).join(', ');
  const where = `this machine's clock is ${apartWords(machineAheadMs)} ${machineAheadMs < 0 ? 'behind' : 'ahead of'}`;
  return `${where} those of the API servers of contexts ${named}`;
}

const BY_OTHERS = 'by which certificates are judged and dated';

/**
 * @param behindMs how far a cluster's clock is behind the time of the run; ahead of it is below zero
 * @param isOfMachine that time is this machine's
 * @param refuses what is dated in this run is not valid there yet
 */
function clusterWords(context: string, behindMs: number, isOfMachine: boolean, refuses: boolean): string {
  const than = isOfMachine ? "this machine's" : "the other clusters'";
  const where = `context "${context}": its API server's clock is ${apartWords(behindMs)} ${behindMs > 0 ? 'behind' : 'ahead of'} ${than}`;
  return refuses
    ? `${where}, and certificates are not dated by it: that cluster refuses new ones until its clock has come there; set it right`
    : `${where}; set right which is wrong`;
}
