import { withoutPatience } from '../../kube/patience.ts';
import { isRefusal, type MeshctlError } from '../../mesh/errors.ts';
import type { Fault } from '../../mesh/faults/fault.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { ruleAgainstAsking } from '../../mesh/status/reason-words.ts';
import { isUnwell, type StatusReport } from '../../mesh/status/status.ts';
import type { KnownAround } from '../../mesh/status/whom-to-join.ts';
import type { Flow, Target } from '../flow.ts';
import { pauseAfter } from '../look-pause.ts';
import {
  asking,
  explainLook,
  identifyPolled,
  isWellAsSeen,
  judgeLook,
  type Look,
  lookAtClusters,
  nothingKnown,
  type StatusOptions,
} from './look-at-clusters.ts';
import { isPassing, pollAll } from './poll-clusters.ts';
import type { PollOptions } from './poll-status.ts';
import { forlornAmong, lastingIn, mendsAlone, type Standstill, standstills, waitingFor } from './standstill.ts';

export interface HealthWaitOptions extends StatusOptions {
  /** The report with the invitations of its cluster: whom they let in is connected by its operator, and not by waiting. */
  withInvitations?: ((report: StatusReport) => Promise<StatusReport>) | undefined;
  /** What is known around a cluster that is connected to no other one; looked up where that is to be said. */
  aroundOf?: ((report: StatusReport) => Promise<KnownAround>) | undefined;
  /** Hears of each look as it was seen, without why: who is interrupted has nothing else. */
  onLook?: ((look: Look) => void) | undefined;
}
/** How long between the first looks. */
const LOOK_INTERVAL_MS = 500;
/**
 * A connect that is under way writes one Secret after the other; what stays broken for longer, or on nobody's record, is not mended
 * by waiting.
 */
const STUCK_AFTER_MS = 5000;
/** A connect that is under way is through by then, with what kubelets bring: what still fails may be what no time mends. */
const EXPLAINED_AFTER_MS = 15_000;

/**
 * Looks again and again until all clusters are healthy, waiting is in vain, or time is up, and says what is waited for whenever
 * that changes. Of a cluster that is connected to none, and that nobody is to be connected to, it is said at once what does that.
 * @returns the last look, explained
 */
export function waitForHealth(
  flow: Flow,
  targets: readonly Target[],
  options: HealthWaitOptions,
  waitMs: number,
): Promise<Look> {
  return withoutPatience(() => looksForHealth(flow, targets, options, waitMs));
}

async function looksForHealth(
  flow: Flow,
  targets: readonly Target[],
  { withInvitations, aroundOf, onLook, ...options }: HealthWaitOptions,
  waitMs: number,
): Promise<Look> {
  const begunAt = flow.clock.ms();
  const deadline = begunAt + waitMs;
  const task = flow.progress.start(asking(targets));
  let stuckSince: number | undefined;
  let isExplained = false;
  const known = nothingKnown();
  const refusals = countRefusals();
  const mayPass = (error: MeshctlError) =>
    isPassing(error) || (isRefusal(error) && targets.every(({ client }) => refusals.mayForgive(client.context)));
  const look = async (more: Pick<PollOptions, 'redial'> = {}) =>
    identifyPolled(flow, targets, await pollAll(flow, targets, { ...options, ...more }, undefined, mayPass), known);
  const told = new Set<string>();
  const tellOnce = (standing: readonly Standstill[]): void => {
    const untold = standing.filter((one) => !told.has(JSON.stringify(one)));
    for (const one of untold) told.add(JSON.stringify(one));
    const alike = groupBy(untold, ({ says, hint }) => `${says}; to mend it → ${hint}`);
    for (const [words, group] of alike)
      flow.progress.warn(`${group.map(({ context }) => `context "${context}"`).join(', ')}: ${words}`);
  };
  try {
    for (;;) {
      const quick = await look();
      // A new connection to a peer that is not there takes seconds to fail: it is made only when all else is well.
      const isQuiet = isWellAsSeen(judgeLook(flow, quick));
      const poll = isQuiet ? await look({ redial: true }) : quick;
      const seen = judgeLook(flow, poll);
      onLook?.(seen);
      if (isWellAsSeen(seen)) return seen;
      tellOnce(standstills(seen));
      const forlorn = await forlornAmong(poll.polled, seen, { withInvitations, aroundOf });
      tellOnce(forlorn);
      if (flow.clock.ms() - begunAt > EXPLAINED_AFTER_MS && !isExplained) {
        isExplained = true;
        tellOnce(lastingIn(await explainLook(flow, targets, poll, { task, known })));
      }
      const pauseMs = pauseAfter(flow.clock.ms() - begunAt, LOOK_INTERVAL_MS);
      const isStill = isStuck(seen) || forlorn.length > 0;
      stuckSince = isStill ? (stuckSince ?? flow.clock.ms()) : undefined;
      const isVain = stuckSince !== undefined && flow.clock.ms() - stuckSince > STUCK_AFTER_MS;
      if (isVain || refusals.areFinal(seen) || flow.clock.ms() + pauseMs > deadline) {
        // Of one single cluster that does not answer in the end, the error goes on its way.
        if (targets.length === 1 && seen.unreachable.length > 0) return await lookAtClusters(flow, targets, options);
        const isSure = isQuiet || !seen.reports.some(({ faults }) => faults.some(mayBeOfAnother));
        const last = isSure ? poll : await look({ redial: true });
        return await explainLook(flow, targets, last, { task, known });
      }
      task.update(waitingFor(seen, flow.clock.ms() - begunAt));
      await flow.clock.sleep(pauseMs, flow.signal);
    }
  } finally {
    task.stop();
  }
}

/**
 * The clusters that do not let the user ask, by rights or by a rule: without that no look will find all well. One that has answered before
 * may be looked at once more, as where a login is being renewed.
 */
function countRefusals() {
  const answered = new Set<string>();
  let former = new Set<string>();
  const mayForgive = (context: string) => answered.has(context) && !former.has(context);
  return {
    mayForgive,
    /** Whether one of them is to be believed. */
    areFinal(seen: Look): boolean {
      const refusing = refusingIn(seen);
      const areFinal = refusing.some((context) => !mayForgive(context));
      for (const { context } of seen.reports) if (!refusing.includes(context)) answered.add(context);
      former = new Set(refusing);
      return areFinal;
    },
  };
}

function refusingIn({ reports, unreachable }: Look): string[] {
  const isByRule = (report: StatusReport) =>
    report.problems.some((problem) => {
      const rule = ruleAgainstAsking(report, problem);
      return rule !== undefined && rule.mayPass === undefined;
    });
  return [...unreachable.filter((cluster) => !isPassing(cluster)), ...reports.filter(isByRule)].map(
    ({ context }) => context,
  );
}

/** Whether all that can be waited for is there, and what keeps the mesh from being healthy is broken objects. */
function isStuck({ reports, unreachable }: Look): boolean {
  const lacking = reports.filter(isUnwell);
  return (
    unreachable.length === 0 &&
    lacking.length > 0 &&
    lacking.every(
      ({ faults, problems }) =>
        faults.some(({ outage }) => outage) &&
        [...faults, ...problems.map(({ cause }) => cause)].every((fault) => fault && !mendsAlone(fault)),
    )
  );
}

/** Whether a new connection to the peer may tell that it is another cluster that is meant. */
function mayBeOfAnother({ id }: Fault): boolean {
  return id === 'mesh-disabled' || id === 'peer-ca';
}
