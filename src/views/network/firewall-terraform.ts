import type { FirewallCluster, FirewallPlatform, FirewallRules } from '../../mesh/network/firewall.ts';
import { azProtocol } from './firewall-scripts.ts';
import {
  byDestination,
  clusterNote,
  familyOfRule,
  headNotes,
  identifier,
  inRemark,
  type NamedRule,
  purposeOf,
} from './firewall-words.ts';

type Value = string | number | readonly string[] | Raw;
/** An expression as it is written. */
interface Raw {
  raw: string;
}

/** Resources of each cluster's cloud; where that cannot be told, its rules as a local value for modules of one's own. */
export function firewallTerraform(report: FirewallRules): string {
  const destinations = byDestination(report);
  const providers = destinations.flatMap(([cluster]) => providerOf(cluster, report) ?? []);
  const notes = [
    'What only you know of a cluster (its network or security group) is in variables.',
    // Without, the rules of all would be looked for in one region or subscription.
    ...(providers.length > 0 ? [`Declare a provider, by its alias, for each of: ${providers.join(', ')}.`] : []),
  ];
  const sections = destinations.flatMap(([cluster, rules]) => {
    const provider = providerOf(cluster, report);
    const own: Field[] = provider === undefined ? [] : [['provider', { raw: provider }]];
    return ['', `# ${clusterNote(cluster)}`, ...FORMS[cluster.platform](cluster, rules, own)];
  });
  return [...headNotes(report, 'terraform', notes).map((line) => `# ${line}`), ...sections].join('\n');
}

const variableName = ({ name }: FirewallCluster, what: string) => `${identifier(name)}_${what}`;
const reference = (cluster: FirewallCluster, what: string): Raw => ({ raw: `var.${variableName(cluster, what)}` });

/** Where resources name no region or subscription themselves, but that of their provider. */
const PROVIDERS: Readonly<Partial<Record<FirewallPlatform, string>>> = { aws: 'aws', az: 'azurerm' };

/** One of its own where several clusters are on its cloud. */
function providerOf({ name, platform }: FirewallCluster, { clusters }: FirewallRules): string | undefined {
  const provider = PROVIDERS[platform];
  const isAlone = clusters.filter((other) => other.platform === platform).length === 1;
  return provider === undefined || isAlone ? undefined : `${provider}.${identifier(name)}`;
}

/** @param own fields that each resource of the cluster begins with */
type Form = (cluster: FirewallCluster, rules: readonly NamedRule[], own: readonly Field[]) => string[];

const FORMS: Readonly<Record<FirewallPlatform, Form>> = {
  gcloud: (cluster, rules) => [
    ...variableBlock(cluster, 'network', `VPC network of ${cluster.name}`),
    ...variableBlock(cluster, 'project', `project of that network of ${cluster.name}`, cluster.within),
    ...rules.flatMap((rule) => {
      const protocol = rule.protocol === 'icmp' && familyOfRule(rule) === 6 ? '58' : rule.protocol;
      return resource('google_compute_firewall', rule, [
        ['name', rule.name],
        ['project', reference(cluster, 'project')],
        ['network', reference(cluster, 'network')],
        ['direction', 'INGRESS'],
        ['source_ranges', rule.sources],
        ...(rule.destinations.length > 0 ? [['destination_ranges', rule.destinations] as const] : []),
        ['allow', [['protocol', protocol], ...(rule.port ? [['ports', [String(rule.port)]] as const] : [])]],
      ]);
    }),
  ],
  aws: (cluster, rules, own) => [
    ...variableBlock(cluster, 'security_group_id', `security group of ${cluster.name}'s nodes`),
    ...rules.flatMap((rule) =>
      resource('aws_vpc_security_group_ingress_rule', rule, [
        ...own,
        ['for_each', { raw: `toset(${written(rule.sources)})` }],
        ['security_group_id', reference(cluster, 'security_group_id')],
        [familyOfRule(rule) === 6 ? 'cidr_ipv6' : 'cidr_ipv4', { raw: 'each.value' }],
        ...awsProtocol(rule),
        ['description', `meshctl ${rule.kind} from ${inRemark(rule.from)}`],
      ]),
    ),
  ],
  az: (cluster, rules, own) => [
    ...variableBlock(cluster, 'resource_group', `resource group of ${cluster.name}'s network security group`),
    ...variableBlock(cluster, 'network_security_group', `network security group of ${cluster.name}'s nodes`),
    ...rules.flatMap((rule) =>
      resource('azurerm_network_security_rule', rule, [
        ...own,
        ['name', rule.name],
        ['resource_group_name', reference(cluster, 'resource_group')],
        ['network_security_group_name', reference(cluster, 'network_security_group')],
        ['priority', rule.priority],
        ['direction', 'Inbound'],
        ['access', 'Allow'],
        ['protocol', azProtocol(rule)],
        ['source_address_prefixes', rule.sources],
        ['source_port_range', '*'],
        rule.destinations.length > 0
          ? ['destination_address_prefixes', rule.destinations]
          : ['destination_address_prefix', '*'],
        ['destination_port_range', rule.port === undefined ? '*' : String(rule.port)],
      ]),
    ),
  ],
  unknown: ({ name }, rules) => [
    '# Its nodes do not tell where it runs: the rules as a value, for a module of yours.',
    'locals {',
    `  meshctl_into_${identifier(name)} = [`,
    ...rules.flatMap((rule) => [
      `    # ${purposeOf(rule)}`,
      '    {',
      ...aligned(
        [
          ['protocol', rule.protocol],
          ['port', rule.port ?? { raw: 'null' }],
          ['sources', rule.sources],
          ['destinations', rule.destinations],
        ],
        '      ',
      ),
      '    },',
    ]),
    '  ]',
    '}',
  ],
};

function awsProtocol(rule: NamedRule): (readonly [string, Value])[] {
  const isV6 = familyOfRule(rule) === 6;
  const ports = (from: number, to: number): (readonly [string, Value])[] => [
    ['from_port', from],
    ['to_port', to],
  ];
  if (rule.protocol === 'icmp') return [['ip_protocol', isV6 ? 'icmpv6' : 'icmp'], ...ports(isV6 ? 128 : 8, -1)];
  if (rule.port === undefined) return [['ip_protocol', rule.protocol === 'esp' ? '50' : '-1']];
  return [['ip_protocol', rule.protocol], ...ports(rule.port, rule.port)];
}

type Field = readonly [string, Value | readonly (readonly [string, Value])[]];

function resource(type: string, rule: NamedRule, fields: readonly Field[]): string[] {
  const lines: string[] = [];
  let run: (readonly [string, Value])[] = [];
  for (const [key, value] of fields) {
    if (!isBlock(value)) {
      run.push([key, value]);
      continue;
    }
    lines.push(...aligned(run, '  '), '', `  ${key} {`, ...aligned(value, '    '), '  }');
    run = [];
  }
  return [
    ...['', `# ${purposeOf(rule)}`],
    `resource "${type}" "${rule.name.replaceAll('-', '_')}" {`,
    ...[...lines, ...aligned(run, '  '), '}'],
  ];
}

function isBlock(value: Field[1]): value is readonly (readonly [string, Value])[] {
  return Array.isArray(value) && Array.isArray(value[0]);
}

/** @param known what the nodes tell, which another value may replace */
function variableBlock(cluster: FirewallCluster, what: string, description: string, known?: string): string[] {
  const fields = aligned(
    [
      ['type', { raw: 'string' }],
      ['description', description],
      ...(known === undefined ? [] : [['default', known] as const]),
    ],
    '  ',
  );
  return ['', `variable "${variableName(cluster, what)}" {`, ...fields, '}'];
}

/** As `terraform fmt` leaves it. */
function aligned(fields: readonly (readonly [string, Value])[], indent: string): string[] {
  const width = Math.max(0, ...fields.map(([key]) => key.length));
  return fields.map(([key, value]) => `${indent}${key.padEnd(width)} = ${written(value)}`);
}

function written(value: Value): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value);
  return 'raw' in value ? value.raw : `[${value.map(quoted).join(', ')}]`;
}

/** JSON's escapes are HCL's; beyond them HCL takes two beginnings for templates. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{');
}
