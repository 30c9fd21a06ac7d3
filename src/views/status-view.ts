import { kubectlCommand, meshctlCommand } from '../mesh/command-line.ts';
import { adviceFor } from '../mesh/failure-reason.ts';
import { APISERVER_SELECTOR } from '../mesh/names.ts';
import type { PeerStatus, StatusProblem, StatusReport } from '../mesh/status.ts';
import type { Theme } from './theme.ts';

/** Node names shown for one reason before the rest is only counted. */
const NODES_SHOWN = 3;

/** The report of `clustermesh status`: the article's three lines when healthy, else also what is wrong and what to do. */
export function statusText(report: StatusReport, theme: Theme): string {
  const lines = [headline(report, theme), ...replicaLines(report, theme)];
  if (report.peers.length > 0) {
    lines.push('🔌 Cluster Connections:', ...report.peers.map((peer) => peerLine(peer, theme)));
  }
  for (const problem of report.problems) lines.push(...problemLines(problem, report, theme));
  const said = report.problems.some((problem) => problem.class === 'own-apiserver-missing');
  if (!report.enabled && !said) lines.push(step(meshctlCommand('clustermesh enable', report), theme));
  if (report.enabled && report.peers.length === 0) {
    lines.push(step(meshctlCommand('clustermesh connect', report, ['--destination-context', '<context>']), theme));
  }
  return lines.join('\n');
}

/** One line on the cluster's nodes; says so when only a sample of them was asked. */
export function headline(report: StatusReport, theme: Theme): string {
  const { nodes, cluster, sample } = report;
  if (!report.enabled && report.peers.length === 0)
    return `❌ ${theme.fail(`Cluster Mesh is not enabled in ${cluster.name}`)}`;
  if (report.peers.length === 0) return `⚠️  ${theme.warn(`${cluster.name} is connected to no cluster`)}`;
  if (nodes.total === 0) return `❌ ${theme.fail(`No Cilium agent runs in ${cluster.name}`)}`;
  const which = sample ? `${nodes.total} sampled nodes` : `${nodes.total} nodes`;
  const note = sample ? theme.warn(` (a sample of ${sample.percent}%: ${sample.asked} of ${sample.nodes} nodes)`) : '';
  if (nodes.connected === nodes.total) {
    return report.problems.some(({ heldOver }) => heldOver)
      ? `❌ ${theme.fail(`All ${which} are connected to all clusters, but new connections fail`)}${note}`
      : `✅ All ${which} are connected to all clusters${note}`;
  }
  const lacking = nodes.total - nodes.connected;
  return `❌ ${theme.fail(`${lacking} of ${which} are not connected to all clusters`)}${note}`;
}

/** A line when KVStoreMesh lacks something, else none. */
export function replicaLines({ context, namespace, kvstoremesh, peers }: StatusReport, theme: Theme): string[] {
  if (
    !kvstoremesh.enabled ||
    peers.length === 0 ||
    (kvstoremesh.replicas > 0 && kvstoremesh.connected === kvstoremesh.replicas)
  )
    return [];
  if (kvstoremesh.replicas === 0) {
    return [
      `❌ ${theme.fail('No KVStoreMesh replica runs: nothing that changes in other clusters is noticed')}`,
      step(kubectlCommand({ context, namespace }, ['get', 'deployment,pods', '-l', APISERVER_SELECTOR]), theme),
    ];
  }
  const text = `${kvstoremesh.replicas - kvstoremesh.connected} of ${kvstoremesh.replicas} KVStoreMesh replicas are not connected to all clusters`;
  return [`❌ ${theme.fail(text)}`];
}

function peerLine({ name, agents }: PeerStatus, theme: Theme): string {
  const count = (part: number, word: string): string => {
    const text = `${part}/${agents.total} ${word}`;
    return part === agents.total ? text : theme.fail(text);
  };
  return `  • ${theme.bold(name)}: ${count(agents.configured, 'configured')}, ${count(agents.connected, 'connected')}`;
}

/**
 * A reason in words, with an example of whom it holds for, the agent's own words and the next step.
 * @param peerCluster the peer's own place, where it is known
 */
export function problemLines(
  problem: StatusProblem,
  { context, namespace, kvstoremesh }: StatusReport,
  theme: Theme,
  peerCluster?: { context: string; namespace: string },
): string[] {
  const { peer, component } = problem;
  const place = {
    context,
    namespace,
    peer,
    peerContext: peerCluster?.context,
    peerNamespace: peerCluster?.namespace,
    component,
    kvstoremesh: kvstoremesh.enabled,
  };
  const advice = adviceFor(problem.class, place);
  return [
    `${theme.warn('⚠️ ')} ${peer}: ${problem.heldOver ? 'a new connection fails: ' : ''}${advice.says} — ${placesOf(problem)}`,
    ...(problem.message ? [`     ${theme.dim(problem.message)}`] : []),
    step(advice.hint, theme),
  ];
}

/** `node-1, node-2, node-3 and 2 more`, `KVStoreMesh (pod-1), for which 2 nodes wait`. */
export function placesOf({ component, nodes, nodesWaiting }: StatusProblem): string {
  const shown = nodes.slice(0, NODES_SHOWN).join(', ');
  const names = nodes.length > NODES_SHOWN ? `${shown} and ${nodes.length - NODES_SHOWN} more` : shown;
  if (component === 'agent') return names;
  const waiting = nodesWaiting === undefined ? '' : `, for which ${nodesWaiting} nodes wait`;
  return `KVStoreMesh (${names})${waiting}`;
}

/** The next step, under what it is for. */
export function step(text: string, theme: Theme): string {
  return `   ${theme.dim('→')} ${text}`;
}
