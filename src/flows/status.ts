import { sleep } from '../kube/retry.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { UnreachableCluster } from '../mesh/mesh-status.ts';
import type { StatusReport } from '../mesh/status.ts';
import { explainProblems } from './explain-status.ts';
import type { Flow, Target } from './flow.ts';
import { type PollOptions, pollStatus } from './poll-status.ts';

export type StatusOptions = Omit<PollOptions, 'onProgress' | 'redial'>;

/** One look at several clusters. */
export interface Look {
  reports: StatusReport[];
  unreachable: UnreachableCluster[];
}

/** How long between two looks while something is waited for, and while someone watches. */
const LOOK_INTERVAL_MS = 500;
const WATCH_INTERVAL_MS = 1000;

/**
 * Looks at all clusters once, in parallel, and finds out the reasons that only `troubleshoot` can tell. Of one single
 * cluster an error goes on its way; of several it becomes part of the result.
 */
export async function lookAtClusters(flow: Flow, targets: readonly Target[], options: StatusOptions): Promise<Look> {
  const names = namesOf(targets);
  const task = flow.progress.start(`Asking the agents of ${names}`);
  try {
    const onProgress = (answered: number, total: number) =>
      task.tick(`Asking the agents of ${names}: ${answered}/${total} nodes`);
    const look = await pollAll(flow, targets, { ...options, redial: true }, onProgress);
    return await explainLook(flow, targets, look);
  } finally {
    task.stop();
  }
}

async function pollAll(
  flow: Flow,
  targets: readonly Target[],
  options: Omit<PollOptions, 'onProgress'>,
  onProgress: (answered: number, total: number) => void = () => undefined,
  mayPass: (error: MeshctlError) => boolean = () => false,
): Promise<Look> {
  const counts = targets.map(() => ({ answered: 0, total: 0 }));
  const looks = await Promise.all(
    targets.map(async (target, index): Promise<StatusReport | UnreachableCluster> => {
      try {
        return await pollStatus(flow, target, {
          ...options,
          onProgress(answered, total) {
            counts[index] = { answered, total };
            const sum = (key: 'answered' | 'total') => counts.reduce((all, count) => all + count[key], 0);
            onProgress(sum('answered'), sum('total'));
          },
        });
      } catch (error) {
        flow.signal.throwIfAborted();
        if (!(error instanceof MeshctlError) || (targets.length === 1 && !mayPass(error))) throw error;
        const { code, message, hint } = error;
        return { context: target.client.context, code, message, ...(hint ? { hint } : {}) };
      }
    }),
  );
  return {
    reports: looks.filter((look) => 'cluster' in look),
    unreachable: looks.filter((look) => 'code' in look),
  };
}

function namesOf(targets: readonly Target[]): string {
  return targets.map(({ client }) => client.context).join(', ');
}

async function explainLook(flow: Flow, targets: readonly Target[], look: Look): Promise<Look> {
  const reports = await Promise.all(
    look.reports.map((report) => {
      const target = targets.find(({ client }) => client.context === report.context);
      return target && !report.healthy ? explainProblems(flow, target, report) : report;
    }),
  );
  return { ...look, reports };
}

/**
 * Looks again and again until all clusters are healthy or time is up, and says what is waited for whenever that changes.
 * @returns the last look, explained
 */
export async function waitForHealth(
  flow: Flow,
  targets: readonly Target[],
  options: StatusOptions,
  waitMs: number,
): Promise<Look> {
  const deadline = Date.now() + waitMs;
  const task = flow.progress.start(`Asking the agents of ${namesOf(targets)}`);
  try {
    for (;;) {
      const quick = await pollAll(flow, targets, options, undefined, isPassing);
      // A new connection to a peer that is not there takes seconds to fail: it is made only when all else is well.
      const look = isHealthy(quick)
        ? await pollAll(flow, targets, { ...options, redial: true }, undefined, isPassing)
        : quick;
      if (isHealthy(look)) return look;
      if (Date.now() + LOOK_INTERVAL_MS > deadline) {
        // Of one single cluster that does not answer in the end, the error goes on its way.
        if (targets.length === 1 && look.unreachable.length > 0) return await lookAtClusters(flow, targets, options);
        return await explainLook(flow, targets, look);
      }
      task.update(waitingFor(look));
      await sleep(LOOK_INTERVAL_MS, flow.signal);
    }
  } finally {
    task.stop();
  }
}

/** Whether a cluster may answer at the next look. */
function isPassing({ code }: MeshctlError): boolean {
  return ['ClusterUnreachable', 'ApiFailure', 'Timeout', 'ExecFailed'].includes(code);
}

/** Looks until Ctrl-C. */
export async function watchStatus(
  flow: Flow,
  targets: readonly Target[],
  options: StatusOptions,
  show: (look: Look) => void,
): Promise<void> {
  try {
    for (;;) {
      show(await explainLook(flow, targets, await pollAll(flow, targets, { ...options, redial: true })));
      await sleep(WATCH_INTERVAL_MS, flow.signal);
    }
  } catch (error) {
    if (!flow.signal.aborted) throw error;
  }
}

/** Whether every cluster answered and is healthy. */
export function isHealthy({ reports, unreachable }: Look): boolean {
  return unreachable.length === 0 && reports.length > 0 && reports.every(({ healthy }) => healthy);
}

function waitingFor({ reports, unreachable }: Look): string {
  const words = [
    ...reports.filter(({ healthy }) => !healthy).map(lackOf),
    ...unreachable.map(({ context }) => `${context} to answer`),
  ];
  return `Waiting for ${words.join('; ')}`;
}

function lackOf({ context, nodes, kvstoremesh, peers, enabled, problems }: StatusReport): string {
  if (!enabled) return `Cluster Mesh to be enabled in ${context}`;
  if (peers.length === 0) return `${context} to be connected to a cluster`;
  if (nodes.connected < nodes.total || nodes.total === 0) {
    const lacking = peers.filter(({ agents }) => agents.connected < agents.total).map(({ name }) => name);
    return `${nodes.total - nodes.connected} of ${nodes.total} nodes of ${context} to connect to ${lacking.join(', ') || 'all clusters'}`;
  }
  const [heldOver] = problems.filter((problem) => problem.heldOver);
  if (heldOver) return `a new connection of ${context} to ${heldOver.peer}`;
  return `${kvstoremesh.replicas - kvstoremesh.connected} of ${kvstoremesh.replicas} KVStoreMesh replicas of ${context} to connect`;
}
