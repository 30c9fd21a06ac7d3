import { describeFault } from '../faults/fault.ts';
import type { BrokenLink } from './broken-link.ts';
import { faultsBetween, type MeshStatusReport, rowsOf } from './mesh-status.ts';
import { adviseMesh } from './status-reasons.ts';

/** Whom the agents of a cluster dial, and which of these connections are broken. */
export interface Links {
  peers: readonly string[];
  broken: readonly BrokenLink[];
  /** What of the cluster may not be read, in words: whether they would come back hangs on it too; absent where all was read. */
  unseen?: readonly string[] | undefined;
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
          const why = problem?.says ?? (fault ? describeFault(fault) : 'not all replicas of KVStoreMesh are connected');
          if (state === 'at-risk') return [{ peer, state, reason: why }];
          const reason = `${connected} of ${total} nodes connected: ${why}`;
          if (state === 'unknown') return [{ peer, state, reason }];
          const holding = report.peers.find(({ name }) => name === peer)?.agents.holding ?? 0;
          const using = connected + holding;
          if (holding > 0 && using === total) return [{ peer, state: 'lost', reason }];
          return [{ peer, state, reason, ...(using > 0 ? { using } : {}) }];
        });
        const peers = report.peers.map(({ name }) => name);
        return [report.context, { peers, broken, ...(report.unread ? { unseen: report.unread } : {}) }];
      }),
  );
}
