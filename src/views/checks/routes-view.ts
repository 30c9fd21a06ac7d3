import { type RoutesReport, type RouteToPods, unjudgedPairs } from '../../mesh/cilium/routes.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted, partOf } from '../../mesh/counted.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';

/** A table of routes, gaps marked. */
export function routesText(report: RoutesReport, theme: Theme): string {
  const { routes, clusters, unreachable } = report;
  const lines = headLines(report, theme);
  if (routes.length > 0) {
    const head = ['CLUSTER', 'NODE', 'TO', 'POD RANGE', 'VIA', 'DEVICE', 'SOURCE'];
    const rows = routes.map((route): (Cell | string)[] => {
      const { from, node, to, podCidr, via, device } = route;
      return [from, node, to, podCidr, via ?? '-', device ?? '-', sourceCell(route, theme)];
    });
    lines.push(...tableLines([head.map((text) => ({ text, style: theme.bold })), ...rows]));
  }
  if (clusters.length > 1) {
    for (const [from, to] of unjudgedPairs(report)) {
      lines.push(
        `${theme.warn('⚠️ ')} ${from} → ${to}: skipped: no agent of ${from} runs, or no pod range of ${to} is known`,
      );
    }
  }
  return [...lines, ...unreachableLines(unreachable, theme)].join('\n');
}

function headLines({ routes, clusters, complete, unreachable }: RoutesReport, theme: Theme): string[] {
  const nodes = clusters.reduce((sum, cluster) => sum + cluster.nodes, 0);
  if (complete) {
    return [`✅ ${nodes === 1 ? 'The node has' : `All ${nodes} nodes have`} a route to every remote pod range`];
  }
  if (clusters.length < 2) {
    const asked = clusters.length + unreachable.length;
    const which = asked < 2 ? 'only one cluster was read' : `only ${clusters.length} of ${asked} clusters answered`;
    return [
      `⚠️  ${theme.warn(`There is nothing to compare: ${which}`)}`,
      ...(asked < 2 ? [`   ${theme.dim('→')} ${meshctlCommand('clustermesh routes', {}, ['--all'])}`] : []),
    ];
  }
  const missing = routes.filter(({ source }) => !source).length;
  const words = [
    ...(missing > 0
      ? [`${partOf(missing, routes.length, 'route', ['is', 'are'])} missing`]
      : [`${counted(routes.length, 'route')} found, but not all clusters were compared`]),
    ...apartWords(routes),
  ];
  const [mark, paint] = missing > 0 ? ['❌', theme.fail] : ['⚠️ ', theme.warn];
  return [`${mark} ${paint(words.join('; '))}`];
}

/** `not connected: mesh-1 → mesh-2, mesh-2 → mesh-1`. */
function apartWords(routes: readonly RouteToPods[]): string[] {
  const apart = routes.filter(({ connected }) => connected === false).map(({ from, to }) => `${from} → ${to}`);
  return apart.length > 0 ? [`not connected: ${[...new Set(apart)].join(', ')}`] : [];
}

function sourceCell({ source, connected }: RouteToPods, theme: Theme): Cell | string {
  if (source) return source;
  return { text: connected === false ? '✗ not connected' : '✗ missing', style: theme.fail };
}
