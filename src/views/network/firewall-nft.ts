import type { FirewallRules } from '../../mesh/network/firewall.ts';
import {
  byDestination,
  clusterNote,
  familyOfRule,
  headNotes,
  inRemark,
  type NamedRule,
  purposeOf,
} from './firewall-words.ts';

const TABLE = 'inet filter';

/**
 * Rules for the packet filter of nodes. What one base chain lets through another may still drop, so these go in front of
 * the rules of the operator's own chains.
 */
export function firewallNft(report: FirewallRules): string {
  const notes = [
    `Put in front of your own rules on every node: nft -f FILE. They are in the chains input and forward of ${TABLE}, which have`,
    'to be there; where yours have other names, change them here. Router and VPN gateways: both in forward.',
  ];
  const sections = byDestination(report).flatMap(([cluster, rules]) => [
    ...['', `# ${clusterNote(cluster)}`],
    ...rules.flatMap((rule) => [`# ${purposeOf(rule)}`, ruleLine(rule)]),
  ]);
  // No chain is made where there is none: without a hook nobody would run it, and so nft says that it is missing.
  return [...headNotes(report, 'nft', notes).map((line) => `# ${line}`), ...sections].join('\n');
}

function ruleLine(rule: NamedRule): string {
  const { kind, from, to, sources, destinations } = rule;
  const family = familyOfRule(rule) === 6 ? 'ip6' : 'ip';
  const set = (prefixes: readonly string[]) => `{ ${prefixes.join(', ')} }`;
  return [
    `insert rule ${TABLE} ${kind === 'pod-to-pod' ? 'forward' : 'input'}`,
    `${family} saddr ${set(sources)}`,
    ...(destinations.length > 0 ? [`${family} daddr ${set(destinations)}`] : []),
    ...protocolMatch(rule),
    `accept comment "meshctl ${kind} ${inRemark(from)} to ${inRemark(to)}"`,
  ].join(' ');
}

function protocolMatch(rule: NamedRule): string[] {
  const { protocol, port } = rule;
  if (protocol === 'all') return [];
  if (protocol === 'esp') return ['meta l4proto esp'];
  if (protocol === 'icmp') return [familyOfRule(rule) === 6 ? 'icmpv6 type echo-request' : 'icmp type echo-request'];
  return [`${protocol} dport ${port}`];
}
