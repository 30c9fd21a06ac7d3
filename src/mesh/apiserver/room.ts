import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { unmetChoice } from '../objects/node-affinity.ts';
import { forceWords } from '../objects/ownership.ts';
import { repels, type Taint, taintText } from '../objects/taints.ts';
import { type PodSpec, workloadSpec } from '../objects/workload.ts';
import { apiserverDeployment } from './live.ts';

/** As Cilium's chart has it. */
const NODE_SELECTOR = { 'kubernetes.io/os': 'linux' };

/** Why no node takes a pod of the clustermesh-apiserver, and what makes one take it: a sentence with its command. */
export interface LackOfRoom {
  reasons: readonly string[];
  hint: string;
}

/**
 * Whether no node would take a further pod of the clustermesh-apiserver: as it is deployed, or as enable deploys it.
 * Undefined where one would, and where no node was read.
 */
export function lackOfRoom(
  cluster: Pick<ClusterSnapshot, 'context' | 'namespace' | 'nodes' | 'objects'>,
): LackOfRoom | undefined {
  const { nodes } = cluster;
  if (nodes.length === 0 || nodesWithRoom(cluster).length > 0) return undefined;
  const { refusing, choosing } = placing(apiserverDeployment(cluster));
  const isCordon = ({ key }: Taint) => key === 'node.kubernetes.io/unschedulable';
  const taints = nodes.flatMap(refusing).filter((taint) => !isCordon(taint));
  const cordoned = nodes.filter(({ unschedulable: is }) => is);
  const unmet = nodes.flatMap((node) => unmetChoice(choosing, node) ?? []);
  const reasons = [
    ...(cordoned.length > 0 ? [`cordoned: ${some(cordoned.map(({ name }) => name))}`] : []),
    ...(taints.length > 0 ? [`tainted: ${some(taints.map(taintText))}`] : []),
    ...(unmet.length > 0 ? [`not chosen: ${some(unmet)}`] : []),
  ];
  return { reasons, hint: wayToRoom(cluster, cordoned, taints) };
}

/**
 * The nodes that would take a further pod of the clustermesh-apiserver.
 * @param deployment with its pods as they will be; default as they are, or as enable deploys them
 */
export function nodesWithRoom(
  cluster: Pick<ClusterSnapshot, 'namespace' | 'nodes' | 'objects'>,
  deployment: KubeObject | undefined = apiserverDeployment(cluster),
): NodeFacts[] {
  const { refusing, choosing } = placing(deployment);
  return cluster.nodes.filter(
    (node) => !node.unschedulable && refusing(node).length === 0 && unmetChoice(choosing, node) === undefined,
  );
}

/** What of a Deployment's pods says where they may run: which taints of a node refuse them, and which nodes they choose. */
function placing(deployment: KubeObject | undefined) {
  const { spec } = workloadSpec(deployment).template ?? {};
  const { tolerations = [], ...choosing }: PodSpec = spec ?? { nodeSelector: NODE_SELECTOR };
  const refusing = (node: NodeFacts) => (node.taints ?? []).filter((taint) => repels(taint, tolerations));
  return { refusing, choosing };
}

function wayToRoom(
  cluster: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects'>,
  [cordoned]: readonly NodeFacts[],
  taints: readonly Taint[],
): string {
  const { context } = cluster;
  const [taint] = taints;
  if (!taint && cordoned)
    return `Let one of them take pods: ${kubectlCommand({ context }, ['uncordon', cordoned.name])}`;
  if (!taint) return kubectlCommand({ context }, ['get', 'nodes', '--show-labels']);
  const force = forceWords(apiserverDeployment(cluster), ['spec.template.spec.tolerations']);
  return `Let it tolerate a taint: ${meshctlCommand('clustermesh enable', { context }, ['--toleration', taintText(taint), ...force])}`;
}

function some(texts: readonly string[]): string {
  return firstOf([...new Set(texts)]);
}
