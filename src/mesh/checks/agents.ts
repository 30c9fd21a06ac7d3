import { lackOfAgents } from '../cilium/agents.ts';
import { keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef } from '../objects/names.ts';
import type { Check, Finding } from './check.ts';
import { NO_CONFIG } from './subjects.ts';

/** Whether there is anybody who could connect. */
export const AGENT_CHECKS: readonly Check[] = [
  {
    id: 'agents-run',
    category: 'config',
    title: 'Cilium agents run',
    subject: ({ ciliumConfig, namespace, unread }) => {
      if (!ciliumConfig) return { things: [], otherwise: NO_CONFIG };
      const isRead = !unread?.has(keyOf(agentDaemonSetRef(namespace)));
      return { things: isRead ? ['daemonset'] : [], otherwise: 'its DaemonSet cilium was not read' };
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
];
