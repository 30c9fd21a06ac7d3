import type { Loss, ServiceSurvival } from '../mesh/survival.ts';
import { counted, type ReadCluster, unreadLines, usesText } from './service-list-view.ts';
import { type Cell, tableLines } from './table.ts';
import type { Theme } from './theme.ts';

export interface FailoverReport {
  clusters: readonly ReadCluster[];
  services: readonly ServiceSurvival[];
}

/** Whether every Service survives every loss that was looked at. */
export function isSurvivable({ services }: FailoverReport): boolean {
  return services.every(({ losses }) => losses.every(({ survives }) => survives));
}

/** `service failover`: a row for each Service and cluster lost, then those that would fail. */
export function failoverText(report: FailoverReport, theme: Theme): string {
  const { clusters, services } = report;
  if (services.length === 0) {
    return [`No service is global in ${clusters.map(({ cluster }) => theme.bold(cluster)).join(', ')}`].join('\n');
  }
  const head = ['NAMESPACE', 'NAME', 'WITHOUT', 'SURVIVES', 'READY LEFT', 'WHO SERVES'].map((text) => ({
    text,
    style: theme.bold,
  }));
  const rows = services.flatMap((service) => service.losses.map((loss) => lossCells(service, loss, theme)));
  return [...tableLines([head, ...rows]), '', ...unreadLines(clusters, theme), ...summaryLines(report, theme)].join(
    '\n',
  );
}

function lossCells({ namespace, name, now }: ServiceSurvival, loss: Loss, theme: Theme): (Cell | string)[] {
  const { without, survives, served, left } = loss;
  const share = now === 0 ? '0 of 0' : `${left} of ${now} (${Math.round((100 * left) / now)} %)`;
  return [
    namespace,
    name,
    without,
    survives ? { text: 'yes', style: theme.ok } : { text: 'NO', style: theme.fail },
    share,
    served.length === 0
      ? { text: 'no other cluster has the service', style: theme.fail }
      : served.map(({ cluster, uses }) => `${cluster} ← ${usesText(uses) || 'nobody'}`).join('; '),
  ];
}

function summaryLines({ services }: FailoverReport, theme: Theme): string[] {
  const failing = services.flatMap(({ namespace, name, losses }) => {
    const lost = losses.filter(({ survives }) => !survives).map(({ without }) => without);
    return lost.length > 0 ? [`   ${namespace}/${name}: without ${lost.join(', or without ')}`] : [];
  });
  const total = counted(services.length, 'global service');
  if (failing.length === 0) return [`✅ ${total}: requests would go on being answered`];
  return [`❌ ${theme.fail(`${failing.length} of ${total} would fail:`)}`, ...failing];
}
