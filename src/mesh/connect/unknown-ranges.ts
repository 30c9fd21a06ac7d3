import { knownRanges, lacksNodeRanges, podRanges } from '../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';

/** Of which clusters it is not known where pods have their addresses from, so that nobody has looked whether those of others meet them. */
export function unknownRangeNotes(clusters: readonly ClusterSnapshot[]): string[] {
  return clusters.flatMap((cluster) => {
    const { context, podRangesRefused: hint } = cluster;
    const { otherwise } = podRanges(cluster);
    if (knownRanges(cluster).length > 0 && !lacksNodeRanges(cluster)) return [];
    const says = `context "${context}": ${otherwise}, so it was not looked whether its pods have addresses of another cluster`;
    return [hint === undefined ? says : `${says} → ${hint}`];
  });
}
