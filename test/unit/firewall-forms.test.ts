import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type FirewallRule, firewallRules } from '../../src/mesh/network/firewall.ts';
import { fullGroups } from '../../src/mesh/network/security-groups.ts';
import { firewallNft } from '../../src/views/network/firewall-nft.ts';
import { firewallScript } from '../../src/views/network/firewall-scripts.ts';
import { firewallTerraform } from '../../src/views/network/firewall-terraform.ts';
import { byDestination } from '../../src/views/network/firewall-words.ts';
import { printable } from '../../src/views/printable.ts';
import { BALANCED, type Clusters, cluster, NATIVE } from '../support/firewall-clusters.ts';
import { loadBalancerService, serviceObject } from '../support/snapshots.ts';

const IPV6 = { ...NATIVE, 'enable-ipv6': 'true' };
/** Every kind of rule, of clusters on three clouds and one on none. */
const WIDE = firewallRules([
  cluster(1, { settings: { 'enable-wireguard': 'true' }, scheme: 'gce', live: BALANCED }),
  cluster(2, { settings: { 'enable-wireguard': 'true' }, scheme: 'aws', live: BALANCED }),
  cluster(3, { settings: { ...IPV6, 'enable-ipsec': 'true' }, scheme: 'azure' }),
  {
    ...cluster(4, { settings: IPV6 }),
    nodes: [
      { name: 'n', ready: true, labels: {}, podCidrs: [], addresses: [{ type: 'InternalIP', address: 'fd00:4::1' }] },
    ],
    ciliumPodCidrs: ['fd00:44::/64'],
  },
  {
    ...cluster(5, { settings: IPV6, scheme: 'aws' }),
    nodes: [
      {
        name: 'n',
        ready: true,
        labels: {},
        podCidrs: [],
        providerId: 'aws://z/i',
        addresses: [{ type: 'InternalIP', address: 'fd00:5::1' }],
      },
    ],
    ciliumPodCidrs: ['fd00:55::/64'],
  },
]);
// biome-ignore lint/suspicious/noTemplateCurlyInString: what others would take for a template.
const HOSTILE_NAME = '$(touch /tmp/x)`"\n${rm}\'%{x}';
const HOSTILE = printable(firewallRules([cluster(1, { name: HOSTILE_NAME }), cluster(2, { name: '9"; drop' })]));

/**
 * Runs a script with the cloud's tools replaced by one that prints its words; a line for each call.
 * @param fails the tool's last words for whatever call has these words
 * @param left variables that are not set
 */
function runOf(script: string, tool: string, fails?: { words: string; says: string }, left: readonly string[] = []) {
  const asked = [...script.matchAll(/(?:^ *: "|-n ")\$\{(\w+):[?-]/gm)].map(([, name]) => name ?? '');
  const variables = asked.filter((name) => !left.includes(name)).map((name) => `${name}=${name.toLowerCase()}`);
  const failing = fails ? `case "$*" in *"${fails.words}"*) echo '${fails.says}' >&2; return 254 ;; esac; ` : '';
  const stub = `${tool}() { ${failing}printf '%s\\t' "$@"; echo; }\n`;
  return spawnSync('sh', ['-c', `${stub}${variables.join('\n')}\n${script}`], { encoding: 'utf8' });
}

/** The calls of a script that comes to its end, as words. */
function callsOf(...given: Parameters<typeof runOf>): string[][] {
  const run = runOf(...given);
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
  return run.stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split('\t'));
}

/** The same clusters, and one that could not be asked. */
const PARTED: typeof WIDE = {
  ...WIDE,
  unreachable: [{ context: 'far', code: 'ClusterUnreachable', message: 'context "far": cannot reach the API server' }],
};

it.each([
  ...(['gcloud', 'aws', 'az'] as const).map((format) => [format, firewallScript(PARTED, format)]),
  ['terraform', firewallTerraform(PARTED)],
  ['nft', firewallNft(PARTED)],
])('%s: says of which cluster it lacks all rules, and of which command it is', (format, text) => {
  const contexts = [1, 2, 3, 4, 5].map((id) => `context-${id}`).join(',');
  expect(text).toContain(`\n#   meshctl clustermesh firewall --context ${contexts},far -o ${format}\n`);
  expect(text).toContain('\n# Missing here, with all its rules: context "far": cannot reach the API server.\n');
});

describe('variables', () => {
  const ALIKE: readonly (readonly [string, string, string])[] = [
    ['names that begin alike', 'production-europe-west-1', 'production-europe-west-2'],
    [
      'contexts of EKS',
      'arn:aws:eks:eu-central-1:111122223333:cluster/a',
      'arn:aws:eks:eu-central-1:111122223333:cluster/b',
    ],
    ['contexts of GKE', 'gke_my-project-123_europe-west1_a', 'gke_my-project-123_europe-west1_b'],
    ['other signs', 'a.b', 'a-b'],
    ['two hyphens', 'a--b', 'a-b'],
    ['other cases', 'Admin', 'admin'],
    ['a digit first', '1a', 'c-1a'],
    ['no sign that is left', '…', '***'],
  ];
  const named = (scheme: string | undefined, ...names: string[]) =>
    firewallRules(names.map((name, index) => cluster(index + 1, { name, ...(scheme ? { scheme } : {}) })));
  const setIn = (text: string) => [...text.matchAll(/\$\{(\w+):[?=]|^(?:variable "| {2}meshctl_into_)(\w+)/gm)];
  const variablesOf = (text: string) => setIn(text).map(([, shell, terraform]) => shell ?? terraform ?? '');

  it.each(ALIKE)('are of one cluster each: %s', (_what, one, other) => {
    const forms: readonly ((report: ReturnType<typeof firewallRules>) => string)[] = [
      ...(['gcloud', 'aws', 'az'] as const).map((format) => (report: typeof WIDE) => firewallScript(report, format)),
      firewallTerraform,
    ];
    for (const scheme of [undefined, 'gce', 'aws', 'azure']) {
      for (const form of forms) {
        const variables = variablesOf(form(named(scheme, one, other)));
        expect(new Set(variables).size).toBe(variables.length);
        for (const name of variables) expect(name).toMatch(/^[A-Za-z]\w*$/);
      }
    }
  });

  it('are the same with whatever other clusters there are', () => {
    for (const [, one, other] of ALIKE) {
      const both = variablesOf(firewallScript(named('gce', one, other), 'gcloud'));
      expect(both).toEqual(
        expect.arrayContaining(variablesOf(firewallScript(named('gce', one, 'mesh-9'), 'gcloud')).slice(0, 1)),
      );
    }
    expect(variablesOf(firewallScript(named('gce', 'mesh-1', 'mesh-2'), 'gcloud'))).toContain('MESH_1_NETWORK');
  });

  it('and remarks tell clusters apart, and are no longer than nft takes', () => {
    for (const [, one, other] of ALIKE.slice(0, 3)) {
      const long = named(undefined, `${'x'.repeat(80)}${one}`, other);
      const [first, ...later] = [one, other].map((name) => firewallNft(named(undefined, name, 'mesh-9')));
      expect(later.map((text) => /comment ".*"/.exec(text)?.[0])).not.toContain(/comment ".*"/.exec(first ?? '')?.[0]);
      for (const [, words = ''] of firewallNft(long).matchAll(/comment "(.*)"/g))
        expect(words.length).toBeLessThan(128);
    }
  });
});

describe('as commands', () => {
  it.each(['gcloud', 'aws', 'az'] as const)(
    '%s: a script that a shell takes, whatever clusters are called',
    (format) => {
      for (const report of [WIDE, HOSTILE]) {
        execFileSync('sh', ['-n'], { input: firewallScript(report, format) });
        expect(callsOf(firewallScript(report, format), format).length).toBeGreaterThan(0);
      }
      expect(spawnSync('sh', ['-e', '-c', firewallScript(WIDE, format)], { encoding: 'utf8' }).stderr).toMatch(
        /MESH_\d_\w+: set it to/,
      );
    },
  );

  const isNew = { words: ' describe ', says: 'NOT_FOUND' };
  /** Of the rule of a kind between two clusters. */
  const endsOf = (kind: string, { from, to }: FirewallRule) => {
    const { rules } = firewallRules([1, 2].map((id) => cluster(id, { live: BALANCED })));
    const { sources = [], destinations = [] } =
      rules.find((one) => one.kind === kind && one.from === from && one.to === to) ?? {};
    return { sources, destinations };
  };

  it.each(['gcloud', 'aws', 'az'] as const)('%s: a rule that is refused in between fails the script', (format) => {
    const script = firewallScript(WIDE, format);
    const [first = [], ...later] = callsOf(script, format);
    const words = format === 'aws' ? '51871' : (first[format === 'az' ? first.indexOf('--name') + 1 : 3] ?? '');
    expect(later.at(-1)?.join(' ')).not.toContain(words);
    const { status, stderr } = runOf(script, format, { words, says: 'quota exceeded' });
    expect({ status, stderr }).toEqual({ status: format === 'aws' ? 1 : 254, stderr: 'quota exceeded\n' });
  });

  it('gcloud: one rule for what has the same ends, names that it takes', () => {
    const script = firewallScript(WIDE, 'gcloud');
    const calls = callsOf(script, 'gcloud', isNew);
    expect(calls.map((words) => words.join(' '))).toContainEqual(
      expect.stringMatching(
        /^compute firewall-rules create meshctl-mesh-2-to-mesh-1-[0-9a-f]{6} --project project-1 --network mesh_1_network --direction INGRESS --action ALLOW --rules udp:8472,udp:51871,tcp:4240,icmp --source-ranges 172\.18\.2\.0\/30 --destination-ranges 172\.18\.1\.0\/30$/,
      ),
    );
    for (const [, , , name] of [...calls, ...callsOf(firewallScript(HOSTILE, 'gcloud'), 'gcloud', isNew)]) {
      expect(name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
    }
    expect(script).toContain('# mesh-2 runs on AWS: its rules come with -o aws.');
  });

  it('gcloud: the next run brings the same rules up to date, with what else there may be by then', () => {
    const names = (report: ReturnType<typeof firewallRules>, fails?: typeof isNew) =>
      callsOf(firewallScript(report, 'gcloud'), 'gcloud', fails).map(([, , verb, name]) => `${verb} ${name}`);
    const made = names(WIDE, isNew);
    expect(new Set(made).size).toBe(made.length);
    expect(names(WIDE)).toEqual(made.map((call) => call.replace('create', 'update')));
    const [one, two, added] = [1, 2, 3].map((id) => cluster(id, { live: BALANCED })) as [Clusters, Clusters, Clusters];
    const before = names(firewallRules([one, two]), isNew);
    expect(names(firewallRules([added, one, two]), isNew)).toEqual(expect.arrayContaining(before));
    const alike = ['production-europe-west-1-a', 'production-europe-west-1-b'];
    const long = names(firewallRules([one, ...alike.map((name, index) => cluster(index + 2, { name }))]), isNew);
    expect(new Set(long).size).toBe(long.length);
  });

  it.each<[string, (rule: FirewallRule) => FirewallRule[], isGone?: boolean]>([
    ['the server at another port too', (rule) => [{ ...rule, port: 2380 }, rule]],
    ['the server among the nodes', (rule) => [{ ...rule, ...endsOf('tunnel', rule) }]],
    ['the server by name too', (rule) => [{ ...rule, destinations: [], hostnames: ['lb.example.net'] }, rule]],
    ['nothing of the server', () => [], true],
  ])(
    'gcloud: what a rule lets through goes by the same name with another one: %s',
    (_what, servers, isGone = false) => {
      const report = firewallRules([1, 2].map((id) => cluster(id, { live: BALANCED })));
      const changed = (first: boolean) => {
        const rules = report.rules.filter(({ kind }) => kind !== 'apiserver');
        const added = report.rules.filter(({ kind }) => kind === 'apiserver').flatMap(servers);
        return { ...report, rules: first ? [...added, ...rules] : [...rules, ...added] };
      };
      const named = (of: ReturnType<typeof firewallRules>) =>
        callsOf(firewallScript(of, 'gcloud'), 'gcloud', isNew).flatMap((words) =>
          (words[words.indexOf('--rules') + 1] ?? '').split(',').map((what) => `${words[3]} ${what}`),
        );
      const kept = named(report).filter((line) => !isGone || !line.endsWith(':2379'));
      for (const first of [true, false]) {
        const names = named(changed(first));
        expect(new Set(names).size).toBe(names.length);
        expect(names).toEqual(expect.arrayContaining(kept));
      }
    },
  );

  it.each([
    ['gcloud', 'gce', '--project', ['project-1', 'project-2']],
    ['aws', 'aws', '--region', ['eu-west-1', 'eu-west-2']],
    ['az', 'azure', '--subscription', ['00000001-0000-0000-0000-000000000000', '00000002-0000-0000-0000-000000000000']],
  ] as const)(
    '%s: rules are made where the cluster is, and not where the tool is set to',
    (format, scheme, flag, places) => {
      const script = firewallScript(firewallRules([1, 2].map((id) => cluster(id, { scheme, live: BALANCED }))), format);
      const placesOf = (text: string) => {
        const calls = callsOf(text, format).map((words) => words[words.indexOf(flag) + 1]);
        return [...new Set(calls)];
      };
      expect(placesOf(script)).toEqual(places);
      const name = `MESH_2_${flag.slice(2).toUpperCase()}`;
      expect(placesOf(`${name}=shared\n${script}`)).toEqual([places[0], 'shared']);
      const untold = firewallScript(firewallRules([1, 2].map((id) => cluster(id, { scheme: 'kind' }))), format);
      expect(untold).toContain(`\${${name}:?set it to the `);
    },
  );

  it.each([
    ['gcloud', 'gce', 'NETWORK'],
    ['aws', 'aws', 'SECURITY_GROUP'],
    ['az', 'azure', 'RESOURCE_GROUP'],
  ] as const)('%s: a cluster on no cloud that is known takes nothing from the others', (format, scheme, what) => {
    const others = [2, 3].map((id) => cluster(id, { scheme, live: BALANCED }));
    const script = firewallScript(firewallRules([cluster(1, { live: BALANCED }), ...others]), format);
    const { status, stdout, stderr } = runOf(script, format, undefined, [`MESH_1_${what}`]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^left out: set MESH_1_\w+ to the .*\n$/),
    });
    const all = callsOf(script, format);
    const made = stdout.trim().split('\n');
    expect(made.length).toBeGreaterThan(0);
    // In front of those of the cluster of which nobody knows.
    expect(all.slice(0, made.length).map((words) => words.join('\t'))).toEqual(made.map((line) => line.trim()));
    expect(all.length).toBeGreaterThan(made.length);
    const none = firewallScript(firewallRules([1, 2].map((id) => cluster(id))), format);
    expect(
      runOf(
        none,
        format,
        undefined,
        [1, 2].map((id) => `MESH_${id}_${what}`),
      ).status,
    ).toBe(1);
    expect(runOf(none, format, undefined, [`MESH_1_${what}`]).status).toBe(0);
    // One of its own cloud has its variable set, or nothing is made.
    const unset = runOf(script, format, undefined, [`MESH_2_${what}`]);
    expect(unset).toMatchObject({ stdout: '', stderr: expect.stringContaining(`MESH_2_${what}: set it to the `) });
    expect(unset.status).not.toBe(0);
  });

  it('nothing has to be set for a cluster without rules', () => {
    const nodes = cluster(1, { scheme: 'gce' }).nodes.map((node) => ({ ...node, addresses: [] }));
    const report = firewallRules([{ ...cluster(1, { scheme: 'gce' }), nodes }, cluster(2, { scheme: 'gce' })]);
    for (const text of [firewallScript(report, 'gcloud'), firewallTerraform(report)]) {
      expect(text).not.toMatch(/mesh_1_network/i);
    }
  });

  it('aws: with the profile of an account, where one is set', () => {
    const script = firewallScript(firewallRules([1, 2].map((id) => cluster(id, { scheme: 'aws' }))), 'aws');
    const profiles = callsOf(`MESH_2_PROFILE='of b'\n${script}`, 'aws').map((words) => {
      const index = words.indexOf('--profile');
      return index < 0 ? '' : words[index + 1];
    });
    expect([...new Set(profiles)]).toEqual(['', 'of b']);
  });

  it('aws: what is there already is passed over, and what else fails is said', () => {
    const script = firewallScript(WIDE, 'aws');
    const all = callsOf(script, 'aws');
    const fails = { words: '8472', says: 'An error occurred (InvalidPermission.Duplicate) when calling' };
    const left = callsOf(script, 'aws', fails);
    expect(left).toEqual(all.filter((words) => !words.join(' ').includes('8472')));
    expect(left.length).toBeLessThan(all.length);
    const ranges = all.flatMap((words) => JSON.parse(words.at(-1) ?? '') as Record<string, unknown[]>[]);
    expect(ranges.every(({ IpRanges = [], Ipv6Ranges = [] }) => IpRanges.length + Ipv6Ranges.length === 1)).toBe(true);
    expect(() => callsOf(script, 'aws', { ...fails, says: 'ExpiredToken' })).toThrow(/ExpiredToken/);
  });

  it('aws: permissions as its API has them', () => {
    const permissions = callsOf(firewallScript(WIDE, 'aws'), 'aws').flatMap(
      (words) => JSON.parse(words.at(-1) ?? '') as Record<string, unknown>[],
    );
    const from = (cidr: string, kind: string, from: number) => [
      { CidrIp: cidr, Description: `meshctl ${kind} from mesh-${from}` },
    ];
    expect(permissions).toContainEqual({
      ...{ IpProtocol: 'udp', FromPort: 8472, ToPort: 8472 },
      IpRanges: from('172.18.1.0/30', 'tunnel', 1),
    });
    expect(permissions).toContainEqual({
      ...{ IpProtocol: 'icmp', FromPort: 8, ToPort: -1 },
      IpRanges: from('172.18.1.0/30', 'ping', 1),
    });
    expect(permissions).toContainEqual(expect.objectContaining({ IpProtocol: '50' }));
    expect(permissions).toContainEqual(expect.objectContaining({ IpProtocol: 'icmpv6', FromPort: 128 }));
  });

  it('az: a priority for each rule', () => {
    const calls = callsOf(firewallScript(WIDE, 'az'), 'az');
    const priorities = calls.map((words) => words[words.indexOf('--priority') + 1]);
    expect(new Set(priorities).size).toBe(calls.length);
    const words = calls.map((call) => call.join(' '));
    expect(words).toContainEqual(
      expect.stringContaining(
        '--protocol Udp --source-address-prefixes 172.18.1.0/30 --source-port-ranges * --destination-address-prefixes 172.18.3.0/30 --destination-port-ranges 8472',
      ),
    );
  });
});

describe('of a later run', () => {
  const calls = (report: ReturnType<typeof firewallRules>) =>
    callsOf(firewallScript(report, 'az'), 'az').map((words) => words.slice(0, words.indexOf('--direction')).join(' '));
  const blocks = (report: ReturnType<typeof firewallRules>) =>
    [...firewallTerraform(report).matchAll(/^resource [\s\S]*?^}$/gm)].map(([text]) => text);

  it.each([
    ['az', calls, undefined],
    ['Terraform for Azure', blocks, 'azure'],
    ['Terraform for Google Cloud', blocks, 'gce'],
    ['Terraform for AWS', blocks, 'aws'],
  ] as const)('%s has what was there under the same name and number, with whatever else', (_form, of, scheme) => {
    const mesh = (ids: readonly number[], live = BALANCED) =>
      of(firewallRules(ids.map((id) => cluster(id, { live, ...(scheme ? { scheme } : {}) }))));
    const before = mesh([1, 2]);
    expect(before.length).toBeGreaterThan(6);
    expect(mesh([9, 1, 3, 2])).toEqual(expect.arrayContaining(before));
    // The first rule is another one: no address is known any more.
    expect(before).toEqual(expect.arrayContaining(mesh([2, 1], [])));
    const many = mesh([1, 2, 3, 4, 5, 6]);
    expect(new Set(many.map((text) => text.split('\n')[0])).size).toBe(many.length);
  });

  it('no two rules into one cluster have the same priority', () => {
    const many = firewallRules(Array.from({ length: 40 }, (_, index) => cluster(index + 1, { live: BALANCED })));
    for (const [, rules] of byDestination(many)) {
      expect(new Set(rules.map(({ priority }) => priority)).size).toBe(rules.length);
      for (const { priority } of rules) expect(priority).toBeLessThan(4000);
    }
  });
});

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

describe('as Terraform', () => {
  it("has each cluster's cloud, and no template of another's words", () => {
    const text = firewallTerraform(WIDE);
    expect(text).toContain('resource "google_compute_firewall" "meshctl_mesh_2_to_mesh_1_');
    expect(text).toContain('resource "aws_vpc_security_group_ingress_rule" "meshctl_mesh_1_to_mesh_2_');
    expect(text).toContain('resource "azurerm_network_security_rule" "meshctl_mesh_1_to_mesh_3_');
    expect(text).toContain('meshctl_into_mesh_4 = [');
    expect(firewallTerraform(HOSTILE)).not.toMatch(/^[^#]*[^$]\$\{/m);
  });

  it('has the project of each cluster, and a provider for each where regions or subscriptions go by it', () => {
    const of = (scheme: string, ids = [1, 2]) =>
      firewallTerraform(firewallRules(ids.map((id) => cluster(id, { scheme, live: BALANCED }))));
    expect(of('gce')).toMatch(/variable "mesh_2_project" \{\n.*\n.*\n {2}default += {1,2}"project-2"\n/);
    expect(of('gce')).toMatch(/^ {2}project += {1,2}var\.mesh_2_project$/m);
    for (const [scheme, provider] of [
      ['aws', 'aws'],
      ['azure', 'azurerm'],
    ] as const) {
      const text = of(scheme);
      expect(text).toContain(
        `# Declare a provider, by its alias, for each of: ${provider}.mesh_1, ${provider}.mesh_2.`,
      );
      expect(text.match(/^ {2}provider += /gm)).toHaveLength(text.match(/^resource /gm)?.length ?? -1);
    }
    const alone = firewallTerraform(firewallRules([cluster(1, { scheme: 'aws' }), cluster(2, { scheme: 'azure' })]));
    expect(alone).not.toMatch(/provider +=|Declare/);
  });

  it.skipIf(!has('terraform')).each([
    ['a mesh', WIDE],
    ['hostile names', HOSTILE],
  ])('%s is as terraform fmt leaves it', (_what, report) => {
    const text = `${firewallTerraform(report)}\n`;
    expect(execFileSync('terraform', ['fmt', '-'], { input: text, encoding: 'utf8', stdio: 'pipe' })).toBe(text);
  });
});

describe('for nftables', () => {
  const lines = firewallNft(WIDE).split('\n');
  it("are rules in chains of their own, in front of the operator's", () => {
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^add rule inet filter meshctl-mesh-1-to-mesh-2-[0-9a-f]{6}-input ip saddr \{ 172\.18\.1\.0\/30 \} ip daddr \{ 172\.18\.2\.0\/30 \} udp dport 8472 accept comment "meshctl tunnel mesh-1 to mesh-2"$/,
      ),
    );
    expect(lines).toContainEqual(
      expect.stringContaining(
        '-input ip6 saddr { fd00:4::1/128 } ip6 daddr { fd00:5::1/128 } icmpv6 type echo-request',
      ),
    );
    expect(lines).toContainEqual(
      expect.stringContaining('-forward ip6 saddr { fd00:44::/64, fd00:4::1/128 } ip6 daddr { fd00:55::/64 } accept'),
    );
    const rule =
      /^(#.*|(add|flush) chain inet filter CHAIN-(input|forward)|insert rule inet filter (input jump CHAIN-input|forward jump CHAIN-forward)|add rule inet filter CHAIN-(input|forward) ip6? saddr \{ [0-9a-f:./, ]+ \} (meta l4proto tcp ct status dnat )?((ct original )?ip6? daddr \{ [0-9a-f:./, ]+ \} )?((udp|tcp) dport \d+ |ct original proto-dst \d+ |icmp(v6)? type echo-request |meta l4proto esp )?accept comment "[a-z0-9 -]+")?$/;
    const own = (line: string) => line.replace(/meshctl-[a-z0-9-]+-to-[a-z0-9-]+-[0-9a-f]{6}(?=-)/g, 'CHAIN');
    for (const line of [...lines, ...firewallNft(HOSTILE).split('\n')]) expect(own(line)).toMatch(rule);
  });

  it.each([
    [
      'a NodePort',
      serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] }),
      '203.0.113.21/32, 203.0.113.22/32',
      32379,
    ],
    ['a load balancer', loadBalancerService('198.51.100.7'), '198.51.100.7/32', 2379],
  ])('let in who dials %s also where kube-proxy sends it on to a pod', (_what, service, dialled, port) => {
    const text = firewallNft(firewallRules([cluster(1), cluster(2, { live: [service] })]));
    const from = 'ip saddr { 172.18.1.0/30 }';
    expect(text).toContain(`-input ${from} ip daddr { ${dialled} } tcp dport ${port} accept`);
    expect(text).toContain(
      `-forward ${from} meta l4proto tcp ct status dnat ct original ip daddr { ${dialled} } ct original proto-dst ${port} accept`,
    );
    expect(text.match(/ct status dnat/g)).toHaveLength(1);
  });

  it('of a later run take the place of those between the same clusters, and of no others', () => {
    const textOf = (...ids: number[]) => firewallNft(firewallRules(ids.map((id) => cluster(id, { settings: NATIVE }))));
    const emptied = (text: string) => [...text.matchAll(/^flush chain inet filter (\S+)$/gm)].map(([, chain]) => chain);
    const both = emptied(textOf(1, 2));
    expect(new Set(both).size).toBe(4);
    expect(emptied(textOf(3, 2, 1))).toEqual(expect.arrayContaining(both));
    expect(emptied(textOf(1, 3)).filter((chain) => both.includes(chain))).toEqual([]);
    // Also what a chain has nothing for any more: with a tunnel nothing goes to pods.
    expect(emptied(firewallNft(firewallRules([cluster(1), cluster(2)])))).toEqual(both);
    for (const chain of both) {
      const order = ['add chain', 'flush chain', 'add rule'].map((words) =>
        textOf(1, 2).indexOf(`${words} inet filter ${chain}`),
      );
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(order[0]).toBeGreaterThan(0);
    }
  });

  it.skipIf(!has('nft'))('nft takes them', () => {
    const chains = ['input', 'forward'].map((chain) => `add chain inet filter ${chain}\n`);
    const input = `add table inet filter\n${chains.join('')}${firewallNft(WIDE)}\n`;
    execFileSync('nft', ['-c', '-f', '-'], { input });
  });
});

describe('a security group of AWS', () => {
  const mesh = (count: number, more = {}) =>
    firewallRules(
      Array.from({ length: count }, (_, index) => cluster(index + 1, index < 2 ? { scheme: 'aws', ...more } : {})),
    );

  it('is said to be full where all rules into a cluster are more than 60 of an IP family', () => {
    const rules = mesh(22);
    // Of each other cluster's nodes: tunnel, health and echo requests.
    expect(fullGroups(rules).map(({ says }) => says)).toEqual([
      expect.stringMatching(/^these are 63 inbound rules for IPv4 in a security group, which takes 60 unless/),
      expect.stringMatching(/^these are 63 /),
    ]);
    for (const script of [firewallScript(rules, 'aws'), firewallTerraform(rules)]) {
      expect(script).toMatch(
        /^# Too many: context "context-1": these are 63 inbound rules for IPv4 .*\.\n(# .*\n)*# Raise the quota/m,
      );
    }
    expect(firewallScript(rules, 'gcloud')).not.toContain('Too many');
    // What is said is what the script calls for.
    expect(firewallScript(rules, 'aws').match(/^allow "/gm)).toHaveLength(2 * 63);
  });

  it('takes as many of each family', () => {
    expect(fullGroups(mesh(21))).toEqual([]);
    const six = (rule: FirewallRule) => ({
      ...rule,
      sources: rule.sources.map((cidr) => `fd00:${cidr.replace(/[./]/g, ':')}::/64`),
    });
    const { clusters, rules } = mesh(21);
    expect(fullGroups({ clusters, rules: [...rules, ...rules.map(six)] })).toEqual([]);
  });
});
