import { classifyFailure, type FailureClass } from './failure-reason.ts';

/**
 * One remote cluster as an agent or KVStoreMesh reports it (Cilium's api/v1 model RemoteCluster). Its JSON leaves out
 * false, zero and empty fields.
 */
export interface RemoteClusterReport {
  name: string;
  ready?: boolean;
  connected?: boolean;
  status?: string;
  'num-failures'?: number;
  config?: { required?: boolean; retrieved?: boolean; 'cluster-id'?: number };
  synced?: Record<string, boolean>;
}

/** What one agent or KVStoreMesh replica said, or why it said nothing. */
export interface PollResult {
  /** The node of an agent, the pod of a KVStoreMesh replica. */
  name: string;
  clusters?: readonly RemoteClusterReport[] | undefined;
  error?: string | undefined;
}

/** Everything that status needs to know of one cluster. */
export interface StatusInput {
  context: string;
  namespace: string;
  clusterName: string;
  clusterId: number;
  /** Peers by the Secret's word: what the agents should be connected to. */
  peers: readonly string[];
  /** Whether Cluster Mesh is enabled here: the clustermesh-apiserver exists. */
  enabled: boolean;
  agents: readonly PollResult[];
  kvstoremesh: { enabled: boolean; peers: readonly string[]; replicas: readonly PollResult[] };
}

/** One reason why some nodes lack a peer, said once. */
export interface StatusProblem {
  peer: string;
  component: 'agent' | 'kvstoremesh';
  class: FailureClass;
  /** The report's own words, of one example. */
  message: string;
  /** Names of the nodes or replicas that it holds for. */
  nodes: string[];
}

export interface ConnectionCounts {
  configured: number;
  connected: number;
  total: number;
}

export interface PeerStatus {
  name: string;
  agents: ConnectionCounts;
  kvstoremesh?: ConnectionCounts | undefined;
}

/** The status of one cluster's connections; the data of `clustermesh status -o json`. */
export interface StatusReport {
  context: string;
  cluster: { name: string; id: number };
  healthy: boolean;
  enabled: boolean;
  nodes: { total: number; connected: number };
  kvstoremesh: { enabled: boolean; replicas: number; connected: number };
  peers: PeerStatus[];
  problems: StatusProblem[];
}

/** Whether a report says that the peer can be used: connected, its configuration read, everything synchronised. */
export function isConnected(report: RemoteClusterReport): boolean {
  return report.ready === true;
}

/**
 * Judges what agents and KVStoreMesh said against what the Secrets say should be. A mesh without peers is not a healthy
 * one: nothing is connected.
 */
export function evaluateStatus(input: StatusInput): StatusReport {
  const { agents, kvstoremesh } = input;
  const problems: StatusProblem[] = [];
  const peers = input.peers.map((name): PeerStatus => {
    const agentCounts = countPeer(name, agents, 'agent', problems);
    if (!kvstoremesh.enabled) return { name, agents: agentCounts };
    return { name, agents: agentCounts, kvstoremesh: countPeer(name, kvstoremesh.replicas, 'kvstoremesh', problems) };
  });
  const connectedToAll = (results: readonly PollResult[]) =>
    results.filter((result) =>
      input.peers.every((peer) => result.clusters?.some((report) => report.name === peer && isConnected(report))),
    ).length;
  const nodes = { total: agents.length, connected: input.peers.length > 0 ? connectedToAll(agents) : 0 };
  const replicas = {
    enabled: kvstoremesh.enabled,
    replicas: kvstoremesh.replicas.length,
    connected: input.peers.length > 0 ? connectedToAll(kvstoremesh.replicas) : 0,
  };
  const healthy =
    input.enabled &&
    input.peers.length > 0 &&
    nodes.total > 0 &&
    nodes.connected === nodes.total &&
    (!replicas.enabled || (replicas.replicas > 0 && replicas.connected === replicas.replicas));
  return {
    context: input.context,
    cluster: { name: input.clusterName, id: input.clusterId },
    healthy,
    enabled: input.enabled,
    nodes,
    kvstoremesh: replicas,
    peers,
    problems,
  };
}

function countPeer(
  peer: string,
  results: readonly PollResult[],
  component: StatusProblem['component'],
  problems: StatusProblem[],
): ConnectionCounts {
  const counts: ConnectionCounts = { configured: 0, connected: 0, total: results.length };
  for (const result of results) {
    const report = result.clusters?.find(({ name }) => name === peer);
    if (report) counts.configured += 1;
    if (report && isConnected(report)) {
      counts.connected += 1;
      continue;
    }
    addProblem(problems, { peer, component, ...failureOf(result, report), nodes: [result.name] });
  }
  return counts;
}

function failureOf(
  result: PollResult,
  report: RemoteClusterReport | undefined,
): { class: FailureClass; message: string } {
  if (!result.clusters) return { class: 'agent-unreachable', message: result.error ?? 'no answer' };
  if (!report) return { class: 'not-configured', message: 'the peer is not among its remote clusters' };
  const message = report.status ?? '';
  const byWords = classifyFailure(message);
  if (byWords !== 'unknown' && byWords !== 'starting') return { class: byWords, message };
  if (report.connected && report.config?.required && !report.config.retrieved) {
    return { class: 'config-not-retrieved', message };
  }
  const behind = Object.entries(report.synced ?? {}).flatMap(([what, done]) => (done ? [] : [what]));
  if (report.connected && report.config?.retrieved && behind.length > 0) {
    return { class: 'syncing', message: `${message} (waiting for ${behind.join(', ')})`.trim() };
  }
  return { class: byWords, message: message || 'not ready' };
}

/** Problems that differ only in the node are one. */
function addProblem(problems: StatusProblem[], problem: StatusProblem): void {
  const same = problems.find(
    ({ peer, component, class: kind, message }) =>
      peer === problem.peer &&
      component === problem.component &&
      kind === problem.class &&
      generalise(message) === generalise(problem.message),
  );
  if (same) same.nodes.push(...problem.nodes);
  else problems.push(problem);
}

/** Messages often differ only in ports, addresses' last part and counters. */
function generalise(message: string): string {
  return message.replace(/\d+/g, '#');
}
