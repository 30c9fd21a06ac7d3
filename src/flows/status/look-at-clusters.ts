import { misnamedAgents } from '../../mesh/cilium/agent-identity.ts';
import { firstOf } from '../../mesh/counted.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { judgeStanding, type PolledCluster } from '../../mesh/status/standing-status.ts';
import { isUnwell, peerNameOf, type StatusReport } from '../../mesh/status/status.ts';
import { reasonsOf } from '../../mesh/status/status-reasons.ts';
import { vagueProblems } from '../../mesh/status/troubleshoot.ts';
import { isOnlyUnasked } from '../../mesh/status/unasked.ts';
import { withAgents } from '../../snapshot/agents.ts';
import { withReachableAddresses } from '../../snapshot/nodes.ts';
import { readContested } from '../enable/read-contested.ts';
import type { Flow, Target, Task } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { type KnownIdentities, withIdentities } from './ask-identity.ts';
import { type KnownNodes, withDialledAddresses } from './dialled-at.ts';
import { explainProblems } from './explain-status.ts';
import { type KnownEtcds, withOwnEtcds } from './own-etcds.ts';
import { type Poll, pollAll } from './poll-clusters.ts';
import type { PollOptions } from './poll-status.ts';
import { firstWords } from './standstill.ts';

export type StatusOptions = Omit<PollOptions, 'onProgress' | 'redial'>;

/** One look at several clusters. */
export interface Look {
  reports: StatusReport[];
  unreachable: UnreachableCluster[];
}

/**
 * Looks at all clusters once, in parallel, and finds out the reasons that only `troubleshoot` can tell. Of one single
 * cluster an error goes on its way; of several it becomes part of the result.
 */
export async function lookAtClusters(flow: Flow, targets: readonly Target[], options: StatusOptions): Promise<Look> {
  if (targets.length === 0) return { reports: [], unreachable: [] };
  const task = flow.progress.start(asking(targets));
  try {
    const onProgress = (answered: number, total: number) => task.tick(`${asking(targets)}: ${answered}/${total} nodes`);
    const poll = await pollAll(flow, targets, { ...options, redial: true }, onProgress);
    return await explainLook(flow, targets, poll, { task });
  } finally {
    task.stop();
  }
}

/** What has been found out at earlier looks. */
export interface Known {
  identities: KnownIdentities;
  nodes: KnownNodes;
  etcds: KnownEtcds;
}

/** At a first look. */
export const nothingKnown = (): Known => ({ identities: new Map(), nodes: new Map(), etcds: new Map() });

/** With who agents are that lack peers in a way for which that may be why, and where clusters are that others dial at their nodes. */
export async function identifyPolled(
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
export function judgeLook(flow: Flow, { polled, unreachable }: Poll): Look {
  return { reports: judgeStanding(polled, flow.now()), unreachable };
}

/** What progress says of a look. */
export function asking(targets: readonly Target[]): string {
  return `Asking the agents of ${firstOf(targets.map(({ client }) => client.context))}`;
}

/**
 * A look with the reasons of what is wrong: who each agent is, what `troubleshoot` tells, and what was not read so far of a cluster.
 * @param task is told what is known already: a connection that fails takes seconds, in which nobody else would say it
 */
export async function explainLook(
  flow: Flow,
  targets: readonly Target[],
  poll: Poll,
  { task, known }: { task?: Pick<Task, 'update'>; known?: Known } = {},
): Promise<Look> {
  const { polled, unreachable } = await identifyPolled(flow, targets, poll, known);
  const sought = polled.flatMap(({ report }) => soughtIn(report));
  if (sought.length > 0) task?.update(`Not connected: ${firstWords(sought)}; finding out why`);
  const explained = await Promise.all(
    polled.map(async (one): Promise<PolledCluster> => {
      const { report } = one;
      const target = targets.find(({ client }) => client.context === report.context);
      return target && !report.healthy ? { ...one, report: await explainProblems(flow, target, report) } : one;
    }),
  );
  return judgeLook(flow, { polled: await withCauses(flow, targets, explained), unreachable });
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
