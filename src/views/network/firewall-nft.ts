import type { FirewallRules } from '../../mesh/network/firewall.ts';
import { groupBy } from '../../mesh/pairs.ts';
import {
  byDestination,
  clusterNote,
  familyOfRule,
  headNotes,
  inRemark,
  type NamedRule,
  nameOfWay,
  purposeOf,
} from './firewall-words.ts';

const TABLE = 'inet filter';

const HOOKS = ['input', 'forward'] as const;

/**
 * Rules for the packet filter of nodes. What one base chain lets through another may still drop, so these are passed before
 * the rules of the operator's own chains. They are in chains of their own, which each run fills anew, so that nothing stays open for
 * nodes that are gone; one for each way, so that rules of clusters that are not in the output stay.
 */
export function firewallNft(report: FirewallRules): string {
  const notes = [
    'On every node: nft -f FILE, and again whenever it is made again: its rules take the place of former ones between the same clusters.',
    `Jumps to them are put at the beginning of the chains input and forward of ${TABLE}, which have to be there; where yours have other`,
    'names, change them here. A jump that is there twice changes nothing. On routers and VPN gateways all jumps belong in forward.',
  ];
  const sections = byDestination(report).flatMap(([cluster, rules]) => [
    ...['', `# ${clusterNote(cluster)}`],
    ...[...groupBy(rules, nameOfWay)].flatMap(([name, own]) => wayLines(name, own)),
  ]);
  return [...headNotes(report, 'nft', notes).map((line) => `# ${line}`), ...sections].join('\n');
}

/** No base chain is made where there is none: without a hook nobody would run it, and so nft says that it is missing. */
function wayLines(name: string, rules: readonly NamedRule[]): string[] {
  const lines = rules.flatMap((rule) => [`# ${purposeOf(rule)}`, ...ruleLines(name, rule)]);
  const chains = HOOKS.map((hook) => ({ hook, chain: `${name}-${hook}` }));
  const used = chains.filter(({ chain }) => lines.some((line) => line.startsWith(`add rule ${TABLE} ${chain} `)));
  return [
    ...chains.flatMap(({ chain }) => [`add chain ${TABLE} ${chain}`, `flush chain ${TABLE} ${chain}`]),
    ...lines,
    ...used.map(({ hook, chain }) => `insert rule ${TABLE} ${hook} jump ${chain}`),
  ];
}

/**
 * Of a clustermesh-apiserver also where kube-proxy has put a pod in the place of the address that was dialled, as it does before any
 * filter: such packets are forwarded, with the pod's address and port. (Netfilter: prerouting's NAT, priority dstnat, is before filter.)
 */
function ruleLines(name: string, rule: NamedRule): string[] {
  const { kind, destinations, port } = rule;
  const family = familyOf(rule);
  const to = destinations.length > 0 ? setOf(destinations) : undefined;
  const asSent = [...(to ? [`${family} daddr ${to}`] : []), ...protocolMatch(rule)];
  if (kind === 'pod-to-pod') return [line(`${name}-forward`, rule, asSent)];
  if (kind !== 'apiserver') return [line(`${name}-input`, rule, asSent)];
  const dialled = [...(to ? [`ct original ${family} daddr ${to}`] : []), `ct original proto-dst ${port}`];
  return [
    line(`${name}-input`, rule, asSent),
    line(`${name}-forward`, rule, ['meta l4proto tcp ct status dnat', ...dialled]),
  ];
}

function line(chain: string, rule: NamedRule, match: readonly string[]): string {
  const { kind, from, to, sources } = rule;
  return [
    `add rule ${TABLE} ${chain}`,
    `${familyOf(rule)} saddr ${setOf(sources)}`,
    ...match,
    `accept comment "meshctl ${kind} ${inRemark(from)} to ${inRemark(to)}"`,
  ].join(' ');
}

const familyOf = (rule: NamedRule) => (familyOfRule(rule) === 6 ? 'ip6' : 'ip');
const setOf = (prefixes: readonly string[]) => `{ ${prefixes.join(', ')} }`;

function protocolMatch(rule: NamedRule): string[] {
  const { protocol, port } = rule;
  if (protocol === 'all') return [];
  if (protocol === 'esp') return ['meta l4proto esp'];
  if (protocol === 'icmp') return [familyOfRule(rule) === 6 ? 'icmpv6 type echo-request' : 'icmp type echo-request'];
  return [`${protocol} dport ${port}`];
}
