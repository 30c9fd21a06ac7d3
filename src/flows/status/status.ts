import { withoutPatience } from '../../kube/patience.ts';
import { misnamedAgents } from '../../mesh/cilium/agent-identity.ts';
import { firstOf } from '../../mesh/counted.ts';
import { isRefusal, type MeshctlError } from '../../mesh/errors.ts';
import type { Fault } from '../../mesh/faults/fault.ts';
import { groupBy } from '../../mesh/pairs.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { ruleAgainstAsking } from '../../mesh/status/reason-words.ts';
import { judgeStanding, type PolledCluster } from '../../mesh/status/standing-status.ts';
import { isUnwell, peerNameOf, type StatusReport } from '../../mesh/status/status.ts';
import { reasonsOf } from '../../mesh/status/status-reasons.ts';
import { vagueProblems } from '../../mesh/status/troubleshoot.ts';
import { isOnlyUnasked } from '../../mesh/status/unasked.ts';
import type { KnownAround } from '../../mesh/status/whom-to-join.ts';
import { withAgents } from '../../snapshot/agents.ts';
import { withReachableAddresses } from '../../snapshot/nodes.ts';
import { readContested } from '../enable/read-contested.ts';
import type { Flow, Target, Task } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { type KnownIdentities, withIdentities } from './ask-identity.ts';
import { type KnownNodes, withDialledAddresses } from './dialled-at.ts';
import { explainProblems } from './explain-status.ts';
import { type KnownEtcds, withOwnEtcds } from './own-etcds.ts';
import { isPassing, type Poll, pollAll, watchful } from './poll-clusters.ts';
import type { PollOptions } from './poll-status.ts';
import {
  firstWords,
  forlornAmong,
  lastingIn,
  mendsAlone,
  type Standstill,
  standstills,
  waitingFor,
} from './standstill.ts';

export type StatusOptions = Omit<PollOptions, 'onProgress' | 'redial'>;

export interface HealthWaitOptions extends StatusOptions {
  /** The report with the invitations of its cluster: whom they let in is connected by its operator, and not by waiting. */
  withInvitations?: ((report: StatusReport) => Promise<StatusReport>) | undefined;
  /** What is known around a cluster that is connected to no other one; looked up where that is to be said. */
  aroundOf?: ((report: StatusReport) => Promise<KnownAround>) | undefined;
  /** Hears of each look as it was seen, without why: who is interrupted has nothing else. */
  onLook?: ((look: Look) => void) | undefined;
}

/** One look at several clusters. */
export interface Look {
  reports: StatusReport[];
  unreachable: UnreachableCluster[];
}

/** How long between two looks while something is waited for, and while someone watches. */
const LOOK_INTERVAL_MS = 500;
const WATCH_INTERVAL_MS = 1000;
/**
 * A connect that is under way writes one Secret after the other; what stays broken for longer, or on nobody's record, is not mended
 * by waiting.
 */
const STUCK_AFTER_MS = 5000;
/** A connect that is under way is through by then, with what kubelets bring: what still fails may be what no time mends. */
const EXPLAINED_AFTER_MS = 15_000;

/**
 * Looks at all clusters once, in parallel, and finds out the reasons that only `troubleshoot` can tell. Of one single
 * cluster an error goes on its way; of several it becomes part of the result.
 */
export async function lookAtClusters(flow: Flow, targets: readonly Target[], options: StatusOptions): Promise<Look> {
  if (targets.length === 0) return { reports: [], unreachable: [] };
  const names = namesOf(targets);
  const task = flow.progress.start(`Asking the agents of ${names}`);
  try {
    const onProgress = (answered: number, total: number) =>
      task.tick(`Asking the agents of ${names}: ${answered}/${total} nodes`);
    const poll = await pollAll(flow, targets, { ...options, redial: true }, onProgress);
    return await explain(flow, targets, poll, { task });
  } finally {
    task.stop();
  }
}

/** What has been found out at earlier looks. */
interface Known {
  identities: KnownIdentities;
  nodes: KnownNodes;
  etcds: KnownEtcds;
}

const nothingKnown = (): Known => ({ identities: new Map(), nodes: new Map(), etcds: new Map() });

/** With who agents are that lack peers in a way for which that may be why, and where clusters are that others dial at their nodes. */
async function identified(
  flow: Flow,
  targets: readonly Target[],
  { polled, unreachable }: Poll,
  known: Known = nothingKnown(),
): Promise<Poll> {
  const asked = polled.map((one) => {
    const target = targets.find(({ client }) => client.context === one.report.context);
    return target && !one.agents ? withIdentities(flow, target, one, known.identities) : one;
  });
  const addressed = await withDialledAddresses(flow, targets, await Promise.all(asked), known.nodes);
  return { polled: await withOwnEtcds(flow, targets, addressed, known.etcds), unreachable };
}

/** What the agents said, with what is configured. */
function judged(flow: Flow, { polled, unreachable }: Poll): Look {
  return { reports: judgeStanding(polled, flow.now()), unreachable };
}

function namesOf(targets: readonly Target[]): string {
  return firstOf(targets.map(({ client }) => client.context));
}

/** @param task is told what is known already: a connection that fails takes seconds, in which nobody else would say it */
async function explain(
  flow: Flow,
  targets: readonly Target[],
  poll: Poll,
  { task, known }: { task?: Pick<Task, 'update'>; known?: Known } = {},
): Promise<Look> {
  const { polled, unreachable } = await identified(flow, targets, poll, known);
  const sought = polled.flatMap(({ report }) => soughtIn(report));
  if (sought.length > 0) task?.update(`Not connected: ${firstWords(sought)}; finding out why`);
  const explained = await Promise.all(
    polled.map(async (one): Promise<PolledCluster> => {
      const { report } = one;
      const target = targets.find(({ client }) => client.context === report.context);
      return target && !report.healthy ? { ...one, report: await explainProblems(flow, target, report) } : one;
    }),
  );
  return judged(flow, { polled: await withCauses(flow, targets, explained), unreachable });
}

/**
 * With what keeps an enable from its work that is a next step: what others have set, only its plan tells. For a look of which the next
 * steps are printed: each such enable is planned.
 */
export async function withContested(flow: Flow, targets: readonly Target[], look: Look): Promise<Look> {
  const { reports: clusters, unreachable } = look;
  const hints = reasonsOf({ clusters, unreachable }).map(({ hint }) => hint);
  const contested = await readContested(flow, targets, hints);
  const reports = clusters.map((report) => {
    const taking = contested.get(report.context);
    return taking === undefined ? report : { ...report, contested: taking };
  });
  return { reports, unreachable };
}

/** For whom `troubleshoot` is run, in words. */
function soughtIn(report: StatusReport): string[] {
  const peers = new Set(report.healthy ? [] : vagueProblems(report).map(({ peer }) => peer));
  return peers.size === 0 ? [] : [`${report.context} to ${firstOf([...peers].flatMap((peer) => peer ?? []))}`];
}

/**
 * What only matters where something is wrong is read now: where a peer cannot be reached, the addresses that its Service
 * has; where no agent answers, or they are to be restarted, what their DaemonSet wants. By then a cluster may be down, which others lack for that.
 */
async function withCauses(
  flow: Flow,
  targets: readonly Target[],
  polled: readonly PolledCluster[],
): Promise<PolledCluster[]> {
  const lacked = new Set(polled.flatMap(({ report }) => report.problems.map(({ peer }) => peer)));
  return Promise.all(
    polled.map(async (one) => {
      const { report, snapshot } = one;
      const target = targets.find(({ client }) => client.context === report.context);
      if (!target) return one;
      const { client } = target;
      const isAsked = report.nodes.total === 0 || misnamedAgents(snapshot, one.agents) !== undefined;
      const known = isAsked ? await orWithout(flow, withAgents(client, snapshot), snapshot) : snapshot;
      const isLacked = lacked.has(peerNameOf(report));
      return {
        ...one,
        snapshot: isLacked ? await orWithout(flow, withReachableAddresses(client, known), known) : known,
      };
    }),
  );
}

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
  const task = flow.progress.start(`Asking the agents of ${namesOf(targets)}`);
  let stuckSince: number | undefined;
  let isExplained = false;
  const known = nothingKnown();
  const refusals = countRefusals();
  const mayPass = (error: MeshctlError) =>
    isPassing(error) || (isRefusal(error) && targets.every(({ client }) => refusals.mayForgive(client.context)));
  const look = async (more: Pick<PollOptions, 'redial'> = {}) =>
    identified(flow, targets, await pollAll(flow, targets, { ...options, ...more }, undefined, mayPass), known);
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
      const isQuiet = isWellAsSeen(judged(flow, quick));
      const poll = isQuiet ? await look({ redial: true }) : quick;
      const seen = judged(flow, poll);
      onLook?.(seen);
      if (isWellAsSeen(seen)) return seen;
      tellOnce(standstills(seen));
      const forlorn = await forlornAmong(poll.polled, seen, { withInvitations, aroundOf });
      tellOnce(forlorn);
      if (flow.clock.ms() - begunAt > EXPLAINED_AFTER_MS && !isExplained) {
        isExplained = true;
        tellOnce(lastingIn(await explain(flow, targets, poll, { task, known })));
      }
      const isStill = isStuck(seen) || forlorn.length > 0;
      stuckSince = isStill ? (stuckSince ?? flow.clock.ms()) : undefined;
      const isVain = stuckSince !== undefined && flow.clock.ms() - stuckSince > STUCK_AFTER_MS;
      if (isVain || refusals.areFinal(seen) || flow.clock.ms() + LOOK_INTERVAL_MS > deadline) {
        // Of one single cluster that does not answer in the end, the error goes on its way.
        if (targets.length === 1 && seen.unreachable.length > 0) return await lookAtClusters(flow, targets, options);
        const isSure = isQuiet || !seen.reports.some(({ faults }) => faults.some(mayBeOfAnother));
        const last = isSure ? poll : await look({ redial: true });
        return await explain(flow, targets, last, { task, known });
      }
      task.update(waitingFor(seen, flow.clock.ms() - begunAt));
      await flow.clock.sleep(LOOK_INTERVAL_MS, flow.signal);
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

/**
 * Looks until Ctrl-C. A cluster that does not answer for a while is looked at again, also where it is the only one; the others are
 * shown meanwhile.
 * @param silent those that have not answered so far
 */
export async function watchStatus(
  flow: Flow,
  targets: readonly Target[],
  options: StatusOptions,
  show: (look: Look) => Promise<void>,
  silent: readonly UnreachableCluster[] = [],
): Promise<void> {
  const pollSoon = watchful(flow, targets, options, silent);
  const { nodes, etcds } = nothingKnown();
  try {
    for (;;) {
      const poll = await pollSoon();
      await show(await explain(flow, targets, poll, { known: { ...nothingKnown(), nodes, etcds } }));
      await flow.clock.sleep(WATCH_INTERVAL_MS, flow.signal);
    }
  } catch (error) {
    if (!flow.signal.aborted) throw error;
  }
}

/** Whether every cluster answered and is healthy. */
export function isHealthy({ reports, unreachable }: Look): boolean {
  return unreachable.length === 0 && reports.length > 0 && reports.every(({ healthy }) => healthy);
}

/**
 * Whether something is known to be wrong in a cluster that answered, or none was asked without an error of its own. That not all of
 * one could be asked in time tells nothing of it.
 */
export function isSeenBroken({ reports, unreachable }: Look): boolean {
  return (
    reports.some((report) => isUnwell(report) && !isOnlyUnasked(report)) || reports.length + unreachable.length === 0
  );
}

/** The same as far as the user may see: nobody comes to see more by waiting. */
export function isWellAsSeen({ reports, unreachable }: Look): boolean {
  return unreachable.length === 0 && reports.length > 0 && !reports.some(isUnwell);
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
