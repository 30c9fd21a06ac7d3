import { shellWord } from '../../mesh/command-line.ts';
import type { FirewallCluster, FirewallPlatform, FirewallRules } from '../../mesh/network/firewall.ts';
import { groupBy } from '../../mesh/pairs.ts';
import {
  byDestination,
  clusterNote,
  familyOfRule,
  headNotes,
  identifier,
  inRemark,
  type NamedRule,
  nameOfEnds,
  PLATFORM_NAMES,
  PRIORITY_RANGE,
  purposeOf,
} from './firewall-words.ts';

type Variable = readonly [name: string, what: string, known?: string | undefined];

/** A cloud's command-line tool. */
interface Tool {
  platform: FirewallPlatform;
  notes: readonly string[];
  /** What the commands call, so that the script can be run again: a function of the shell. */
  preamble?: readonly string[];
  /** What only the operator knows of a cluster, by the name of the shell's variable; with what its nodes tell, where they do. */
  variables(cluster: FirewallCluster): readonly [Variable, ...Variable[]];
  commands(cluster: FirewallCluster, rules: readonly NamedRule[]): string[];
}

/** `MESH_1_NETWORK`. */
const variable = ({ name }: FirewallCluster, what: string) => `${identifier(name).toUpperCase()}_${what}`;

/**
 * `gcloud compute firewall-rules`: one rule for what always has the same ends, whatever these are, made or, by a later run,
 * brought up to date. Egress is open unless a rule closes it.
 */
const GCLOUD: Tool = {
  platform: 'gcloud',
  notes: [
    'Only you know the name of the network (VPC) of each cluster: set it in its variable. Rules are made in the project of its nodes;',
    'where another project shares the network with it, set that one in the variable that ends in _PROJECT.',
  ],
  preamble: [
    'allow() {',
    '  name=$1 project=$2 network=$3',
    '  shift 3',
    '  if gcloud compute firewall-rules describe "$name" --project "$project" >/dev/null 2>&1; then',
    '    gcloud compute firewall-rules update "$name" --project "$project" "$@"',
    '  else',
    '    gcloud compute firewall-rules create "$name" --project "$project" --network "$network" --direction INGRESS --action ALLOW "$@"',
    '  fi',
    '}',
  ],
  variables: (cluster) => [
    [variable(cluster, 'NETWORK'), `name of the VPC network of ${cluster.name}`],
    [variable(cluster, 'PROJECT'), `project of that network of ${cluster.name}`, cluster.within],
  ],
  commands: (cluster, rules) =>
    [...groupBy(rules, nameOfEnds)].flatMap(([name, group]) => {
      const [{ sources, destinations } = { sources: [], destinations: [] }] = group;
      const to = destinations.length > 0 ? ['--destination-ranges', destinations.join(',')] : [];
      const words = ['--rules', group.map(gcloudProtocol).join(','), '--source-ranges', sources.join(','), ...to];
      return [
        ...group.map((rule) => `# ${purposeOf(rule)}`),
        `allow ${name} "$${variable(cluster, 'PROJECT')}" "$${variable(cluster, 'NETWORK')}" ${words.map(shellWord).join(' ')}`,
      ];
    }),
};

function gcloudProtocol(rule: NamedRule): string {
  const { protocol, port } = rule;
  if (protocol === 'icmp' && familyOfRule(rule) === 6) return '58';
  return port === undefined ? protocol : `${protocol}:${port}`;
}

/**
 * `aws ec2 authorize-security-group-ingress`: a security group knows sources only. A call for each of them, since one that is
 * there already has the whole call refused.
 */
const AWS: Tool = {
  platform: 'aws',
  notes: [
    "Only you know the id of the security group of each cluster's nodes: set it in its variable. Network ACLs and the",
    'security group of a load balancer, if there is one, have to let the same through. Of clusters in several accounts each may have a',
    'profile of its own: set it in the variable that ends in _PROFILE.',
  ],
  preamble: [
    'allow() {',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's.
    '  if said=$(aws ec2 authorize-security-group-ingress --region "$1" ${2:+--profile "$2"} --group-id "$3" \\',
    '    --ip-permissions "$4" 2>&1); then',
    '    printf \'%s\\n\' "$said"',
    '  else',
    '    case $said in',
    '      *InvalidPermission.Duplicate*) ;;',
    '      *) printf \'%s\\n\' "$said" >&2; return 1 ;;',
    '    esac',
    '  fi',
    '}',
  ],
  variables: (cluster) => [
    [variable(cluster, 'SECURITY_GROUP'), `id (sg-...) of the security group of ${cluster.name}'s nodes`],
    [variable(cluster, 'REGION'), `region of ${cluster.name}`, cluster.within],
  ],
  commands: (cluster, rules) =>
    [...groupBy(rules, ({ from, sources }) => [from, sources].join(' ')).values()].flatMap((group) => {
      const permissions = group.flatMap((rule) => rule.sources.map((cidr) => awsPermission(rule, cidr)));
      const texts = [...new Set(permissions.map((permission) => JSON.stringify([permission])))];
      return [
        ...group.map((rule) => `# ${purposeOf(rule)}`),
        ...texts.map(
          (text) => `allow ${awsPlace(cluster)} "$${variable(cluster, 'SECURITY_GROUP')}" ${shellWord(text)}`,
        ),
      ];
    }),
};

/** Credentials for all accounts at once are rare: a profile where one is set. */
const awsPlace = (cluster: FirewallCluster) =>
  `"$${variable(cluster, 'REGION')}" "\${${variable(cluster, 'PROFILE')}:-}"`;

function awsPermission(rule: NamedRule, cidr: string): object {
  const { from, protocol, port, kind } = rule;
  const isV6 = familyOfRule(rule) === 6;
  const ports = {
    udp: { FromPort: port, ToPort: port },
    tcp: { FromPort: port, ToPort: port },
    // Type of the echo request; any code.
    icmp: { FromPort: isV6 ? 128 : 8, ToPort: -1 },
    esp: {},
    all: {},
  }[protocol];
  const name = { udp: 'udp', tcp: 'tcp', icmp: isV6 ? 'icmpv6' : 'icmp', esp: '50', all: '-1' }[protocol];
  const description = { Description: `meshctl ${kind} from ${inRemark(from)}` };
  const ranges = isV6
    ? { Ipv6Ranges: [{ CidrIpv6: cidr, ...description }] }
    : { IpRanges: [{ CidrIp: cidr, ...description }] };
  return { IpProtocol: name, ...ports, ...ranges };
}

/** `az network nsg rule create`, which brings up to date what has the name already. */
const AZ: Tool = {
  platform: 'az',
  notes: [
    "Only you know the name and the resource group of the network security group of each cluster's nodes: set them in their",
    `variables. Each rule has a priority of its own from ${PRIORITY_RANGE}, which no other rule in it may have.`,
  ],
  variables: (cluster) => [
    [variable(cluster, 'RESOURCE_GROUP'), `resource group of ${cluster.name}'s network security group`],
    [variable(cluster, 'NSG'), `name of the network security group of ${cluster.name}'s nodes`],
    [
      variable(cluster, 'SUBSCRIPTION'),
      `subscription of that network security group of ${cluster.name}`,
      cluster.within,
    ],
  ],
  commands: (cluster, rules) =>
    rules.flatMap((rule) => [
      `# ${purposeOf(rule)}`,
      `az network nsg rule create ${azPlace(cluster)} ${azWords(rule).map(shellWord).join(' ')}`,
    ]),
};

function azPlace(cluster: FirewallCluster): string {
  const [group, nsg, subscription] = ['RESOURCE_GROUP', 'NSG', 'SUBSCRIPTION'].map((what) => variable(cluster, what));
  return `--subscription "$${subscription}" --resource-group "$${group}" --nsg-name "$${nsg}"`;
}

function azWords(rule: NamedRule): string[] {
  const { name, priority, sources, destinations, port } = rule;
  return [
    ...['--name', name, '--priority', String(priority), '--direction', 'Inbound'],
    ...['--access', 'Allow', '--protocol', azProtocol(rule), '--source-address-prefixes', ...sources],
    ...['--source-port-ranges', '*', '--destination-address-prefixes', ...(destinations[0] ? destinations : ['*'])],
    ...['--destination-port-ranges', port === undefined ? '*' : String(port)],
  ];
}

/** As Azure spells a protocol, with its tool and in Terraform. */
export function azProtocol({ protocol }: NamedRule): string {
  return { udp: 'Udp', tcp: 'Tcp', icmp: 'Icmp', esp: 'Esp', all: '*' }[protocol];
}

const TOOLS = { gcloud: GCLOUD, aws: AWS, az: AZ } as const;

/** Whether a format is the commands of a cloud's tool. */
export function isTool(format: string): format is keyof typeof TOOLS {
  return format in TOOLS;
}

/**
 * A script of the cloud's own tool. Clusters that run on another cloud have no part in it, and it says so; one of which that
 * cannot be told has its rules where the operator sets its network, which does not keep the others', before it, from being made. It
 * ends with the first rule that is refused, and goes on from there when it is run again.
 */
export function firewallScript(report: FirewallRules, format: keyof typeof TOOLS): string {
  const { platform, notes, preamble = [], variables, commands } = TOOLS[format] satisfies Tool as Tool;
  const sections = byDestination(report);
  const on = (wanted: FirewallPlatform) => sections.filter(([cluster]) => cluster.platform === wanted);
  const lines = ([cluster, rules]: (typeof sections)[number]) => [
    ...variables(cluster).map(setLine),
    ...commands(cluster, rules),
  ];
  const own = on(platform).flatMap((section) => ['', `# ${clusterNote(section[0])}`, ...lines(section)]);
  const untold = on('unknown').flatMap((section) => {
    const [cluster] = section;
    const [[name, what]] = variables(cluster);
    return [
      ...['', `# ${clusterNote(cluster)} its nodes do not tell where it runs.`, `if [ -n "\${${name}:-}" ]; then`],
      ...[...lines(section), ...(own.length > 0 ? [] : ['made=yes'])].map((line) => `  ${line}`),
      ...['else', `  echo "left out: set ${name} to the ${inQuotes(what)}" >&2`, 'fi'],
    ];
  });
  const elsewhere = sections
    .filter(([cluster]) => cluster.platform !== platform && cluster.platform !== 'unknown')
    .flatMap(([{ name, platform: other }]) => [
      '',
      `# ${name} runs on ${PLATFORM_NAMES[other]}: its rules come with -o ${other}.`,
    ]);
  const head = headNotes(report, format, notes).map((line) => `# ${line}`);
  return [
    ...head,
    '',
    // Of a rule that was refused in between, the exit status of the last one would tell nothing.
    'set -e',
    ...(preamble.length > 0 ? ['', ...preamble] : []),
    ...elsewhere,
    ...own,
    // With nothing made at all it has failed.
    ...(untold.length > 0 && own.length === 0 ? ['', 'made=', ...untold, '', '[ -n "$made" ]'] : untold),
  ].join('\n');
}

function setLine([name, what, known]: Variable): string {
  return known === undefined ? `: "\${${name}:?set it to the ${inQuotes(what)}}"` : `: "\${${name}:=${known}}"`;
}

/** What means something within the quotes of a shell is left out: it is a name in a message. */
function inQuotes(text: string): string {
  return text.replace(/["$`\\{}]/g, '');
}
