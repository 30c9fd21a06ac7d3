import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { agentDaemonSetRef } from '../../mesh/objects/names.ts';
import { isPodRunning, nodeOf } from '../../mesh/objects/pods.ts';
import { agentsThatLack } from '../../mesh/status/agentless-node.ts';
import { agentFactsOf } from '../../snapshot/agents.ts';
import { readNodesIfAllowed } from '../../snapshot/nodes.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';

/**
 * The agents of a cluster that nobody can ask, although they may have what their cluster has parted with: on its way out an agent serves
 * its node until its successor does, one that does not run may be starting, and of nodes that lack one the datapath is as the last one
 * left it. Pods on nodes that are gone, or that never run an agent, do not count.
 * @param pods all pods of agents
 * @returns in words, e.g. `cilium-x (ending)`
 */
export async function agentsUnasked(
  flow: Flow,
  { client, namespace }: Target,
  pods: readonly KubeObject[],
): Promise<string[]> {
  const still = pods.filter((pod) => !isPodRunning(pod));
  const results = still.map((pod) => ({
    name: nodeOf(pod) ?? pod.metadata.name,
    pod: pod.metadata.name,
    error: pod.metadata.deletionTimestamp ? 'ending' : 'not running',
  }));
  const nodes = results.length > 0 ? await orWithout(flow, readNodesIfAllowed(client), []) : [];
  const lacking = agentsThatLack(results, nodes.length > 0 ? nodes : undefined).map(
    ({ pod, error }) => `${pod} (${error})`,
  );
  const daemonSet = await unlessForbidden(client.get(agentDaemonSetRef(namespace)));
  // Who may not read what is wanted, and who has no DaemonSet, only knows whether there is any.
  const wanted = daemonSet ? agentFactsOf(daemonSet).desired : 1;
  const missing = Math.max(daemonSet ? wanted - pods.length : 0, pods.length === 0 ? wanted : 0);
  return missing > 0
    ? [...lacking, daemonSet ? `${missing} of ${wanted} agents (no pod)` : 'agents (no pod)']
    : lacking;
}
