import { counted } from '../../mesh/counted.ts';
import type { FirewallRule, FirewallRules, RulePrefix } from '../../mesh/network/firewall.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ, unreachableLines } from '../unreachable-view.ts';

/** The clusters' ranges, and below them a row for each thing to let through. */
export function firewallText(report: FirewallRules, theme: Theme): string {
  const { clusters, rules, unknown, unreachable } = report;
  const bold = (text: string): Cell => ({ text, style: theme.bold });
  const ranges = clusters.flatMap(({ name, nodeRanges, podRanges }) => [
    ...nodeRanges.map((range) => [name, 'nodes', range.cidr, extent(range, 'node')]),
    ...podRanges.map((range) => [name, 'pods', range.cidr, extent(range, 'range')]),
  ]);
  const rows = rules.map((rule) => [
    ...[rule.from, rule.to, rule.kind, portOf(rule), listed(rule.sources)],
    listed([...rule.destinations, ...(rule.hostnames ?? [])]),
    rule.required ? rule.why : `${rule.why}; the mesh works without it`,
  ]);
  if (clusters.length === 0) return [NOTHING_READ, ...unreachableLines(unreachable, theme)].join('\n');
  return [
    ...tableLines([['CLUSTER', 'WHAT', 'RANGE', 'HOLDS'].map(bold), ...ranges]),
    '',
    ...tableLines([['FROM', 'TO', 'FOR', 'PROTOCOL', 'SOURCE', 'DESTINATION', 'WHY'].map(bold), ...rows]),
    ...(unknown.length > 0 ? [''] : []),
    ...unknown.flatMap(({ context, why, hint }) => [
      `${theme.warn('⚠️ ')} context "${context}": ${why}, so rules for it are missing`,
      ...(hint === undefined ? [] : hintLines(hint, theme)),
    ]),
    ...unreachableLines(unreachable, theme),
  ].join('\n');
}

function extent({ addresses, holds }: RulePrefix, what: string): string {
  // A prefix of IPv6 holds a power of two.
  const count = Number.isSafeInteger(addresses) ? addresses : `2^${Math.log2(addresses)}`;
  return `${counted(holds, what)}, ${count} ${addresses === 1 ? 'address' : 'addresses'}`;
}

function portOf({ protocol, port }: FirewallRule): string {
  return port === undefined ? protocol : `${protocol} ${port}`;
}

function listed(prefixes: readonly string[]): string {
  return prefixes.join(',') || '-';
}
