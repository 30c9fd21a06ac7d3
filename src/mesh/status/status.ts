import type { EnableObstacles } from '../certificates/authority.ts';
import type { LeftOut } from '../cilium/agents.ts';
import { meshctlCommand } from '../command-line.ts';
import type { Fault } from '../faults/fault.ts';
import type { InvitationStanding } from '../invitation/record.ts';
import type { SeenRuns } from '../runs-at-work.ts';
import type { FailureClass } from './failure-reason.ts';
import type { RemoteClusterReport } from './remote-cluster-report.ts';

export type StatusComponent = 'agent' | 'kvstoremesh';

/** Why a peer cannot be reached. */
export interface FailureReason {
  class: FailureClass;
  /** The report's own words, of one example. */
  message: string;
}

/** What one agent or KVStoreMesh replica said, or why it said nothing. */
export interface PollResult {
  /** The node of an agent, the pod of a KVStoreMesh replica. */
  name: string;
  clusters?: readonly RemoteClusterReport[] | undefined;
  error?: string | undefined;
  /** With `error`: no answer came in time, or none of the pod's own, so that nothing is known of its connections. */
  unasked?: true | undefined;
  /** With `error`: its pod does not run, so that nothing in it is read by anybody. */
  idle?: true | undefined;
  /** The pod that was asked. */
  pod?: string | undefined;
  /** When its program was started, milliseconds since 1970; absent where its pod does not tell. */
  startedMs?: number | undefined;
  /** Why a connection that it was to make anew failed, or could not be tried, by peer; absent where it was not asked to. */
  failingDials?: ReadonlyMap<string, FailureReason> | undefined;
}

/** What a cluster's own objects say should be, before anyone is asked. */
export interface StatusExpectation {
  context: string;
  /** Cilium's. */
  namespace: string;
  clusterName: string;
  clusterId: number;
  /** Peers by the Secrets' word: what the agents should be connected to. */
  peers: readonly string[];
  /** Peers that dial this cluster one-way, as chosen. */
  serves?: readonly string[] | undefined;
  /** Clusters that have an etcd user here. */
  admits?: readonly string[] | undefined;
  /** Peers that belong to other owners. */
  ofOthers?: readonly string[] | undefined;
  /** Whether Cluster Mesh is enabled here: the clustermesh-apiserver exists. */
  enabled: boolean;
  /** Whether the clustermesh-apiserver runs KVStoreMesh; where it is gone, whether agents still read KVStoreMesh's cache. */
  kvstoremesh: boolean;
}

/** One reason why some nodes lack a peer, or do not answer, said once. */
export interface StatusProblem extends FailureReason {
  /** Absent where it is about a node, or replica, of a cluster that dials nobody, as chosen. */
  peer?: string | undefined;
  /** What is broken in the configuration, where that is why. */
  cause?: Fault | undefined;
  /** In words, and the next step; set once the contexts of all clusters are known. */
  says?: string | undefined;
  hint?: string | undefined;
  /** The pod of one of the nodes. */
  pod?: string | undefined;
  component: StatusComponent;
  /** Names of the nodes or replicas that it holds for. */
  nodes: string[];
  /** How many nodes lack the peer because these replicas do. */
  nodesWaiting?: number | undefined;
  /**
   * The peer is reported as connected, but a new connection fails, so that what is known of it is not followed any more; or,
   * of class `agent-unreachable`, could not be tried.
   */
  heldOver?: true | undefined;
  /** Nothing is known of how these nodes are connected: they were asked, and no answer came in time. */
  unasked?: true | undefined;
}

/** Whether it is not known how a new connection does, since its pod could not be asked to make one. */
export function isUntried({ heldOver, class: kind }: Pick<StatusProblem, 'heldOver' | 'class'>): boolean {
  return heldOver === true && kind === 'agent-unreachable';
}

export interface ConnectionCounts {
  configured: number;
  connected: number;
  /** Not connected, and still use the backends of global Services that they last heard of; absent where there is none. */
  holding?: number | undefined;
  total: number;
  /** Of the total, those of which nothing is known, as no answer came in time; absent where there is none. */
  unasked?: number | undefined;
  /** Of the total, replicas of KVStoreMesh that do not run: no agent reads from them; absent where there is none. */
  idle?: number | undefined;
}

/** Whether something is known to be wrong. */
export function isUnwell({ healthy, unproved }: Pick<StatusReport, 'healthy' | 'unproved'>): boolean {
  return !healthy && !unproved;
}

/** What may leave nodes out that do not count: whether the others are well does not hang on it. */
export const UNREAD_NODES = 'its nodes, of which the DaemonSet cilium may leave some out';

/** Whether there is anyone to be connected, and all are. */
export function areAllConnected(counts: Pick<ConnectionCounts, 'connected' | 'total'> | undefined): boolean {
  return counts !== undefined && counts.total > 0 && counts.connected === counts.total;
}

export interface PeerStatus {
  name: string;
  agents: ConnectionCounts;
  kvstoremesh?: ConnectionCounts | undefined;
}

/** How one node or replica is with each peer. */
export interface NodeStatus {
  name: string;
  component: StatusComponent;
  peers: Record<string, 'connected' | 'not-asked' | FailureClass>;
}

/** Set where only some of the nodes were asked. */
export interface NodeSample {
  percent: number;
  asked: number;
  nodes: number;
}

/** The status of one cluster's connections; the data of `clustermesh status -o json`. */
export interface StatusReport extends EnableObstacles, SeenRuns {
  context: string;
  /** Cilium's. */
  namespace: string;
  cluster: { name: string; id: number };
  /** The name by which peers know it, where cilium-config has another one by now. */
  runsAs?: string | undefined;
  /** How far its API server's clock is ahead of the time of the run, in milliseconds; behind is below zero; absent where nobody minds. */
  clockAheadMs?: number | undefined;
  healthy: boolean;
  /** Nothing that was seen is wrong, and what is `unread` may be: only for that it is not called healthy. */
  unproved?: true | undefined;
  enabled: boolean;
  /** Its Service has no address yet: nobody can be connected to it at that. */
  unaddressed?: boolean | undefined;
  /** For how long it uses what a lost peer has published (`clustermesh-cache-ttl`), a Go duration; absent: until agents restart. */
  keptFor?: string | undefined;
  sample?: NodeSample | undefined;
  nodes: { total: number; connected: number; unasked?: number | undefined };
  /** Nodes that are ready and get no agent, so that they do not count; absent where there is none, or they could not be read. */
  leftOut?: LeftOut[] | undefined;
  kvstoremesh: { enabled: boolean; replicas: number; connected: number; unasked?: number | undefined };
  peers: PeerStatus[];
  /** Peers that dial this cluster and that it does not dial, as chosen, as far as they were read. How they do, their own status says. */
  serves: string[];
  /**
   * Those of `serves` that were not read: it is on record here that they dial this cluster, and nobody has seen whether they do;
   * absent where there is none.
   */
  servesUnseen?: string[] | undefined;
  /** Clusters that have an etcd user here, although this one has nothing to do with any; absent where there is none. */
  admits?: string[] | undefined;
  /**
   * Clusters that are to be its peers, by what it has on record, or others that were asked, although it has nothing to do with
   * any; absent where there is none. Those that know a former cluster by its name are left out: what mends that connects it.
   */
  onRecord?: string[] | undefined;
  /**
   * Contexts of clusters that were asked with it and are no peers of it, although they have the name of one, or know one of its
   * name: they are of another mesh; absent where there is none.
   */
  ofOtherMeshes?: string[] | undefined;
  /** Peers that belong to other owners, joined by messages; absent where there is none. */
  ofOthers?: string[] | undefined;
  /** Invitations for which somebody still has to act; absent where there is none, and where they could not be read. */
  invitations?: InvitationStanding[] | undefined;
  /** Its invitations could not be read; absent where they were, or nobody looked for them. */
  invitationsUnread?: true | undefined;
  /** What may not be read, in words: whether a connection would come back hangs on it too. */
  unread?: readonly string[] | undefined;
  /** What is in the way of no connection, and not as it should be, a text each; absent where there is none. */
  warnings?: readonly string[] | undefined;
  problems: StatusProblem[];
  /** What is configured but broken, so that it would not come back after a restart, or ends before; also where it explains a problem. */
  faults: Fault[];
  /** Only where asked for: it grows with the nodes. */
  details?: NodeStatus[] | undefined;
}

/** The other clusters that were asked and may be peers of one by their names. */
export function mayBePeersOf(
  report: Pick<StatusReport, 'context' | 'ofOtherMeshes'>,
  reports: readonly StatusReport[],
): StatusReport[] {
  return reports.filter(({ context }) => context !== report.context && !report.ofOtherMeshes?.includes(context));
}

/** The name by which peers know a cluster: the one that it is to have next may be that of another one. */
export function peerNameOf({ cluster, runsAs }: Pick<StatusReport, 'cluster' | 'runsAs'>): string {
  return runsAs ?? cluster.name;
}

/** What to call each of several clusters: by its name, and by its context too where another one has that name. */
export function labelsOf(
  clusters: readonly Pick<StatusReport, 'cluster' | 'context'>[],
): (report: Pick<StatusReport, 'cluster' | 'context'>) => string {
  const names = clusters.map(({ cluster }) => cluster.name);
  const isDouble = (name: string) => names.indexOf(name) !== names.lastIndexOf(name);
  return ({ cluster: { name }, context }) => (isDouble(name) ? `${name} (${context})` : name);
}

/** The command line that looks at the same clusters again, once what is at work there has ended. */
export function lookingAgain(clusters: readonly { context: string }[], command: 'status' | 'check' = 'status'): string {
  return meshctlCommand(`clustermesh ${command}`, { context: clusters.map(({ context }) => context) });
}

/** Whether a cluster has nothing to do with any other one. */
export function isAlone({ peers, serves }: Record<'peers' | 'serves', readonly unknown[]>): boolean {
  return peers.length === 0 && serves.length === 0;
}
