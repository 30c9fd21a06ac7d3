import { expect, it } from 'vitest';
import { parseContexts, parseList, parseSeries } from '../../src/commands/options/option-values.ts';
import { optionsOf } from '../../src/commands/options/shared-options.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { failureOf, jsonOf, runCli } from '../support/cli.ts';

it.each([
  ['clustermesh enable --contxt a', "unknown option '--contxt'", '(Did you mean --context?)'],
  ['clustermesh enabel', "unknown command 'enabel'", '→ Did you mean: meshctl clustermesh enable\n'],
  ['status --context a', "unknown command 'status'", '→ Did you mean: meshctl clustermesh status --context a\n'],
  ['mesh rotate --ca', "unknown command 'rotate'", '→ Did you mean: meshctl clustermesh certs rotate --ca\n'],
  ['certs rotate', "unknown command 'certs'", '→ Did you mean: meshctl clustermesh certs rotate\n'],
  ['certs', "unknown command 'certs'", '→ Did you mean: meshctl clustermesh certs\n'],
  [
    'list',
    "unknown command 'list'",
    '→ Did you mean:\n        meshctl clustermesh invitations list\n        meshctl clustermesh certs list\n        meshctl service list\n',
  ],
  ['service gloabl a/b', "unknown command 'gloabl'", '→ Did you mean: meshctl service global a/b\n'],
  ['vresion', "unknown command 'vresion'", '→ Did you mean: meshctl version\n'],
  ['--context a stauts', "unknown command 'stauts'", '→ Did you mean: meshctl clustermesh status --context a\n'],
  ['-q mesh --context a disabel', "unknown command 'disabel'", 'meshctl clustermesh disable -q --context a\n'],
  ['clustermesh enable --wait=false', 'clustermesh enable always waits', '--wait-duration 30s'],
  ['apply --no-wait', 'apply always waits', 'there is no --no-wait'],
  ['clustermesh firewall --wait=false', "unknown option '--wait=false'", ''],
  ['clustermesh status --wait=flase', '--wait: "flase" is not one of true, false', '--wait alone, or --wait=false'],
  ['clustermesh status -v=x', '--verbose: "x" is not a level from 0 to 9', 'as a number, e.g. --verbose=2'],
  ['clustermesh status -h=x', '--help: "x" is not one of true, false', '--help alone, or --help=false'],
  ['clustermesh check --color=never --all=yes', '--all: "yes" is not one of', ''],
  ['help clustermesh staus', "unknown command 'clustermesh staus'", 'mean: meshctl clustermesh status --help\n'],
  ['help zzz', "unknown command 'zzz'", '→ meshctl --help\n'],
  ['explain TLS-EXPIRYS', 'there is no id "TLS-EXPIRYS"', 'tls-expiry'],
  ['zzz', "unknown command 'zzz'", '→ meshctl --help\n'],
  ['hubble enable', "unknown command 'hubble'", '→ meshctl --help\n'],
  ['peers', "unknown command 'peers'", '→ meshctl --help\n'],
  ['sandbox start', "unknown command 'start'", '→ meshctl sandbox --help\n'],
  ['mesh vm', "unknown command 'vm'", '→ meshctl clustermesh --help\n'],
  ['service lst', "unknown command 'lst'", '→ Did you mean: meshctl service list\n'],
  ['connectivity test --context a --multi-cluster b --kubeconfig /nowhere', '/nowhere does not exist', ''],
  ['clustermesh render', "required option '--cilium-version <version>' not specified", ''],
  ['clustermesh enable mesh-1', 'too many arguments', '→ Did you mean: meshctl clustermesh enable --context mesh-1\n'],
  ['mesh connect a b c', 'too many arguments', '--context a --destination-context b,c --connection-mode mesh\n'],
  ['mesh connect a b c --connection-mode unicast', 'too many', '--destination-context b,c --connection-mode unicast\n'],
  ['mesh disconnect a b c', 'too many', 'clustermesh disconnect --context a --destination-context b,c\n'],
  ['clustermesh connect --context a b -q', 'too many', 'connect --destination-context b --context a -q\n'],
  ['connectivity probe a b', 'too many arguments', '→ Did you mean: meshctl connectivity probe --context a,b\n'],
  ['diff mesh.yaml -q', 'too many arguments', 'Did you mean: meshctl diff -f mesh.yaml -q\n'],
  [
    'clustermesh status --context a b',
    'too many arguments',
    '→ Did you mean: meshctl clustermesh status --context a,b\n',
  ],
  ['service list -n x --context=a, b -q', 'too many', '→ Did you mean: meshctl service list -n x --context a,b -q\n'],
  [
    'clustermesh connect --context a --destination-context b c, d -q',
    'too many arguments',
    '→ Did you mean: meshctl clustermesh connect --context a --destination-context b,c,d -q\n',
  ],
  ['mesh check --category tls peers --context=a b', 'too many', 'check --category tls,peers --context a,b\n'],
  ['sandbox up --provider gke eks', 'too many', '→ Did you mean: meshctl sandbox up --provider gke,eks\n'],
  ['mesh invite --context a b', 'too many arguments', '→ Add --help to see the options.\n'],
  ['connect --help', "unknown command 'connect'", '→ Did you mean: meshctl clustermesh connect --help\n'],
  ['mesh statu -h', "unknown command 'statu'", '→ Did you mean: meshctl clustermesh status -h\n'],
  ['nosuch --help', "unknown command 'nosuch'", '→ meshctl --help\n'],
  ['service nosuch --context a --help', "unknown command 'nosuch'", '→ meshctl service --help\n'],
  ['mesh certs renew --ca', "unknown command 'renew'", '→ Did you mean: meshctl clustermesh certs rotate --ca\n'],
  ['certs renew', "unknown command 'certs'", '→ Did you mean: meshctl clustermesh certs rotate\n'],
  ['renew', "unknown command 'renew'", '→ Did you mean: meshctl clustermesh certs rotate\n'],
  ['service enable a/b', "unknown command 'enable'", '→ Did you mean: meshctl service global a/b\n'],
  ['service status a/b', "unknown command 'status'", '→ Did you mean: meshctl service describe a/b\n'],
  ['service status --all', "unknown command 'status'", '→ Did you mean: meshctl service list --all\n'],
  ['service connect a/b', "unknown command 'connect'", '→ meshctl service --help\n'],
  ['service list default', 'too many arguments', '→ Add --help to see the options.\n'],
  ['clustermesh enable --context mesh-1,', '"mesh-1," has an empty entry', ''],
  ['clustermesh enable --service-annotation x', '"x" is not key=value', ''],
  [
    'clustermesh enable --service-type Ingress',
    '--service-type: "Ingress" is not one of LoadBalancer, NodePort, ClusterIP',
    '',
  ],
  ['clustermesh status --wait-duration 5', '"5" is not a duration', 'Write it like 90s, 5m or 1h30m.'],
  ['clustermesh status --parallel 0', '"0" is not a whole number of at least 1', ''],
  ['clustermesh status -o xml', '--output: "xml" is not one of summary', ''],
  ['clustermesh check --suppress tls-orphan-users', 'there is no check "tls-orphan-users"', 'are: tls-orphaned-users'],
  ['clustermesh connect --skip-checks nope', 'there is no check "nope"', 'are: '],
  ['clustermesh check --suppress nope --suppress tls-expiry,source-ranges', 'there is no check "nope"', 'are: '],
  ['clustermesh certs rotate --all --peer a --peer b', '--peer is given twice: "a" and "b"', '→ Give it once.\n'],
  [
    'clustermesh status -n a -n mesh-2=b',
    '--namespace is given twice: "a" and "mesh-2=b"',
    '→ Give it once, for several clusters like --namespace mesh-1=cilium,mesh-2=kube-system.\n',
  ],
  ['clustermesh enable --image=', '"" is not an image', ''],
  ['clustermesh enable --pull-secret Bad_Name', '"Bad_Name" is not a name', ''],
  ['clustermesh enable --replicas x', '--replicas: "x" is not a whole number', ''],
  ['clustermesh enable --cert-validity 1s', '--cert-validity: "1s" is too short', 'Give 24h or more'],
  ['clustermesh certs rotate --all --cert-validity 23h', '--cert-validity: "23h" is too short', 'Give 24h or more'],
  ['clustermesh enable --toleration dedicated', '--toleration: "dedicated" is not a taint', ''],
  ['clustermesh enable --toleration a=b:Never', '--toleration: "a=b:Never" is not a taint', ''],
  ['sandbox up --provider gke,gke --provider gke --clusters 2', '--provider names 3 providers for 2 clusters', ''],
  ['sandbox up --cilium-version 1.10.0', '"1.10.0" is not a Cilium version from 1.16', 'Give one such as'],
  ['completion tcsh', '"tcsh" is not one of bash, zsh, fish, powershell', ''],
  [
    'clustermesh status --context a --destination-context b -q',
    "unknown option '--destination-context'",
    '→ Did you mean: meshctl clustermesh status --context a,b -q\n',
  ],
  [
    'connectivity probe --destination-context=b,c --context=a --nodes 1',
    "unknown option '--destination-context=b,c'",
    '→ Did you mean: meshctl connectivity probe --context b,c,a --nodes 1\n',
  ],
  [
    'mesh check --destination-context b',
    "unknown option '--destination-context'",
    'by one flag, e.g. --context a,b.\n',
  ],
  ['mesh invite --destination-context b', "unknown option '--destination-context'", 'Add --help to see the options.\n'],
  [
    'completion',
    "missing required argument 'shell' (whose script: bash, zsh, fish or powershell)",
    '→ See how it is given: meshctl completion --help\n',
  ],
  [
    'service describe',
    "missing required argument 'service' (",
    '→ See how it is given: meshctl service describe --help\n',
  ],
  ['clustermesh', 'a command is missing', '→ meshctl clustermesh --help'],
  ['clustermesh certs', 'a command is missing', '→ meshctl clustermesh certs --help'],
])('says what is wrong with: meshctl %s', async (line, words, more) => {
  const { exitCode, says } = failureOf(await runCli(line.split(' ')));
  expect(exitCode).toBe(2);
  expect(says).toContain(words);
  expect(says).toContain(more);
});

/** What names a cluster or a namespace: of two, the one that is left out would be forgotten without a word. */
const LISTS: ReadonlySet<unknown> = new Set([parseList, parseSeries, parseContexts]);
const NAMING: ReadonlySet<string | undefined> = new Set(['peer', 'context', 'namespace']);

it('no flag loses a name: lists add up, and what takes one name is refused a second one', () => {
  const losing = COMMANDS.flatMap((command) =>
    optionsOf(command)
      .filter(({ parse, repeatable, complete, once }) =>
        LISTS.has(parse) ? repeatable !== 'lists' : NAMING.has(complete) && !once && !repeatable,
      )
      .map(({ flags }) => `${command.path.join(' ')} ${flags}`),
  );
  expect(losing).toEqual([]);
});

it('tells of all mistakes at once', async () => {
  const line = 'clustermesh enable --replicas x --service-type Ingress --context a --context b,';
  const { exitCode, says } = failureOf(await runCli(line.split(' ')));
  expect({ exitCode, says }).toEqual({
    exitCode: 2,
    says:
      '✖ --replicas: "x" is not a whole number of at least 1; --service-type: "Ingress" is not one of LoadBalancer, NodePort, ' +
      'ClusterIP; --context: "b," has an empty entry\n  → Add --help to see the options.\n',
  });
});

/** The words of the commands that take any number of clusters, all alike; `connect` and `disconnect` start from one. */
const SEVERAL = COMMANDS.filter(
  ({ options, reachesClusters }) =>
    reachesClusters &&
    options.some(({ flags }) => flags === '--all') &&
    !options.some(({ flags }) => flags.startsWith('--destination')),
).map(({ path, arguments: words = [] }) => [...path, ...words.map(() => 'default/web')].join(' '));

it.each(SEVERAL)('takes --context or --all, not both: meshctl %s', async (line) => {
  const { exitCode, says } = failureOf(await runCli([...line.split(' '), '--all', '--context', 'a']));
  expect({ exitCode, says }).toEqual({
    exitCode: 2,
    says: '✖ --all and --context cannot be used together\n  → Use only one of them.\n',
  });
});

it('says it in the format that was asked for', async () => {
  const asJson = await runCli(['clustermesh', 'render', '-o', 'json']);
  expect(jsonOf(asJson)).toMatchObject({ kind: 'Error', error: { code: 'Usage' } });
  expect(asJson).toMatchObject({ exitCode: 2, stderr: '' });
  const asYaml = await runCli(['clustermesh', 'render', '--output=yaml']);
  expect(asYaml).toMatchObject({ exitCode: 2, stderr: '' });
  expect(asYaml.stdout).toMatch(/^apiVersion: meshctl.io\/v1alpha1\nkind: Error\nerror:\n {2}code: Usage\n/);
});

const withJunit = COMMANDS.filter(({ options }) => options.some(({ choices }) => choices?.includes('junit')));

it.each(withJunit.map(({ path }) => [path.join(' ')]))(
  '%s -o junit has a failed case of whatever keeps it from a report: an empty one is taken for well',
  async (path) => {
    for (const [flag, type] of [
      ['--bogus', 'Usage'],
      ['--context=a,b', path === 'diff' ? 'Usage' : 'KubeconfigMissing'],
    ] as const) {
      const argv = [...path.split(' '), flag, ...(path === 'diff' ? ['-f', '/nowhere.yaml'] : []), '-o', 'junit'];
      const { exitCode, stdout, stderr } = await runCli(argv, { env: { KUBECONFIG: '/nowhere' } });
      expect(exitCode).toBeGreaterThan(0);
      expect(stderr).toContain('✖ ');
      expect(stdout).toContain('<testsuites tests="1" failures="1" skipped="0">');
      expect(stdout).toContain(`<testcase classname="meshctl" name="meshctl ${path}">\n      <failure type="${type}"`);
    }
  },
);
