import { type UnreachableCluster, unreachableWords } from '../mesh/status/mesh-status.ts';
import { hintLines } from './hint-lines.ts';
import type { Theme } from './theme.ts';

/** What a report says where nothing was read: neither that all is well, nor that there is nothing. */
export const NOTHING_READ = 'No cluster could be read';

/** A line for each cluster that did not answer, with what to do about it. */
export function unreachableLines(clusters: readonly UnreachableCluster[], theme: Theme): string[] {
  return clusters.flatMap((cluster) => [
    `❌ ${theme.fail(unreachableWords(cluster))}`,
    ...(cluster.hint ? hintLines(cluster.hint, theme) : []),
  ]);
}
