import { isNeverMeant } from '../cilium/agents.ts';
import type { NodeFacts } from '../cluster-snapshot.ts';
import { type CommandPlace, kubectlCommand } from '../command-line.ts';
import type { PollResult } from './status.ts';

/**
 * What agents that did not answer come to, by their nodes. A node that is gone leaves its pod behind until the pods' garbage collector
 * comes (Kubernetes' pkg/controller/podgc), and one of Fargate or a virtual kubelet gets a pod that never runs, as Cilium's agents
 * tolerate every taint (`tolerations` of its chart): nobody waits for either. Of one that is not ready that is why.
 * @param silent agents without an answer
 * @param nodes those of them that are there, or all of the cluster; undefined where they may not be read: then each agent is one that lacks
 */
export function agentsThatLack(silent: readonly PollResult[], nodes: readonly NodeFacts[] | undefined): PollResult[] {
  if (!nodes) return [...silent];
  const byName = new Map(nodes.map((node) => [node.name, node]));
  return silent.flatMap((result) => {
    // It is called by its node once it has one.
    if (result.name === result.pod) return [result];
    const node = byName.get(result.name);
    if (!node || isNeverMeant(node)) return [];
    return [node.ready ? result : { ...result, error: `node ${node.name} ${UNREADY}${result.error}` }];
  });
}

const UNREADY = 'is not ready: ';

/** A look at the nodes, for an agent that did not answer as its node is not ready; undefined where that is not why. */
export function lookAtNodes({ context }: Pick<CommandPlace, 'context'>, message: string): string | undefined {
  const isWhy = /^node \S+ /.test(message) && message.includes(` ${UNREADY}`);
  return isWhy ? kubectlCommand({ context }, ['get', 'nodes', '-o', 'wide']) : undefined;
}
