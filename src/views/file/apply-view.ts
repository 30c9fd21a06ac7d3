import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import type { AppliedMesh } from '../../mesh/file/applied-mesh.ts';
import { afterParting, type Pair, pairsOfDials } from '../../mesh/file/differences.ts';
import type { NamedDial } from '../../mesh/file/topology.ts';
import { foldAlike, groupBy, pairsOf } from '../../mesh/pairs.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { partedLines } from '../connect/disconnect-view.ts';
import { hintLines } from '../hint-lines.ts';
import { clusterSteps, countActions, type StepData, stepData } from '../plan/plan-data.ts';
import { MANY_CLUSTERS, summariseActions } from '../plan/plan-view.ts';
import { stepLines } from '../plan/step-lines.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import { agreement, pairWords } from './diff-view.ts';

/** What `apply` shows. */
export interface AppliedFiles {
  /** As the operator named them. */
  files: readonly string[];
  meshes: readonly string[];
  /** Of the files. */
  clusters: readonly { name: string; context: string }[];
  applied: AppliedMesh;
  /** Who dials whom by the files. */
  dials: readonly NamedDial[];
  /** How many things are in no file, and were left in the clusters. */
  left: number;
}

/** The result as data. */
export function appliedData({ meshes, clusters, applied }: AppliedFiles): Record<string, unknown> {
  const { enabled, connections, parted, shutOut, disabled, stillEnabled, steps, warnings, verified } = applied;
  return {
    meshes,
    clusters: printable(clusters),
    ...printable({ enabled, connections, disconnected: parted, disabled, warnings }),
    ...(shutOut.length > 0 ? { shutOut: printable(shutOut) } : {}),
    ...(stillEnabled.length > 0 ? { stillEnabled: printable(stillEnabled) } : {}),
    verified,
    steps: clusterSteps(steps),
  };
}

/** The result for people. */
export function appliedText({ files, clusters, applied, dials, left }: AppliedFiles, theme: Theme): string {
  const { steps, verified } = applied;
  const { enabled, parted, shutOut, disabled, still } = printable({
    enabled: applied.enabled,
    parted: applied.parted,
    shutOut: applied.shutOut,
    disabled: applied.disabled,
    still: applied.stillEnabled,
  });
  const more = left > 0 ? `, but for ${counted(left, 'thing')} that no file has` : '';
  const says = `${agreement(clusters, files, theme)}${more}`;
  const doubts = [
    ...(still.length > 0
      ? [`Cluster Mesh is still enabled in ${enumerated(still.map(({ cluster }) => cluster))}`]
      : []),
    ...(verified ? [] : ['this could not be verified everywhere']),
  ];
  const headOf = (words: string) => (doubts.length === 0 ? `✅ ${words}` : `⚠️  ${words}, but ${doubts.join('; ')}`);
  const stillLines = still.flatMap(({ says, cluster, hint }) => [
    `  • Still enabled in ${theme.bold(cluster)}: ${says}`,
    ...hintLines(hint, theme, 4),
  ]);
  if (steps.every(({ action }) => action === 'keep')) {
    return [headOf(`Nothing to change: ${says}`), ...stillLines].join('\n');
  }
  const pairs = pairsOfDials(applied.connections);
  // Of these only one side was told, and is not called disconnected with the other.
  const isUntold = ({ from, to }: NamedDial) => shutOut.some((dial) => dial.from === to && dial.to === from);
  const { apart, oneWay } = afterParting(
    parted.filter((dial) => !isUntold(dial)),
    printable(dials),
  );
  const status = meshctlCommand('clustermesh status', { context: clusters.map(({ context }) => context) }, ['--wait']);
  return [
    headOf(says),
    ...enabled.map(
      ({ cluster, endpoints }) => `  • Enabled in ${theme.bold(cluster)}, at ${endpoints.join(', ') || 'no address'}`,
    ),
    ...(pairs.length > 0 ? [`  • Connections: ${counted(pairs.length, 'pair')} of clusters`] : []),
    ...(apart.length > 0
      ? [`  • Disconnected: ${apart.map(({ clusters: two }) => two.join(' and ')).join(', ')}`]
      : []),
    ...partedLines(parted.filter(isUntold), shutOut, theme),
    ...oneWay.map(({ from, to }) => `  • One-way: ${from} dials ${to}, which does not dial back`),
    ...(disabled.length > 0 ? [`  • Disabled in ${enumerated(disabled)}`] : []),
    ...stillLines,
    `  • Objects: ${summariseActions(countActions(steps), theme)}`,
    ...(applied.connections.length > 0 ? hintLines(`Whether they are connected: ${status}`, theme, 2) : []),
  ].join('\n');
}

/** Pairs whose plan hangs on what enable makes, and in which objects they are written. @param steps in the order of their clusters */
export function laterLines(later: readonly Pair[], steps: readonly Step[], theme: Theme): string[] {
  if (later.length === 0) return [];
  const byContext = groupBy(steps, ({ cluster }) => cluster);
  const isMany = byContext.size >= MANY_CLUSTERS;
  // Who dials whom has been said by then.
  const shown = { digests: false, ...(isMany ? { folded: { changeLines: () => [] } } : {}) };
  const linesOf = (own: readonly Step[]) => own.flatMap((step) => stepLines(step, shown, theme));
  const all = [...byContext].map(([context, own]) => ({ context, lines: linesOf(own) }));
  const writes = (isMany ? foldAlike(all, ({ lines }) => lines.join('\n')) : all.map((one) => [one])).flatMap(
    (same) => [
      `  Context${same.length === 1 ? '' : 's'} ${enumerated(same.map(({ context }) => theme.bold(context)))}${same.length === 1 ? '' : ', each'}:`,
      ...same.slice(0, 1).flatMap(({ lines }) => lines.map((line) => `  ${line}`)),
    ],
  );
  const pairs = isMany ? pairsWords(later) : later.map(pairWords);
  return ['Then, at addresses known only by then:', ...pairs.map((words) => `  + ${words}`), ...writes];
}

/** Many pairs: all of some clusters at once, else what each of them begins. */
function pairsWords(pairs: readonly Pair[]): string[] {
  const names = [...new Set(pairs.flatMap(({ clusters }) => clusters))];
  const isEach = pairs.length === pairsOf(names).length && !pairs.some(({ oneWay }) => oneWay);
  if (isEach) return [`${printable(enumerated(names))} dial each other, every pair of them`];
  const alike = foldAlike(pairs, ({ clusters: [from], oneWay }) => JSON.stringify([from, oneWay]));
  return alike.flatMap((same) => {
    const [first, ...more] = same;
    if (!first || more.length === 0) return same.map(pairWords);
    const others = enumerated(same.map(({ clusters: [, to] }) => to));
    const [from] = first.clusters;
    return [printable(first.oneWay ? `${from} dials ${others}` : `${from} and each of ${others} dial each other`)];
  });
}

/** The same writes as data, by context. */
export function laterData(
  steps: readonly Step[],
): { context: string; steps: Pick<StepData, 'action' | 'object' | 'why'>[] }[] {
  return [...groupBy(steps, ({ cluster }) => cluster)].map(([context, own]) => {
    const data = own.map(stepData).map(({ action, object, why }) => ({ action, object, why }));
    return { context, steps: data };
  });
}
