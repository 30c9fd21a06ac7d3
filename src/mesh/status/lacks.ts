import { sinceDisable } from '../enable/unfinished-disable.ts';
import { isAlone, type StatusReport } from './status.ts';

/** Why a cluster is not healthy although nothing of it fails: something is not there that could. */
export const LACK_IDS = ['not-enabled', 'no-peers', 'no-agents', 'kvstoremesh-none'] as const;

export interface StatusLack {
  id: (typeof LACK_IDS)[number];
  /** One clause for people, without the cluster. */
  says: string;
}

/** What a cluster lacks altogether, the first first; none where it lacks nothing, whatever else is wrong. */
export function lacksOf(
  report: Pick<StatusReport, 'enabled' | 'peers' | 'serves' | 'nodes' | 'kvstoremesh' | 'unfinished'>,
): StatusLack[] {
  const { enabled, nodes, kvstoremesh, unfinished } = report;
  if (!enabled) return [{ id: 'not-enabled', says: `Cluster Mesh is not enabled${sinceDisable(unfinished)}` }];
  if (isAlone(report)) return [{ id: 'no-peers', says: 'the cluster is connected to no cluster' }];
  return [
    ...(nodes.total === 0 ? [{ id: 'no-agents', says: 'no Cilium agent runs' } as const] : []),
    ...(kvstoremesh.enabled && kvstoremesh.replicas === 0
      ? [{ id: 'kvstoremesh-none', says: 'no KVStoreMesh replica runs' } as const]
      : []),
  ];
}
