import pLimit from 'p-limit';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { isPodRunning, livingPods } from '../../mesh/objects/pods.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { agentsUnasked } from '../status/agents-unasked.ts';
import { AGENTS, readAnswer } from '../status/status-programs.ts';
import { awaitShutOut, type PartingWait } from './await-shut-out.ts';

const LOOK_INTERVAL_MS = 500;
/** Agents that are just being replaced can be asked within this time, as a rule. */
const SETTLED_WITHIN_MS = 15_000;
const EXECS_AT_A_TIME = 30;
const EXEC_TIMEOUT_MS = 10_000;

/**
 * Waits until a disconnect has taken effect: the etcds refuse the peers, and no agent reports a cluster that its own does
 * not dial any more.
 * @param parallel clusters asked at a time; one that is waited for is not being asked
 * @returns what could not be seen, as warnings: a pod that does not answer is not known to have forgotten
 * @throws MeshctlError `Timeout`, naming what still stands
 */
export async function awaitParted(
  flow: Flow,
  targets: readonly Target[],
  partings: readonly Parting[],
  { timeoutMs, parallel }: { timeoutMs: number; parallel: number },
): Promise<string[]> {
  const deadline = flow.clock.ms() + timeoutMs;
  const limit = pLimit(parallel);
  const forgotten = partings.flatMap(({ snapshot, undialled }) => {
    const target = targets.find(({ client }) => client.context === snapshot.context);
    return target && undialled.length > 0 ? [awaitForgotten(flow, target, undialled, { deadline, limit })] : [];
  });
  const warnings = await during(
    flow,
    {
      doing: 'Waiting until the peers are shut out and forgotten',
      done: (unseen) =>
        unseen.flat().length === 0 ? 'The peers are shut out and forgotten' : 'Not all of it could be verified',
      good: (unseen) => unseen.flat().length === 0,
    },
    () => Promise.all([awaitShutOut(flow, targets, partings, { deadline, limit }), ...forgotten]),
  );
  return warnings.flat();
}

async function awaitForgotten(
  flow: Flow,
  target: Target,
  peers: readonly string[],
  { deadline, limit }: PartingWait,
): Promise<string[]> {
  const { context } = target.client;
  let settledBy: number | undefined;
  return untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS, limit }, async (late) => {
    // From its first turn on; the deadline makes it late.
    settledBy ??= flow.clock.ms() + SETTLED_WITHIN_MS;
    const { reporting, silent, pods } = await askAgents(target, peers, late);
    if (reporting.length === 0) {
      const unheard = [...silent, ...(await agentsUnasked(flow, target, pods))];
      if (unheard.length === 0) return [];
      if (silent.length === 0 && !late && flow.clock.ms() + LOOK_INTERVAL_MS <= settledBy) return undefined;
      return [
        `context "${context}": ${unheard.join(', ')} did not say whether ${unheard.length === 1 ? 'it has' : 'they have'} forgotten ${peers.join(', ')}; check again: ${meshctlCommand('clustermesh status', { context })}`,
      ];
    }
    if (!late) return undefined;
    throw new MeshctlError(
      'Timeout',
      `context "${context}": agents still report ${peers.join(', ')}: ${reporting.join(', ')}`,
      {
        hint: `Kubelets refresh mounted Secrets about every minute; then check again: ${meshctlCommand('clustermesh status', { context })}`,
        details: { context, pods: reporting },
      },
    );
  });
}

/**
 * The pods that report one of the peers, and those that run and do not answer; `pods`: all of them.
 * @throws MeshctlError `ClusterUnreachable` of an API server that is away, which says nothing of its agents, but for the last look
 */
async function askAgents(
  { client, namespace }: Target,
  peers: readonly string[],
  last: boolean,
): Promise<{ reporting: string[]; silent: string[]; pods: KubeObject[] }> {
  const limit = pLimit(EXECS_AT_A_TIME);
  const pods = await client.listAll(livingPods(namespace, AGENTS.selector));
  const reporting: string[] = [];
  const silent: string[] = [];
  const looks = pods.filter(isPodRunning).map(({ metadata: { name: pod } }) =>
    limit(async () => {
      try {
        const { container, command } = AGENTS;
        const answer = await client.exec({ namespace, pod, container, command, timeoutMs: EXEC_TIMEOUT_MS });
        const { clusters } = readAnswer(AGENTS, answer);
        if (!clusters) silent.push(pod);
        else if (clusters.some(({ name }) => peers.includes(name))) reporting.push(pod);
      } catch (error) {
        if (!(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
        if (error.code === 'ClusterUnreachable' && !last) throw error;
        silent.push(pod);
      }
    }),
  );
  await Promise.all(looks);
  return { reporting, silent, pods };
}
