import { kubectlCommand, meshctlCommand } from '../mesh/command-line.ts';
import { APISERVER } from '../mesh/names.ts';
import type { Contexts } from '../mesh/standing-advice.ts';
import type { PeerStatus, StatusProblem, StatusReport } from '../mesh/status.ts';
import { reasonsOf, type StatusReason } from '../mesh/status-reasons.ts';
import type { Theme } from './theme.ts';

/** Names of nodes and clusters shown for one reason before the rest is only counted. */
const NAMES_SHOWN = 3;

/**
 * The report of `clustermesh status`: the article's three lines when healthy, else also what is wrong and what to do.
 * @param contexts of other clusters, as far as they are known
 */
export function statusText(report: StatusReport, theme: Theme, contexts?: Contexts): string {
  const reasons = reasonsOf({ clusters: [report] }, contexts);
  const lines = [headline(report, theme), ...replicaLines(report, reasons, theme)];
  if (report.peers.length > 0) {
    lines.push('🔌 Cluster Connections:', ...report.peers.map((peer) => peerLine(peer, theme)));
  }
  lines.push(...reasons.flatMap((reason) => reasonLines(reason, theme)), ...beginningLines(report, theme));
  return lines.join('\n');
}

/**
 * How to begin, in a cluster that is not part of a mesh.
 * @param dialling the contexts of clusters that dial this one: with them it was connected before
 */
export function beginningLines(report: StatusReport, theme: Theme, dialling: readonly string[] = []): string[] {
  const { enabled, peers, problems } = report;
  if (!enabled) {
    const isSaid = problems.some((problem) => problem.class === 'own-apiserver-missing');
    return isSaid ? [] : [step(meshctlCommand('clustermesh enable', report), theme)];
  }
  if (peers.length > 0) return [];
  const destinations = dialling.length > 0 ? dialling.join(',') : '<context>';
  return [step(meshctlCommand('clustermesh connect', report, ['--destination-context', destinations]), theme)];
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
    const but = report.healthy ? undefined : shortcoming(report);
    return but === undefined
      ? `✅ All ${which} are connected to all clusters${note}`
      : `❌ ${theme.fail(`All ${which} are connected to all clusters, but ${but}`)}${note}`;
  }
  const lacking = nodes.total - nodes.connected;
  return `❌ ${theme.fail(`${lacking} of ${which} are not connected to all clusters`)}${note}`;
}

/** Why a cluster is not healthy whose nodes are all connected; the worst that there is. */
function shortcoming({ enabled, kvstoremesh, problems, faults }: StatusReport): string {
  if (problems.some(({ heldOver }) => heldOver)) return 'new connections fail';
  if (!enabled) return 'the clustermesh-apiserver is not there';
  if (kvstoremesh.enabled && kvstoremesh.replicas === 0) return 'no KVStoreMesh replica runs';
  if (kvstoremesh.enabled && kvstoremesh.connected < kvstoremesh.replicas) {
    return `${kvstoremesh.replicas - kvstoremesh.connected} of ${kvstoremesh.replicas} KVStoreMesh replicas are not`;
  }
  return faults.length > 0 ? 'would not come back after a restart' : 'not all of it is well';
}

/** What to do where no KVStoreMesh replica runs and no reason says why; else nothing. */
export function replicaLines(
  { context, namespace, cluster, enabled, kvstoremesh, peers }: StatusReport,
  reasons: readonly StatusReason[],
  theme: Theme,
): string[] {
  if (!kvstoremesh.enabled || peers.length === 0 || kvstoremesh.replicas > 0) return [];
  const line = `${theme.warn('⚠️ ')} ${cluster.name}: no KVStoreMesh replica runs, so nothing that changes in other clusters is noticed`;
  // Where it is not enabled, that is the next step, and it is said below.
  if (!enabled || reasons.some(({ about }) => about.includes(cluster.name))) return [line];
  return [line, step(kubectlCommand({ context, namespace }, ['describe', 'deployment', APISERVER]), theme)];
}

function peerLine({ name, agents }: PeerStatus, theme: Theme): string {
  const count = (part: number, word: string): string => {
    const text = `${part}/${agents.total} ${word}`;
    return part === agents.total ? text : theme.fail(text);
  };
  return `  • ${theme.bold(name)}: ${count(agents.configured, 'configured')}, ${count(agents.connected, 'connected')}`;
}

/** A reason with an example of whom it holds for, the agent's own words and the next step. */
export function reasonLines({ about, lead, says, places, message, hint }: StatusReason, theme: Theme): string[] {
  const clusters = new Set(places.map(({ cluster }) => cluster));
  const where = places.map(({ cluster, problem }) =>
    clusters.size > 1 ? `${cluster}: ${placesOf(problem)}` : placesOf(problem),
  );
  const words = [...(lead === undefined ? [] : [lead]), says].join(': ');
  return [
    `${theme.warn('⚠️ ')} ${someOf(about)}: ${words}${where.length > 0 ? ` — ${where.join('; ')}` : ''}`,
    ...(message ? [`     ${theme.dim(message)}`] : []),
    step(hint, theme),
  ];
}

/** `node-1, node-2, node-3 and 2 more`, `KVStoreMesh (pod-1), for which 2 nodes wait`. */
export function placesOf({ component, nodes, nodesWaiting }: StatusProblem): string {
  const names = someOf(nodes);
  if (component === 'agent') return names;
  const waiting = nodesWaiting === undefined ? '' : `, for which ${nodesWaiting} nodes wait`;
  return `KVStoreMesh (${names})${waiting}`;
}

function someOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ');
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}

/** The next step, under what it is for. */
export function step(text: string, theme: Theme): string {
  return `   ${theme.dim('→')} ${text}`;
}
