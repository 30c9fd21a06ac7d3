import { shareOf } from '../counted.ts';
import { describeFault } from '../faults/fault.ts';
import type { BrokenLink } from './broken-link.ts';
import type { FailureClass } from './failure-reason.ts';
import { faultsBetween, type MeshStatusReport, rowsOf } from './mesh-status.ts';
import { areAllConnected, isUntried, type StatusProblem, type StatusReport } from './status.ts';
import { adviseMesh } from './status-reasons.ts';
import { areSomeUnasked } from './unasked.ts';

/** Whom the agents of a cluster dial, and which of these connections are broken. */
export interface Links {
  peers: readonly string[];
  broken: readonly BrokenLink[];
  /** What of the cluster may not be read, in words: whether they would come back hangs on it too; absent where all was read. */
  unseen?: readonly string[] | undefined;
  /** How many nodes it was seen by, where these are not all. */
  asked?: { nodes: number; of: number } | undefined;
}

/**
 * The links of each cluster that was asked, by its context: the rows of the matrix of `status`. A cluster of which no agent
 * answered is left out: nothing is known of it.
 */
export function linksByContext(mesh: MeshStatusReport): Map<string, Links> {
  const advised = adviseMesh(mesh);
  return new Map(
    rowsOf(advised)
      .filter(({ report: { nodes } }) => nodes.total > 0)
      .map(({ report, cells }) => {
        const broken = cells.flatMap(({ to: peer, state, connected = 0, total = 0 }): BrokenLink[] => {
          if (state !== 'disconnected' && state !== 'unknown' && state !== 'at-risk') return [];
          const [problem] = report.problems.filter((one) => one.peer === peer);
          const [fault] = faultsBetween(report, peer, advised.clusters);
          if (state === 'at-risk' && !fault && isKeptByOthers(report, peer)) return [];
          const why = problem?.says ?? (fault ? describeFault(fault) : 'not all replicas of KVStoreMesh are connected');
          const holding = report.peers.find(({ name }) => name === peer)?.agents.holding ?? 0;
          const unheard =
            holding > 0 || (connected > 0 && isUnfollowed(report, peer)) ? { unheard: true as const } : {};
          if (state === 'at-risk') return [{ peer, state, reason: why, ...unheard }];
          const reason = `${shareOf(connected, total, 'node')} connected: ${why}`;
          if (state === 'unknown') return [{ peer, state, reason, ...unheard }];
          const using = connected + holding;
          if (holding > 0 && using === total) return [{ peer, state: 'lost', reason }];
          return [{ peer, state, reason, ...(using > 0 ? { using } : {}), ...unheard }];
        });
        const peers = report.peers.map(({ name }) => name);
        const { sample } = report;
        return [
          report.context,
          {
            peers,
            broken,
            ...(report.unread ? { unseen: report.unread } : {}),
            ...(sample && sample.asked < sample.nodes ? { asked: { nodes: sample.asked, of: sample.nodes } } : {}),
          },
        ];
      }),
  );
}

/**
 * Whether a cluster hears of a peer: all its agents are connected, and so is what they are connected to; undefined where some gave no
 * answer in time, and nothing is known to be wrong.
 */
export function hearsOf(report: StatusReport, peer: string): boolean | undefined {
  const agents = report.peers.find(({ name }) => name === peer)?.agents;
  if (!agents || isUnfollowed(report, peer)) return false;
  return areSomeUnasked(agents) ? undefined : areAllConnected(agents);
}

/**
 * Whether each of some clusters hears of a peer; undefined where none is known not to, and of one it is not known: nobody was asked, or
 * it is the peer that dials.
 * @param holders contexts of the clusters that have the peer
 */
export function allHearOf(
  reports: readonly StatusReport[],
  peer: string,
  holders: readonly string[],
): boolean | undefined {
  const heard = holders.map((context) => {
    const report = reports.find((one) => one.context === context);
    return report?.peers.some(({ name }) => name === peer) ? hearsOf(report, peer) : undefined;
  });
  if (heard.includes(false)) return false;
  return heard.includes(undefined) ? undefined : true;
}

/**
 * Whether agents that are connected may hear nothing of a peer all the same. With KVStoreMesh they are connected to its cache, which goes
 * on with what it has of a peer that is lost (Cilium's pkg/clustermesh/kvstoremesh; it is emptied when the peer is removed or
 * `clustermesh-cache-ttl` is over), and agents read that of any replica; and what does not look at its peers again says that it is
 * connected to one that is gone, where only a new connection fails. A replica that does not run is read by none.
 */
function isUnfollowed({ peers, problems }: Pick<StatusReport, 'peers' | 'problems'>, peer: string): boolean {
  const cache = peers.find(({ name }) => name === peer)?.kvstoremesh;
  const isLostByCache =
    cache !== undefined && cache.connected + (cache.unasked ?? 0) < Math.max(cache.total - (cache.idle ?? 0), 1);
  return isLostByCache || problems.some((one) => one.peer === peer && isCutOff(one));
}

/** Whether replicas of KVStoreMesh that do not run are all that is wrong: the others are connected, and agents that restart read of those. */
function isKeptByOthers({ peers, problems }: StatusReport, peer: string): boolean {
  const { connected = 0, idle = 0, total = 0 } = peers.find(({ name }) => name === peer)?.kvstoremesh ?? {};
  const own = problems.filter((one) => one.peer === peer);
  const isOfIdle = own.every((one) => one.component === 'kvstoremesh' && one.heldOver === undefined);
  return connected > 0 && connected + idle === total && isOfIdle;
}

/** What a server, or who names it, says to a new connection: one that stands is let be, until it ends. */
const OF_NEW_CONNECTIONS: readonly FailureClass[] = [
  'cannot-resolve',
  'tls-unknown-ca',
  'tls-expired',
  'tls-name',
  'tls-usage',
  'tls-client-rejected',
  'permission-denied',
  'config-invalid',
];

/** Whether a connection that is said to stand may lead nowhere by now. */
function isCutOff(problem: StatusProblem): boolean {
  return problem.heldOver === true && !isUntried(problem) && !OF_NEW_CONNECTIONS.includes(problem.class);
}
