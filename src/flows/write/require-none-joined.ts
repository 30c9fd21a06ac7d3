import pLimit from 'p-limit';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { requireNoneJoined, requireSamePeers } from '../../mesh/peers/joined-peers.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import type { Target } from '../flow.ts';

/** A cluster with what a plan was made from. */
export interface PlannedCluster {
  target: Target;
  snapshot: ClusterSnapshot;
}

/** Clusters read at a time. */
const PARALLEL = 8;

/** Targets with what was read of them; those of which nothing was are left out. */
export function plannedClusters(targets: readonly Target[], snapshots: readonly ClusterSnapshot[]): PlannedCluster[] {
  return targets.flatMap((target) => {
    const snapshot = snapshots.find(({ context }) => context === target.client.context);
    return snapshot ? [{ target, snapshot }] : [];
  });
}

/**
 * Looks once more who the peers of one cluster are, before a list of them is handed over.
 * @throws MeshctlError `Conflict` where further ones have come, or some have gone
 */
export async function requireSamePeersSince({ target, snapshot: before }: PlannedCluster): Promise<void> {
  requireSamePeers({ before, now: await readForParting(target.client, target.namespace) });
}

/**
 * Looks once more who the peers are, after somebody took their time to agree to a plan.
 * @throws MeshctlError `Conflict` where further ones have come
 */
export async function requireNoneJoinedSince(planned: readonly PlannedCluster[]): Promise<void> {
  const limit = pLimit(PARALLEL);
  const looks = planned.map(({ target: { client, namespace }, snapshot: before }) =>
    limit(async () => ({ before, now: await readForParting(client, namespace) })),
  );
  requireNoneJoined(await Promise.all(looks));
}
