import { kubectlCommand } from '../command-line.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_SELECTOR, agentDaemonSetRef } from '../objects/names.ts';
import { restartWorkloads, type WorkloadsPlace } from '../objects/restart.ts';
import { workloadSpec, workloadStatus } from '../objects/workload.ts';

/** Where agents are; `objects` with their DaemonSet, as far as that was read. */
export type AgentsPlace = WorkloadsPlace;

/**
 * Whether the DaemonSet leaves the pods that it has until somebody deletes them (Kubernetes, "Perform a Rolling Update on a
 * DaemonSet"): a restart that only changes its template restarts nothing, and kubectl has no rollout status of it. False where it
 * was not read.
 */
export function isOnDelete({ namespace, objects }: Pick<AgentsPlace, 'namespace' | 'objects'>): boolean {
  return workloadSpec(daemonSetOf({ namespace, objects })).updateStrategy?.type === 'OnDelete';
}

function daemonSetOf({ namespace, objects }: Pick<AgentsPlace, 'namespace' | 'objects'>) {
  return objects?.get(keyOf(agentDaemonSetRef(namespace)));
}

/**
 * The command line that restarts all agents, the one place of it.
 * @param also other workloads to restart with them, e.g. `deployment/cilium-operator`
 */
export function restartAgents(place: AgentsPlace, also: readonly string[] = []): string {
  const { context, namespace } = place;
  if (!isOnDelete(place)) return restartWorkloads(place, ['daemonset/cilium', ...also]);
  const agents = kubectlCommand({ context, namespace }, ['delete', 'pods', '-l', AGENT_SELECTOR]);
  return also.length > 0 ? `${agents} && ${restartWorkloads(place, also)}` : agents;
}

/** What has to be said before {@link restartAgents}: the end of a clause, or nothing where a rollout goes node by node. */
export function saysAtOnce(place: AgentsPlace): string {
  return isOnDelete(place)
    ? ' (its DaemonSet is on OnDelete: all agents restart at once by this command, or node by node where you delete their pods one by one)'
    : '';
}

/** As kubectl takes it: whoever waits for agents of an image that no node can pull is told at last. */
const LONGEST_ROLLOUT = '10m';

/** The command line that has agents run what their DaemonSet has by now, and ends once they do, or cannot. */
export function finishAgents(place: AgentsPlace): string {
  const { context, namespace } = place;
  if (!isOnDelete(place))
    return kubectlCommand({ context, namespace }, [
      ...['rollout', 'status', 'daemonset/cilium', `--timeout=${LONGEST_ROLLOUT}`],
    ]);
  const { desiredNumberScheduled: all = 0 } = workloadStatus(daemonSetOf(place));
  // Pods that are not there yet are not waited for: the DaemonSet counts them.
  const until = (field: string) =>
    kubectlCommand({ context, namespace }, [
      ...['wait', 'daemonset/cilium', `--for=jsonpath={.status.${field}}=${all}`, `--timeout=${LONGEST_ROLLOUT}`],
    ]);
  return [restartAgents(place), until('updatedNumberScheduled'), until('numberReady')].join(' && ');
}
