import { shellWord } from '../../mesh/command-line.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { endangeredEffects, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { peerLines } from '../plan/peer-lines.ts';
import type { StepData } from '../plan/plan-data.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import type { EnableFailure } from './enable-view.ts';

/** A cluster that Helm enables, or would. */
export interface HelmCluster {
  context: string;
  cluster: { name: string; id: number };
  /** The words of the command line. */
  command: readonly string[];
  /** What meshctl does beside it. */
  steps: readonly StepData[];
}

/** How `clustermesh enable --via-helm` was run. */
export interface HelmRunShown {
  /** Where nothing was run. */
  dryRun: 'client' | 'server' | undefined;
  /** Clusters in which a run would begin nothing. */
  refused: readonly EnableFailure[];
  /** What became of the connections with known peers; a dry run warns of it by itself. */
  effects: readonly PeerEffect[];
  /** The command line that prints the values of this run for a context. */
  valuesCommand(context: string): string;
}

/** The result of `clustermesh enable --via-helm`. */
export function helmText(
  clusters: readonly HelmCluster[],
  { dryRun, refused, effects, valuesCommand }: HelmRunShown,
  theme: Theme,
): string {
  return [
    ...clusters.map(({ context, cluster, command, steps }) =>
      dryRun
        ? [
            `Would run for context ${theme.bold(context)}: ${command.map(shellWord).join(' ')}`,
            `  with the values of: ${valuesCommand(context)}`,
            ...steps.map(({ action, object, why }) => `  and ${action} ${describeRef(object)} (${why})`),
          ].join('\n')
        : [
            `✅ Cluster Mesh is enabled in ${theme.bold(cluster.name)} (context ${context}, id ${cluster.id}) by Helm`,
            ...peerLines(
              endangeredEffects(effects).filter((effect) => effect.cluster === context),
              theme,
            ),
          ].join('\n'),
    ),
    ...refused.map(({ error }) => `✗ ${printable(error.message)}`),
    ...(dryRun
      ? [
          `Nothing was changed (--dry-run${dryRun === 'server' ? '=server' : ''})${refused.length > 0 ? '; a run is refused' : ''}.`,
        ]
      : []),
  ].join('\n');
}
