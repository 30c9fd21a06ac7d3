import { lackOfAgents, nodesLeftOut, saysLeftOut, seePlacing } from '../cilium/agents.ts';
import { keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef } from '../objects/names.ts';
import type { Check, Finding } from './shared/check.ts';
import { NO_CONFIG } from './shared/subjects.ts';

/** Whether there is anybody who could connect, and on every node. */
export const AGENT_CHECKS: readonly Check[] = [
  {
    id: 'agents-run',
    category: 'config',
    title: 'Cilium agents run',
    subject: ({ ciliumConfig, namespace, unread }) => {
      if (!ciliumConfig) return { things: [], otherwise: NO_CONFIG };
      const isRead = !unread?.has(keyOf(agentDaemonSetRef(namespace)));
      return { things: isRead ? ['daemonset'] : [], otherwise: 'its DaemonSet cilium was not read', isBlind: !isRead };
    },
    run: ({ clusters }) =>
      clusters.flatMap((cluster): Finding[] => {
        const lack = lackOfAgents(cluster);
        if (!lack) return [];
        const { context } = cluster;
        const severity = lack.mayPass ? 'warn' : 'fail';
        return [
          { id: 'agents-run', severity, cluster: context, args: { context, reason: lack.says }, hint: lack.hint },
        ];
      }),
    says: ({ args }) => `context "${args.context}": ${args.reason}`,
  },
  {
    id: 'agents-placed',
    category: 'config',
    title: 'the DaemonSet cilium leaves no node out',
    needs: ['agents-run'],
    subject: ({ nodes }) => ({
      things: nodes.filter(({ ready }) => ready).map(({ name }) => name),
      otherwise: 'none of its nodes is ready',
    }),
    run: ({ clusters }) =>
      clusters.flatMap((cluster) =>
        nodesLeftOut(cluster).map(({ by, nodes }): Finding => {
          const { context } = cluster;
          const args = { context, by, nodes };
          return { id: 'agents-placed', severity: 'warn', cluster: context, args, hint: seePlacing(cluster) };
        }),
      ),
    says: ({ args }) =>
      `context "${args.context}": ${saysLeftOut({ by: String(args.by), nodes: args.nodes as string[] })}`,
  },
];
