import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand, kubectlCommand } from '../command-line.ts';
import { counted } from '../counted.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_SELECTOR, agentDaemonSetRef } from '../objects/names.ts';
import { repels } from '../objects/taints.ts';
import { templateSpec } from '../objects/workload.ts';

/** Why nothing in a cluster can be connected, whatever is set up: it is the agents that connect. */
export interface AgentLack {
  /** In one clause about the cluster. */
  says: string;
  /** A look that shows it: only who installed Cilium knows what the agents are to be. */
  hint: string;
  /** It may pass by itself, or be meant so: a cluster that is scaled to no nodes at night. */
  mayPass: boolean;
}

/** Why no Cilium agent runs; undefined where one is ready, and where the DaemonSet was not read. */
export function lackOfAgents(
  snapshot: Pick<ClusterSnapshot, 'agent' | 'nodes' | 'context' | 'namespace' | 'objects' | 'unread'>,
): AgentLack | undefined {
  const { agent, nodes, context, namespace, objects, unread } = snapshot;
  const key = keyOf(agentDaemonSetRef(namespace));
  if (unread?.has(key)) return undefined;
  const look = (...words: string[]) => kubectlCommand({ context, namespace }, words);
  if (!agent) {
    const says = `there is no DaemonSet cilium in namespace ${namespace}, so no Cilium agent runs`;
    // The operator and the clustermesh-apiserver are there, and what is missing is seen.
    return { says, hint: look('get', 'daemonsets,deployments'), mayPass: false };
  }
  if (agent.ready > 0) return undefined;
  const describe = describeCommand({ context, namespace }, 'daemonset', { name: 'cilium' });
  if (agent.desired > 0) {
    const says = `none of the ${counted(agent.desired, 'Cilium agent')} is ready`;
    return { says, hint: look('get', 'pods', '-l', AGENT_SELECTOR, '-o', 'wide'), mayPass: true };
  }
  if (nodes.length === 0) return { says: 'no Cilium agent runs: no node was found', hint: describe, mayPass: true };
  const selector = Object.entries(templateSpec(objects.get(key)).nodeSelector ?? {});
  const fits = nodes.some(({ labels }) => selector.every(([name, value]) => labels[name] === value));
  const words = selector.map(([name, value]) => `${name}=${value}`).join(', ');
  const why = fits
    ? `its DaemonSet wants none on any of ${counted(nodes.length, 'node')}`
    : `the nodeSelector of its DaemonSet (${words}) matches none of ${counted(nodes.length, 'node')}`;
  return { says: `no Cilium agent runs: ${why}`, hint: describe, mayPass: false };
}

/** What the controller of DaemonSets tolerates for its pods by itself (Kubernetes' docs, "DaemonSet"). */
const OF_NODES = 'node.kubernetes.io/';

/**
 * The nodes on which the agents' DaemonSet wants a pod and has none, by as many as its status counts: where Cilium is
 * deliberately not, as on virtual nodes, it wants none. A node that has just gone is none of them, whatever the status still
 * says; where nodes may not be read, each is an `unknown node`.
 * @param asked the pods that were found, and the nodes that they are on
 */
export function nodesWithoutAgent(
  { agent, nodes, objects, namespace }: Pick<ClusterSnapshot, 'agent' | 'nodes' | 'objects' | 'namespace'>,
  asked: { pods: number; on: ReadonlySet<string> },
): string[] {
  const missing = (agent?.desired ?? 0) - asked.pods;
  if (missing <= 0) return [];
  const { nodeSelector = {}, tolerations = [] } = templateSpec(objects.get(keyOf(agentDaemonSetRef(namespace))));
  const names = nodes
    .filter(({ name }) => !asked.on.has(name))
    .filter(({ labels }) => Object.entries(nodeSelector).every(([name, value]) => labels[name] === value))
    .filter(({ taints = [] }) => !taints.some((one) => !one.key.startsWith(OF_NODES) && repels(one, tolerations)))
    .map(({ name }) => name);
  return nodes.length > 0 ? names.slice(0, missing) : Array.from({ length: missing }, () => 'unknown node');
}
