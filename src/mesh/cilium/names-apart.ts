import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { groupBy } from '../pairs.ts';
import { clusterNameOf } from './identity.ts';

/**
 * What to call each of several clusters: by its name in the mesh; where another cluster has that too, as before anyone is
 * named, by its context.
 */
export function namesApart(snapshots: readonly ClusterSnapshot[]): (snapshot: ClusterSnapshot) => string {
  const names = groupBy(snapshots, clusterNameOf);
  return (snapshot) =>
    (names.get(clusterNameOf(snapshot)) ?? []).length > 1 ? snapshot.context : clusterNameOf(snapshot);
}
