import type { RoutesReport } from '../mesh/routes.ts';
import { type Cell, tableLines } from './table.ts';
import type { Theme } from './theme.ts';

/** A table of routes, gaps marked. */
export function routesText({ routes, clusters, complete }: RoutesReport, theme: Theme): string {
  const gaps = routes.filter(({ source }) => !source).length;
  const nodes = clusters.reduce((sum, cluster) => sum + cluster.nodes, 0);
  const lines = [
    complete
      ? `✅ All ${nodes} nodes have a route to every remote pod range`
      : `❌ ${theme.fail(`${gaps} of ${routes.length} routes to remote pod ranges are missing`)}`,
  ];
  if (routes.length === 0)
    return [...lines, theme.dim('Name several clusters to see the routes between them.')].join('\n');
  const head = ['CLUSTER', 'NODE', 'TO', 'POD RANGE', 'VIA', 'DEVICE', 'SOURCE'];
  const rows = routes.map(({ from, node, to, podCidr, via, device, source }): (Cell | string)[] => [
    from,
    node,
    to,
    podCidr,
    via ?? '-',
    device ?? '-',
    source ?? { text: '✗ missing', style: theme.fail },
  ]);
  return [...lines, ...tableLines([head.map((text) => ({ text, style: theme.bold })), ...rows])].join('\n');
}
