import { ADVICE } from '../mesh/failure-reason.ts';
import type { PeerStatus, StatusProblem, StatusReport } from '../mesh/status.ts';
import type { Theme } from './theme.ts';

/** Node names shown for one reason before the rest is only counted. */
const NODES_SHOWN = 3;

/** The report of `clustermesh status`: the article's three lines when healthy, else also what is wrong and what to do. */
export function statusText(report: StatusReport, namespace: string, theme: Theme): string {
  const lines = [headline(report, theme), ...replicaLines(report, theme)];
  if (report.peers.length > 0) {
    lines.push('🔌 Cluster Connections:', ...report.peers.map((peer) => peerLine(peer, theme)));
  }
  for (const problem of report.problems) lines.push(...problemLines(problem, report, namespace, theme));
  if (!report.enabled) lines.push(step(`meshctl clustermesh enable --context ${report.context}`, theme));
  else if (report.peers.length === 0) {
    lines.push(step(`meshctl clustermesh connect --context ${report.context} --destination-context <context>`, theme));
  }
  return lines.join('\n');
}

function headline(report: StatusReport, theme: Theme): string {
  const { nodes, cluster } = report;
  if (!report.enabled && report.peers.length === 0)
    return `❌ ${theme.fail(`Cluster Mesh is not enabled in ${cluster.name}`)}`;
  if (report.peers.length === 0) return `⚠️  ${theme.warn(`${cluster.name} is connected to no cluster`)}`;
  if (nodes.total === 0) return `❌ ${theme.fail(`No Cilium agent runs in ${cluster.name}`)}`;
  if (nodes.connected === nodes.total) return `✅ All ${nodes.total} nodes are connected to all clusters`;
  const lacking = nodes.total - nodes.connected;
  return `❌ ${theme.fail(`${lacking} of ${nodes.total} nodes are not connected to all clusters`)}`;
}

function replicaLines({ kvstoremesh, peers }: StatusReport, theme: Theme): string[] {
  if (
    !kvstoremesh.enabled ||
    peers.length === 0 ||
    (kvstoremesh.replicas > 0 && kvstoremesh.connected === kvstoremesh.replicas)
  )
    return [];
  const text =
    kvstoremesh.replicas === 0
      ? 'No KVStoreMesh replica runs'
      : `${kvstoremesh.replicas - kvstoremesh.connected} of ${kvstoremesh.replicas} KVStoreMesh replicas are not connected to all clusters`;
  return [`❌ ${theme.fail(text)}`];
}

function peerLine({ name, agents }: PeerStatus, theme: Theme): string {
  const count = (part: number, word: string): string => {
    const text = `${part}/${agents.total} ${word}`;
    return part === agents.total ? text : theme.fail(text);
  };
  return `  • ${theme.bold(name)}: ${count(agents.configured, 'configured')}, ${count(agents.connected, 'connected')}`;
}

function problemLines(problem: StatusProblem, { context }: StatusReport, namespace: string, theme: Theme): string[] {
  const advice = ADVICE[problem.class];
  const shown = problem.nodes.slice(0, NODES_SHOWN).join(', ');
  const more = problem.nodes.length > NODES_SHOWN ? ` and ${problem.nodes.length - NODES_SHOWN} more` : '';
  const where = problem.component === 'kvstoremesh' ? `KVStoreMesh (${shown}${more})` : `${shown}${more}`;
  return [
    `${theme.warn('⚠️ ')} ${problem.peer}: ${advice.says} — ${where}`,
    ...(problem.message ? [`     ${theme.dim(problem.message)}`] : []),
    step(advice.hint({ context, namespace, peer: problem.peer }), theme),
  ];
}

function step(text: string, theme: Theme): string {
  return `   ${theme.dim('→')} ${text}`;
}
