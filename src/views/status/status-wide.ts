import type { Contexts } from '../../mesh/faults/fault-advice.ts';
import type { StatusReport } from '../../mesh/status/status.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { statusText } from './status-view.ts';

/** The report with more: KVStoreMesh per peer, and what each node and replica says of each peer. */
export function statusWideText(
  report: StatusReport,
  theme: Theme,
  contexts?: Contexts,
  others: readonly string[] = [],
): string {
  return [statusText(report, theme, contexts, others), ...detailLines(report, theme)].join('\n');
}

/** One cluster's part of `status -o wide` for several clusters: what its nodes and replicas say, under its name. */
export function statusDetailsText(report: StatusReport, theme: Theme): string {
  const { cluster, context } = report;
  const name = context === cluster.name ? cluster.name : `${cluster.name} (${context})`;
  const details = detailLines(report, theme);
  return [theme.bold(`${name}:`), ...(details.length > 0 ? details : [theme.dim('  no peers')])].join('\n');
}

function detailLines(report: StatusReport, theme: Theme): string[] {
  const lines: string[] = [];
  const peers = report.peers.map(({ name }) => name);
  if (report.kvstoremesh.enabled && peers.length > 0) {
    const rows = report.peers.map(({ name, kvstoremesh: counts }) => {
      const { configured = 0, connected = 0, total = 0 } = counts ?? {};
      return [`• ${name}:`, `${configured}/${total} configured, ${connected}/${total} connected`];
    });
    lines.push('🗄️  KVStoreMesh replicas:', ...tableLines(rows, '  '));
  }
  const details = report.details ?? [];
  if (details.length > 0 && peers.length > 0) {
    const rows = details.map(({ name, component, peers: states }): (Cell | string)[] => [
      component === 'agent' ? name : `${name} (KVStoreMesh)`,
      ...peers.map((peer): Cell => {
        const state = (Object.hasOwn(states, peer) ? states[peer] : undefined) ?? 'not-configured';
        return {
          text: state,
          style: state === 'connected' ? theme.ok : state === 'not-asked' ? theme.warn : theme.fail,
        };
      }),
    ]);
    const head = ['NODE', ...peers.map((peer) => peer.toUpperCase())].map((text) => ({ text, style: theme.bold }));
    lines.push(...tableLines([head, ...rows], '  '));
  }
  return lines;
}
