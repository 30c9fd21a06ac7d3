import { classifyFailure, type FailureClass } from './failure-reason.ts';
import { etcdIdIn, type RemoteClusterReport } from './remote-cluster-report.ts';
import {
  type ConnectionCounts,
  type FailureReason,
  isAlone,
  type NodeStatus,
  type PollResult,
  type StatusComponent,
  type StatusExpectation,
  type StatusProblem,
  type StatusReport,
} from './status.ts';

/** Collects answers one by one; what it keeps grows with the peers and with what is wrong, not with the nodes. */
export interface StatusTally {
  add(component: StatusComponent, result: PollResult): void;
  report(): StatusReport;
  seen(): SeenPeers;
}

/** What was seen of who answers by the names of peers. */
export interface SeenPeers {
  /** Those to which a new connection was made by what dials them. */
  reached: readonly string[];
  /** The ids that they gave, by name. */
  peerIds: ReadonlyMap<string, number>;
  /** The ids of the etcds that those who dial are connected to, by the name of the peer; each once, as all nodes dial the same few. */
  etcds: ReadonlyMap<string, ReadonlySet<string>>;
  /** Since when somebody lacks a peer, at the earliest, as far as pods and connections tell, by {@link lackKey}; milliseconds since 1970. */
  lackedSince: ReadonlyMap<string, number>;
}

/** Who lacks whom. */
export function lackKey({ component, peer = '' }: Pick<StatusProblem, 'component' | 'peer'>): string {
  return `${component} ${peer}`;
}

/** A mesh has at most 511 clusters; agents could report more. */
const MOST_STRANGERS = 511;

/** Messages of one class that are told apart; an agent could make them all different. */
const MOST_MESSAGES = 10;

/** What keeps a node from a peer before anything is dialled. */
const OF_THE_NODE: readonly FailureClass[] = ['not-configured', 'agent-unreachable'];

/** Whether a report says that the peer can be used: connected, its configuration read, everything synchronised. */
export function isConnected(report: RemoteClusterReport): boolean {
  return report.ready === true;
}

/**
 * Whether an agent that has lost a peer goes on sending requests to the backends that it last heard of. It drops them when it has
 * read the peer's state anew, when the peer's file is removed, and when `clustermesh-cache-ttl` is over, where that is set; one that was
 * restarted since knows of none (Cilium's pkg/kvstore/store/watchstore.go, pkg/clustermesh/common/remote_cluster.go).
 */
export function isHolding(report: RemoteClusterReport): boolean {
  return !isConnected(report) && (report['num-shared-services'] ?? 0) > 0;
}

/**
 * Whether a report goes on saying that a peer is connected when it has gone away: Cilium does not look at the endpoints of
 * remote clusters again, and says so (pkg/kvstore/etcd.go, NoEndpointStatusChecks).
 */
export function isUnchecked({ status = '' }: RemoteClusterReport): boolean {
  return status.includes('endpoint status checks are disabled');
}

/**
 * Judges what agents and KVStoreMesh say against what the Secrets say should be. A mesh without peers is not a healthy
 * one: nothing is connected; but a cluster that only serves, as chosen, is what it shall be.
 */
export function createTally(expected: StatusExpectation, { details = false } = {}): StatusTally {
  const { serves = [], admits = [] } = expected;
  const problems: StatusProblem[] = [];
  const rows: NodeStatus[] = [];
  const reached = new Set<string>();
  const peerIds = new Map<string, number>();
  const etcds = new Map<string, Set<string>>();
  const lackedSince = new Map<string, number>();
  const dialling: StatusComponent = expected.kvstoremesh ? 'kvstoremesh' : 'agent';
  const tallies = { agent: countsOf(expected.peers), kvstoremesh: countsOf(expected.peers) };

  function add(component: StatusComponent, result: PollResult): void {
    const tally = tallies[component];
    tally.total += 1;
    const { unasked } = result;
    if (unasked) tally.unasked += 1;
    addStrangers(tally, result, expected.clusterName);
    const { pod } = result;
    let connected = 0;
    const states = new Map<string, NodeStatus['peers'][string]>();
    for (const [peer, counts] of tally.peers) {
      const report = result.clusters?.find(({ name }) => name === peer);
      if (report) counts.configured += 1;
      const id = report?.config?.['cluster-id'];
      if (id) peerIds.set(peer, id);
      if (report && isConnected(report)) {
        counts.connected += 1;
        connected += 1;
        states.set(peer, 'connected');
        const etcd = component === dialling ? etcdIdIn(report) : undefined;
        if (etcd !== undefined) etcds.set(peer, (etcds.get(peer) ?? new Set()).add(etcd));
        const failing = result.failingDials?.get(peer);
        if (component === dialling && result.failingDials && !failing) reached.add(peer);
        if (failing)
          addProblem(problems, { peer, component, ...causeOf(failing), nodes: [result.name], pod, heldOver: true });
        continue;
      }
      const lack = lackKey({ component, peer });
      lackedSince.set(lack, Math.min(lackedSince.get(lack) ?? Number.POSITIVE_INFINITY, tryingSince(result, report)));
      if (component === 'agent' && report && isHolding(report)) counts.holding = (counts.holding ?? 0) + 1;
      if (component === 'kvstoremesh' && result.idle) counts.idle = (counts.idle ?? 0) + 1;
      const failure = causeOf(failureOf(result, report, expected.clusterId));
      states.set(peer, unasked ? 'not-asked' : failure.class);
      if (unasked) counts.unasked = (counts.unasked ?? 0) + 1;
      addProblem(problems, { peer, component, ...failure, nodes: [result.name], pod, ...(unasked ? { unasked } : {}) });
    }
    const known = (result.clusters ?? []).filter(({ name }) => tally.strangers.has(name));
    for (const report of known) states.set(report.name, isConnected(report) ? 'connected' : 'unknown');
    // One that dials nobody on purpose lacks nobody, if it answers.
    const onlyServes = tally.peers.size === 0 && serves.length > 0;
    if (onlyServes && !result.clusters)
      addProblem(problems, {
        component,
        ...failureOf(result, undefined, expected.clusterId),
        nodes: [result.name],
        pod,
        ...(unasked ? { unasked } : {}),
      });
    const isPart = connected > 0 || known.some(isConnected) || (onlyServes && result.clusters !== undefined);
    if (isPart && connected === tally.peers.size) tally.connectedToAll += 1;
    if (details) rows.push({ name: result.name, component, peers: Object.fromEntries(states) });
  }

  /** Agents that read the cache of a KVStoreMesh that is gone can only say that they get no connection. */
  function causeOf(failure: FailureReason): FailureReason {
    const gone = !expected.enabled && expected.kvstoremesh;
    return gone && !OF_THE_NODE.includes(failure.class) ? { ...failure, class: 'own-apiserver-missing' } : failure;
  }

  function report(): StatusReport {
    const { agent, kvstoremesh } = tallies;
    const healthy =
      expected.enabled &&
      expected.peers.length + serves.length > 0 &&
      agent.total > 0 &&
      agent.connectedToAll === agent.total &&
      problems.length === 0 &&
      (!expected.kvstoremesh || (kvstoremesh.total > 0 && kvstoremesh.connectedToAll === kvstoremesh.total));
    return {
      context: expected.context,
      namespace: expected.namespace,
      cluster: { name: expected.clusterName, id: expected.clusterId },
      healthy,
      enabled: expected.enabled,
      nodes: { total: agent.total, connected: agent.connectedToAll, ...unaskedOf(agent) },
      kvstoremesh: {
        enabled: expected.kvstoremesh,
        replicas: kvstoremesh.total,
        connected: kvstoremesh.connectedToAll,
        ...unaskedOf(kvstoremesh),
      },
      peers: [...expected.peers, ...strangersOf(tallies)].map((name) => ({
        name,
        agents: connectionCounts(agent, name),
        ...(expected.kvstoremesh ? { kvstoremesh: connectionCounts(kvstoremesh, name) } : {}),
      })),
      serves: [...serves],
      ...(isAlone({ peers: expected.peers, serves }) && admits.length > 0 ? { admits: [...admits] } : {}),
      ...(expected.ofOthers?.length ? { ofOthers: [...expected.ofOthers] } : {}),
      problems: problems.map((problem) => ({ ...problem, nodes: [...problem.nodes].sort() })),
      faults: [],
      ...(details ? { details: rows.sort((a, b) => (a.name < b.name ? -1 : 1)) } : {}),
    };
  }

  return { add, report, seen: () => ({ reached: [...reached], peerIds, etcds, lackedSince }) };
}

/** Since when it tries to reach a peer: since it was started, or since its last connection broke; 0 where nothing tells. */
function tryingSince({ startedMs = 0 }: PollResult, report: RemoteClusterReport | undefined): number {
  const brokeMs = Date.parse(report?.['last-failure'] ?? '');
  return Math.max(startedMs, Number.isNaN(brokeMs) ? 0 : brokeMs);
}

interface ComponentTally {
  total: number;
  connectedToAll: number;
  /** Those that gave no answer in time. */
  unasked: number;
  peers: Map<string, PeerCounts>;
  /** Clusters that it reports, and that no Secret names. */
  strangers: Map<string, PeerCounts>;
}

type PeerCounts = Pick<ConnectionCounts, 'configured' | 'connected' | 'holding' | 'unasked' | 'idle'>;

function addStrangers({ peers, strangers }: ComponentTally, { clusters = [] }: PollResult, own: string): void {
  for (const report of clusters) {
    const isTooMany = !strangers.has(report.name) && strangers.size >= MOST_STRANGERS;
    if (peers.has(report.name) || report.name === own || isTooMany) continue;
    const { configured, connected } = strangers.get(report.name) ?? { configured: 0, connected: 0 };
    strangers.set(report.name, { configured: configured + 1, connected: connected + (isConnected(report) ? 1 : 0) });
  }
}

function strangersOf(tallies: Readonly<Record<StatusComponent, ComponentTally>>): string[] {
  return [...new Set(Object.values(tallies).flatMap(({ strangers }) => [...strangers.keys()]))].sort();
}

function countsOf(peers: readonly string[]): ComponentTally {
  const none = (): PeerCounts => ({ configured: 0, connected: 0 });
  return {
    total: 0,
    connectedToAll: 0,
    unasked: 0,
    peers: new Map(peers.map((peer) => [peer, none()])),
    strangers: new Map(),
  };
}

function unaskedOf({ unasked }: ComponentTally): { unasked?: number } {
  return unasked > 0 ? { unasked } : {};
}

function connectionCounts({ peers, strangers, total }: ComponentTally, peer: string): ConnectionCounts {
  return { configured: 0, connected: 0, ...(peers.get(peer) ?? strangers.get(peer)), total };
}

function failureOf(result: PollResult, report: RemoteClusterReport | undefined, ownId: number): FailureReason {
  if (!result.clusters) return { class: 'agent-unreachable', message: result.error ?? 'no answer' };
  if (!report) return { class: 'not-configured', message: 'the peer is not among its remote clusters' };
  const message = report.status ?? '';
  if (ownId > 0 && report.config?.['cluster-id'] === ownId) {
    return {
      class: 'wrong-cluster',
      message: `the cluster at its address has the id ${ownId}, which is this cluster's own`,
    };
  }
  const byWords = classifyFailure(message);
  if (byWords !== 'unknown' && byWords !== 'starting') return { class: byWords, message };
  if (report.connected && report.config?.required && !report.config.retrieved) {
    return { class: 'config-not-retrieved', message };
  }
  const behind = ['nodes', 'endpoints', 'identities', 'services', ...Object.keys(report.synced ?? {})].filter(
    (what, index, all) => all.indexOf(what) === index && report.synced?.[what] !== true,
  );
  if (report.connected && report.config?.retrieved && behind.length > 0) {
    return { class: 'syncing', message: `${message} (waiting for ${behind.join(', ')})`.trim() };
  }
  return { class: byWords, message: message || 'not ready' };
}

/** Problems that differ only in the node are one. */
function addProblem(problems: StatusProblem[], problem: StatusProblem): void {
  const ofClass = problems.filter(
    ({ peer, component, class: kind, heldOver, unasked }) =>
      peer === problem.peer &&
      component === problem.component &&
      kind === problem.class &&
      heldOver === problem.heldOver &&
      unasked === problem.unasked,
  );
  const words = generalise(problem);
  const same = ofClass.find((other) => generalise(other) === words);
  const joined = same ?? (ofClass.length >= MOST_MESSAGES ? ofClass.at(-1) : undefined);
  if (joined) joined.nodes.push(...problem.nodes);
  else problems.push(problem);
}

/** Messages often differ only in ports, addresses' last part and counters, or in the pod's own name. */
function generalise({ message, pod }: Pick<StatusProblem, 'message' | 'pod'>): string {
  return (pod ? message.replaceAll(pod, '#') : message).replace(/\d+/g, '#');
}
