import type { ErrorCode, MeshctlError } from '../errors.ts';
import type { Fault } from '../faults/fault.ts';
import type { SilentContext } from '../peers/silent-peers.ts';
import type { UnansweredServices } from '../services/answers.ts';
import { areAllConnected, mayBePeersOf, peerNameOf, type StatusReport } from './status.ts';
import { areSomeUnasked } from './unasked.ts';

/** How the nodes of one cluster are connected to another one. */
export interface MatrixCell {
  /** Clusters by name. */
  from: string;
  to: string;
  /**
   * `at-risk`: all nodes are connected, but would not come back, or what changes is not noticed. `one-way`: only `to` dials
   * `from`, as chosen. `unknown`: some nodes gave no answer in time, and all others are connected.
   */
  state: 'self' | 'connected' | 'at-risk' | 'disconnected' | 'unknown' | 'one-way' | 'not-configured';
  /** Nodes of `from`; absent where nobody was asked. */
  connected?: number | undefined;
  total?: number | undefined;
}

/** A cluster that could not be asked at all. */
export interface UnreachableCluster {
  context: string;
  code: ErrorCode;
  message: string;
  /** The next step. */
  hint?: string | undefined;
}

/** A cluster that cannot be asked, by what was met. */
export function unreachableCluster(context: string, { code, message, hint }: MeshctlError): UnreachableCluster {
  return { context, code, message, ...(hint ? { hint } : {}) };
}

/** The contexts of those that gave no answer: one of which only a flag says where it is (`Usage`) answers, and is not gone. */
export function silentContexts(
  unreachable: readonly Pick<UnreachableCluster, 'context' | 'code' | 'hint'>[],
): SilentContext[] {
  return unreachable.flatMap(({ context, code, hint }) => (code === 'Usage' ? [] : [{ context, code, hint }]));
}

/** Why a cluster cannot be asked, as a clause that names its context. */
export function unreachableWords({ context, message }: Pick<UnreachableCluster, 'context' | 'message'>): string {
  return message.startsWith('context ') ? message : `context "${context}": ${message}`;
}

/** The status of several clusters: the data of `clustermesh status --context a,b,c -o json`. */
export interface MeshStatusReport {
  healthy: boolean;
  clusters: StatusReport[];
  unreachable: UnreachableCluster[];
  /** Each cluster that was asked to each cluster that is known of, row by row. */
  matrix: MatrixCell[];
  /** What becomes of requests where only one of two clusters dials, as chosen; absent where all are answered, or nobody looked. */
  unanswered?: readonly UnansweredServices[] | undefined;
  /** Where all contexts were asked for: peers to which none leads, by name, so that their connections were seen from one side only. */
  outside?: readonly string[] | undefined;
}

/** A mesh is healthy when each of its clusters answers and is. */
export function evaluateMesh(
  clusters: readonly StatusReport[],
  unreachable: readonly UnreachableCluster[],
): MeshStatusReport {
  const asked = [...new Set(clusters.map(peerNameOf))];
  const others = clusters
    .flatMap(({ peers, serves }) => [...peers.map(({ name }) => name), ...serves])
    .filter((name) => !asked.includes(name));
  const columns = [...asked, ...[...new Set(others)].sort()];
  return {
    healthy: clusters.length > 0 && unreachable.length === 0 && clusters.every(({ healthy }) => healthy),
    clusters: [...clusters],
    unreachable: [...unreachable],
    matrix: clusters.flatMap((report) => columns.map((to) => cellOf(report, to, clusters))),
  };
}

/**
 * A mesh of which all contexts were asked for, with the peers to which none leads. Where one gave no answer nobody knows whether it is that
 * one; the cluster of another owner is theirs to look at, and of one that is renamed that is what is wrong.
 */
export function withOutside(mesh: MeshStatusReport): MeshStatusReport {
  const { clusters, unreachable, matrix } = mesh;
  if (unreachable.length > 0) return mesh;
  const asked = clusters.map(peerNameOf);
  const isKnown = (name: string) =>
    clusters.some(({ faults }) => faults.some(({ id, peer }) => id === 'peer-renamed' && peer === name));
  const isOurs = (name: string) =>
    clusters.some(
      ({ peers, serves, ofOthers = [] }) =>
        !ofOthers.includes(name) && (serves.includes(name) || peers.some((peer) => peer.name === name)),
    );
  const names = [...new Set(matrix.map(({ to }) => to))].filter((name) => !asked.includes(name));
  const outside = names.filter((name) => isOurs(name) && !isKnown(name));
  return outside.length > 0 ? { ...mesh, outside } : mesh;
}

/** The clusters that were asked, each with its row of the matrix: a name alone may be that of clusters of two meshes. */
export function rowsOf({ clusters, matrix }: Pick<MeshStatusReport, 'clusters' | 'matrix'>) {
  const width = matrix.length / clusters.length;
  return clusters.map((report, index) => ({ report, cells: matrix.slice(index * width, (index + 1) * width) }));
}

function cellOf(report: StatusReport, to: string, all: readonly StatusReport[]): MatrixCell {
  const { peers, problems } = report;
  const from = peerNameOf(report);
  if (from === to) return { from, to, state: 'self' };
  const peer = peers.find(({ name }) => name === to);
  if (!peer && isToDial(report, to))
    return { from, to, state: 'disconnected', connected: 0, total: report.nodes.total };
  if (!peer) return { from, to, state: report.serves.includes(to) ? 'one-way' : 'not-configured' };
  const { agents, kvstoremesh } = peer;
  const { connected, total } = agents;
  if (areSomeUnasked(agents)) return { from, to, state: 'unknown', connected, total };
  if (!areAllConnected(agents)) return { from, to, state: 'disconnected', connected, total };
  const isAtRisk =
    problems.some((problem) => problem.peer === to) ||
    (kvstoremesh && !areAllConnected(kvstoremesh)) ||
    faultsBetween(report, to, all).length > 0;
  return { from, to, state: isAtRisk ? 'at-risk' : 'connected', connected, total };
}

/** Whether a fault is that a cluster does not dial a peer, and is to: agents do not even know of that one. */
export function isOfUndialled({ peers }: Pick<StatusReport, 'peers'>, { id, peer, outage }: Fault): boolean {
  const isLost = id === 'peers-mutual' || id === 'peering-file-missing' || (id === 'peering-lost' && outage);
  return isLost && peer !== undefined && !peers.some(({ name }) => name === peer);
}

/** Whether two clusters have lost their peering on both sides, as either of them has it, and each is connected to another one. */
export function havePeeringLost(one: StatusReport, other: StatusReport): boolean {
  const isLostOf = ({ faults }: StatusReport, peer: StatusReport) =>
    faults.some(({ id, outage, peer: name }) => id === 'peering-lost' && outage && name === peerNameOf(peer));
  return mayBePeersOf(one, [other]).length > 0 && (isLostOf(one, other) || isLostOf(other, one));
}

function isToDial(report: StatusReport, to: string): boolean {
  return report.faults.some((fault) => fault.peer === to && isOfUndialled(report, fault));
}

/** What of a connection would not come back: at whom dials, then at whom serves, as far as that one was asked. */
export function faultsBetween(report: StatusReport, to: string, all: readonly StatusReport[]): Fault[] {
  const serving = mayBePeersOf(report, all).find((one) => peerNameOf(one) === to)?.faults ?? [];
  return [
    ...report.faults.filter(({ component, peer, peers = [peer] }) => component !== 'apiserver' && peers.includes(to)),
    ...serving.filter(
      ({ component, peer }) => component === 'apiserver' && [undefined, peerNameOf(report)].includes(peer),
    ),
  ].filter(({ outage }) => outage);
}
