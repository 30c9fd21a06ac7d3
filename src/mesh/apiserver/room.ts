import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
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
  const { spec } = workloadSpec(apiserverDeployment(cluster)).template ?? {};
  const { tolerations = [], ...choosing }: PodSpec = spec ?? { nodeSelector: NODE_SELECTOR };
  const refusing = (node: NodeFacts) => (node.taints ?? []).filter((taint) => repels(taint, tolerations));
  const takes = (node: NodeFacts) =>
    !node.unschedulable && refusing(node).length === 0 && unmetChoice(choosing, node) === undefined;
  if (nodes.length === 0 || nodes.some(takes)) return undefined;
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
