import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { describeCommand, kubectlCommand } from '../command-line.ts';
import { counted, firstOf } from '../counted.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { AGENT_SELECTOR, agentDaemonSetRef } from '../objects/names.ts';
import { unmetChoice } from '../objects/node-affinity.ts';
import { OF_DAEMON_SETS, repels, taintText } from '../objects/taints.ts';
import { type PodSpec, templateSpec } from '../objects/workload.ts';
import { groupBy } from '../pairs.ts';

/** Why nothing in a cluster can be connected, whatever is set up: it is the agents that connect. */
export interface AgentLack {
  /** In one clause about the cluster. */
  says: string;
  /** A look that shows it: only who installed Cilium knows what the agents are to be. */
  hint: string;
  /** It may pass by itself, or be meant so: a cluster that is scaled to no nodes at night. */
  mayPass: boolean;
}

/** Why no Cilium agent runs, or comes back; undefined where one is ready, and where the DaemonSet was not read. */
export function lackOfAgents(
  snapshot: Pick<ClusterSnapshot, 'agent' | 'nodes' | 'context' | 'namespace' | 'objects' | 'unread'>,
): AgentLack | undefined {
  const { agent, nodes, context, namespace, unread } = snapshot;
  const key = keyOf(agentDaemonSetRef(namespace));
  if (unread?.has(key)) return undefined;
  const look = (...words: string[]) => kubectlCommand({ context, namespace }, words);
  if (!agent) {
    const says = `there is no DaemonSet cilium in namespace ${namespace}, so no Cilium agent is started`;
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
  const reasons = new Set(nodes.flatMap((node) => refusalOf(agentSpec(snapshot), node) ?? []));
  const why = reasons.size > 0 ? ` (${firstOf([...reasons])})` : '';
  const says = `no Cilium agent runs: its DaemonSet wants none on any of ${counted(nodes.length, 'node')}${why}`;
  return { says, hint: describe, mayPass: false };
}

type Placing = Pick<ClusterSnapshot, 'nodes' | 'objects' | 'namespace'>;

/** Of the agents' pods, as their DaemonSet makes them. */
function agentSpec({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): PodSpec {
  return templateSpec(objects.get(keyOf(agentDaemonSetRef(namespace))));
}

/**
 * By what a DaemonSet's controller makes no pod for a node (Kubernetes' pkg/controller/daemon, `NodeShouldRunDaemonPod`):
 * `nodeSelector pool=mesh`, `taint team=a:NoSchedule`; undefined where it makes one. A cordon is nothing to it.
 */
function refusalOf(spec: PodSpec, node: NodeFacts): string | undefined {
  const tolerations = [...(spec.tolerations ?? []), ...OF_DAEMON_SETS];
  const taint = node.taints?.find((one) => repels(one, tolerations));
  return unmetChoice(spec, node) ?? (taint && `taint ${taintText(taint)}`);
}

/** Whether a node is of a kind on which nobody expects Cilium, so that it is no news that it is not there. */
export function isNeverMeant({ labels, taints = [] }: NodeFacts): boolean {
  return (
    Object.entries(FOREIGN_LABELS).some(([key, value]) => labels[key] === value) ||
    taints.some(({ key }) => key === VIRTUAL_KUBELET)
  );
}

const VIRTUAL_KUBELET = 'virtual-kubelet.io/provider';
const FOREIGN_LABELS: Readonly<Record<string, string>> = {
  'kubernetes.io/os': 'windows',
  'eks.amazonaws.com/compute-type': 'fargate',
  // By virtual-kubelet itself, and by those who want Cilium kept off (cilium-cli's `nodes-without-cilium`).
  type: 'virtual-kubelet',
  'cilium.io/no-schedule': 'true',
};

/** Whether an agent can come to run on a node: not where it is of such a kind, whatever pod its DaemonSet puts there. */
export function mayRunAgent({ nodes }: Pick<ClusterSnapshot, 'nodes'>, name: string): boolean {
  return !nodes.some((node) => node.name === name && isNeverMeant(node));
}

/** The nodes on which an agent is to run; all that may ever have one where the DaemonSet was not read. */
export function nodesForAgents(snapshot: Placing): NodeFacts[] {
  const isRead = snapshot.objects.has(keyOf(agentDaemonSetRef(snapshot.namespace)));
  const spec = agentSpec(snapshot);
  return snapshot.nodes.filter((node) => !isNeverMeant(node) && !(isRead && refusalOf(spec, node) !== undefined));
}

/** Nodes that the agents' DaemonSet leaves out, whose pods are therefore in no mesh. */
export interface LeftOut {
  /** By what it does: `nodeSelector pool=mesh`, `taint team=a:NoSchedule`. */
  by: string;
  nodes: string[];
}

/**
 * The nodes that are ready and get no agent, by what of the DaemonSet, or of the node, keeps them from it. None of those that
 * are never meant to have one: of Windows, Fargate and virtual kubelets.
 * @param on nodes whose agent goes on running, as one does where a taint came later
 */
export function nodesLeftOut(snapshot: Placing, on: ReadonlySet<string> = new Set()): LeftOut[] {
  const spec = agentSpec(snapshot);
  const refused = snapshot.nodes
    .filter((node) => node.ready && !on.has(node.name) && !isNeverMeant(node))
    .flatMap((node) => {
      const by = refusalOf(spec, node);
      return by === undefined ? [] : [{ by, name: node.name }];
    });
  return [...groupBy(refused, ({ by }) => by)].map(([by, alike]) => ({ by, nodes: alike.map(({ name }) => name) }));
}

/** Nodes that are left out, as a clause. */
export function saysLeftOut({ by, nodes }: LeftOut): string {
  const them = nodes.length === 1 ? 'its pods are' : 'their pods are';
  return `the DaemonSet cilium leaves ${firstOf(nodes)} out by ${by}: ${them} not in the mesh`;
}

/** A look at how the DaemonSet chooses nodes: only who installed Cilium knows whether it shall leave any out. */
export function seePlacing({ context, namespace }: Pick<ClusterSnapshot, 'context' | 'namespace'>): string {
  const look = kubectlCommand({ context, namespace }, ['get', 'daemonset/cilium', '-o', 'yaml']);
  return `Its nodeSelector, affinity and tolerations: ${look}`;
}

/** Whether a DaemonSet may leave nodes out that {@link nodesLeftOut} names: only then they need be read for it. */
export function mayLeaveOut(daemonSet: KubeObject): boolean {
  const spec = templateSpec(daemonSet);
  const taints = ['NoSchedule', 'NoExecute'].map((effect) => ({ key: 'meshctl.io/any', effect }));
  const labels = { 'kubernetes.io/os': 'linux' };
  const any = { name: '', ready: true, labels, addresses: [], podCidrs: [], taints };
  const { requiredDuringSchedulingIgnoredDuringExecution: chosen } = spec.affinity?.nodeAffinity ?? {};
  return chosen !== undefined || refusalOf(spec, any) !== undefined;
}

/**
 * The nodes on which the agents' DaemonSet wants a pod and has none, by as many as its status counts: where Cilium is
 * deliberately not, as on virtual nodes, it wants none. A node that has just gone is none of them, whatever the status still
 * says; where nodes may not be read, each is an `unknown node`.
 * @param asked the pods that were found, and the nodes that they are on
 */
export function nodesWithoutAgent(
  snapshot: Pick<ClusterSnapshot, 'agent' | 'nodes' | 'objects' | 'namespace'>,
  asked: { pods: number; on: ReadonlySet<string> },
): string[] {
  const missing = (snapshot.agent?.desired ?? 0) - asked.pods;
  if (missing <= 0) return [];
  if (snapshot.nodes.length === 0) return Array.from({ length: missing }, () => 'unknown node');
  const spec = agentSpec(snapshot);
  return snapshot.nodes
    .filter((node) => !asked.on.has(node.name) && !isNeverMeant(node) && refusalOf(spec, node) === undefined)
    .map(({ name }) => name)
    .slice(0, missing);
}
