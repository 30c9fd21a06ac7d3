import type { MatrixCell, MeshStatusReport } from '../mesh/mesh-status.ts';
import { problemLines, replicaLines, statusText } from './status-view.ts';
import { type Cell, tableLines } from './table.ts';
import type { Theme } from './theme.ts';
import { unreachableLines } from './unreachable-view.ts';

/** The status of several clusters: a matrix of who is connected to whom, then what is wrong in each cluster. */
export function meshStatusText(report: MeshStatusReport, theme: Theme): string {
  const lines = [headline(report, theme)];
  if (report.clusters.length > 0) {
    lines.push('🔌 Cluster Connections (nodes of the row connected to the column):');
    lines.push(...matrixLines(report, theme));
  }
  for (const cluster of report.unreachable) lines.push('', ...unreachableLines([cluster], theme));
  const clusters = new Map(report.clusters.map((cluster) => [cluster.cluster.name, cluster]));
  for (const cluster of report.clusters) {
    if (cluster.healthy) continue;
    // Without peers the cluster's own report says what to do.
    const text =
      cluster.peers.length === 0 || !cluster.enabled
        ? statusText(cluster, theme)
        : [
            ...replicaLines(cluster, theme),
            ...cluster.problems.flatMap((problem) => problemLines(problem, cluster, theme, clusters.get(problem.peer))),
          ].join('\n');
    if (text) lines.push('', theme.bold(`${cluster.cluster.name} (context ${cluster.context})`), text);
  }
  return lines.join('\n');
}

function headline({ clusters, unreachable, healthy }: MeshStatusReport, theme: Theme): string {
  const nodes = clusters.reduce((sum, { nodes: { total } }) => sum + total, 0);
  const total = clusters.length + unreachable.length;
  if (healthy) {
    const sampled = clusters.some(({ sample }) => sample) ? theme.warn(' (only a sample of the nodes was asked)') : '';
    return `✅ All ${nodes} nodes of ${total} clusters are connected to all clusters${sampled}`;
  }
  const broken = clusters.filter((cluster) => !cluster.healthy).length;
  const words = [
    ...(unreachable.length > 0 ? [`${unreachable.length} of ${total} clusters cannot be asked`] : []),
    ...(broken > 0 ? [`${broken} of ${total} clusters are not connected to all clusters`] : []),
  ];
  return `❌ ${theme.fail(words.join('; '))}`;
}

function matrixLines({ clusters, matrix }: MeshStatusReport, theme: Theme): string[] {
  const columns = [...new Set(matrix.map(({ to }) => to))];
  const head = ['FROM \\ TO', ...columns].map((text) => ({ text, style: theme.bold }));
  const rows = clusters.map(({ cluster: { name } }): (Cell | string)[] => [
    { text: name, style: theme.bold },
    ...columns.map((to) =>
      cellFor(
        matrix.find((cell) => cell.from === name && cell.to === to),
        theme,
      ),
    ),
  ]);
  return tableLines([head, ...rows], '  ');
}

function cellFor(cell: MatrixCell | undefined, theme: Theme): Cell {
  if (!cell || cell.state === 'self') return { text: '·', style: theme.dim };
  if (cell.state === 'not-configured') return { text: '–', style: theme.dim };
  const text = `${cell.connected ?? 0}/${cell.total ?? 0}`;
  return cell.state === 'connected' ? { text: `✓ ${text}`, style: theme.ok } : { text: `✗ ${text}`, style: theme.fail };
}
