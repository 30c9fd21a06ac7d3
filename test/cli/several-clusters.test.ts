import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import { type CliResult, failureOf, jsonOf, runCli } from '../support/cli.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Which clusters a command is about: by flags, by contexts of a kubeconfig as people have them. */
interface Kubeconfig {
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: { name: string; cluster: Record<string, string> }[];
  users: { name: string; user: Record<string, string> }[];
}

let sandbox: TestSandbox;
let intercept: (context: string, request: InterceptedRequest) => void = () => undefined;
/** mesh-1, mesh-2, mesh-3 (Cilium in namespace cilium). */
let plain: string;
/** The same behind a stale context of mesh-1, with an alias of mesh-2, and a cluster that is down. */
let grown: string;
/** The same without mesh-3. */
let two: string;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: 3,
    nodes: 1,
    intercept: async (context, request) => {
      intercept(context, request);
      return undefined;
    },
  });
  const run = (argv: string[]) => runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } });
  expect((await run(enable('mesh-1,mesh-2'))).exitCode).toBe(0);
  expect((await run(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  for (const { store, name } of sandbox.clusters) {
    const spec = { selector: { app: 'plain' }, ports: [{ port: 80 }] };
    const metadata = { name: 'plain', namespace: 'default' };
    if (name !== 'mesh-3') store.create({ apiVersion: 'v1', kind: 'Service', metadata, spec });
  }
  moveCilium('mesh-3', 'cilium');
  plain = sandbox.kubeconfigPath;
  const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
  const of = (name: string) =>
    found(
      config.contexts.find((context) => context.name === name),
      name,
    ).context;
  config.users.push({ name: 'stale', user: { token: 'expired' } });
  config.clusters.push({ name: 'down', cluster: { server: 'https://127.0.0.1:9' } });
  config.contexts.unshift({ name: 'a-stale', context: { ...of('mesh-1'), user: 'stale' } });
  config.contexts.push(
    { name: 'alias', context: of('mesh-2') },
    { name: 'down', context: { cluster: 'down', user: 'stale' } },
    { name: 'torn', context: { cluster: 'nowhere', user: 'stale' } },
  );
  grown = join(dirname(plain), 'grown.yaml');
  await writeFile(grown, stringify(config));
  two = join(dirname(plain), 'grown-two.yaml');
  await writeFile(two, stringify(withoutThird(config)));
});

beforeEach(() => {
  intercept = () => undefined;
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

function withoutThird({ contexts, ...config }: Kubeconfig): Kubeconfig {
  return { ...config, contexts: contexts.filter(({ name }) => name !== 'mesh-3') };
}

/** As on OpenShift. */
function moveCilium(context: string, namespace: string): void {
  const { store } = found(
    sandbox.clusters.find((cluster) => cluster.context === context),
    context,
  );
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  for (const ref of [refs.configMap('cilium-config'), { ...refs.deployment('cilium'), kind: 'DaemonSet' }]) {
    const { metadata, ...object } = found(store.get(ref), ref.name) as KubeObject;
    const { name, labels } = metadata;
    store.delete(ref);
    store.create({ ...object, metadata: { name, namespace, ...(labels ? { labels } : {}) } } as KubeObject);
  }
}

const meshctl = (line: string, kubeconfig = plain): Promise<CliResult> =>
  runCli(line.split(' '), { env: { KUBECONFIG: kubeconfig } });

/** The contexts of which certificates are listed. */
async function listed(flags: string, kubeconfig = plain) {
  const result = await meshctl(`clustermesh certs list ${flags} -o json`, kubeconfig);
  const { certificates, unreachable = [] } = jsonOf(result) as Record<string, { context: string }[]>;
  const contexts = (list: { context: string }[] = []) => [...new Set(list.map(({ context }) => context))];
  return { ...result, contexts: contexts(certificates), unreachable: contexts(unreachable) };
}

describe('--context', () => {
  it.each([
    ['several times', '--context mesh-1 --context mesh-2'],
    ['as a list', '--context mesh-1,mesh-2'],
    ['as a glob', '--context mesh-[12],mesh-1 --context mesh-2'.replace('mesh-[12],', '')],
    ['as globs, each cluster once', '--context mesh-? --context *-1'],
  ])('is taken %s', async (_how, flags) => {
    const { contexts, exitCode } = await listed(flags);
    expect({ contexts, exitCode }).toEqual({ contexts: ['mesh-1', 'mesh-2'], exitCode: 0 });
  });

  it.each([
    ['clustermesh connect --context mesh-1 --context mesh-2 --destination-context mesh-3', '--context is given twice'],
    ['clustermesh certs list --context nope-*', 'matches "nope-*"'],
    [
      'clustermesh connect --context mesh-1,mesh-2,mesh-3',
      'connect --context mesh-1 --destination-context mesh-2,mesh-3 --connection-mode mesh\n',
    ],
    [
      'clustermesh disconnect --context mesh-1,mesh-2,mesh-3 --yes',
      'Did you mean: meshctl clustermesh disconnect --yes --context mesh-1 --destination-context mesh-2,mesh-3\n',
    ],
    ['clustermesh certs list --context mesh-1 --all', '--all and --context cannot be used together'],
  ])('is refused where it cannot be meant: %s', async (line, words) => {
    const { exitCode, says } = failureOf(await meshctl(line));
    expect(says).toContain(words);
    expect(exitCode).toBe(2);
  });

  it('is told of each name that the kubeconfig does not have', async () => {
    const { exitCode, stderr } = await meshctl('clustermesh enable --context gke,mesh-1,eks --as-group a --as b');
    expect(exitCode).toBe(2);
    for (const name of ['gke', 'eks']) expect(stderr.split(`context "${name}" is not in kubeconfig`)).toHaveLength(2);
  });

  it.each([
    'clustermesh enable --dry-run',
    'clustermesh disable --dry-run',
    'clustermesh helm-values',
    'clustermesh certs rotate --dry-run',
    'clustermesh check --pre',
    'clustermesh graph',
    'clustermesh routes',
    'clustermesh status',
    'service list',
  ])('names two contexts of one cluster once, and says so: meshctl %s', async (line) => {
    const { stderr, stdout } = await meshctl(`${line} --context mesh-2,alias`, grown);
    expect(stderr).toContain('contexts "mesh-2" and "alias" are the same cluster: "mesh-2" is used');
    expect(stdout).not.toContain('alias');
  });

  it('does not connect a cluster with itself by another name', async () => {
    const { exitCode, says } = failureOf(await meshctl(connect('mesh-2', 'alias').join(' '), grown));
    expect(exitCode).toBe(2);
    expect(says).toContain('contexts "mesh-2" and "alias" are the same cluster');
  });
});

describe('--all', () => {
  it('asks first: the first context of a cluster that works is used, and nothing is dropped without a word', async () => {
    const { contexts, unreachable, exitCode, stderr } = await listed('--all', grown);
    expect(contexts).toEqual(['mesh-1', 'mesh-2', 'mesh-3'].slice(0, 2).concat(contexts.slice(2)));
    expect(unreachable).toEqual(['down', 'torn']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/context "a-stale" is left out: .*"mesh-1" leads to the same server/);
    expect(stderr).toContain('contexts "mesh-2" and "alias" are the same cluster: "mesh-2" is used');
  });

  it.each([
    ['clustermesh check', 'stdout'],
    ['clustermesh status', 'stdout'],
    ['clustermesh certs list', 'stdout'],
    ['clustermesh certs rotate --dry-run', 'stderr'],
    ['clustermesh enable --replace-ca --dry-run', 'stdout'],
    ['clustermesh disable --dry-run', 'stderr'],
  ] as const)('takes the cluster that is down for the peer that nobody knows: meshctl %s', async (line, stream) => {
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    config.contexts = config.contexts.filter(({ name }) => name === 'mesh-1');
    config.clusters.push({ name: 'down', cluster: { server: 'https://127.0.0.1:9' } });
    config.contexts.push({ name: 'two', context: { cluster: 'down', user: config.users[0]?.name ?? '' } });
    const half = join(dirname(plain), 'half.yaml');
    await writeFile(half, stringify(config));
    const one = found(sandbox.clusters[0], 'mesh-1');
    const ref = refs.secret('cilium-kvstoremesh');
    const before = structuredClone(found(one.store.get(ref), 'peering Secret').data) as Record<string, string>;
    setSecret(one, ref.name, { 'mesh-2.etcd-client.crt': line.includes('rotate') ? undefined : 'not a cert' });
    try {
      const result = await meshctl(`${line} --all`, half);
      // Commands that look say that the certificate is of no use, which is so whoever does not answer.
      expect(result.exitCode).toBe(/(check|status|list)$/.test(line) ? 1 : 3);
      expect(result.stdout + result.stderr).not.toMatch(/<context of|no context was named/);
      if (line.includes('rotate')) expect(result.stdout).toContain('does not answer: what it holds stays as it is');
      expect(result[stream]).toContain('"mesh-2" may be the cluster of context "two", which does not answer');
      if (stream === 'stdout') {
        expect(result.stdout).toMatch(
          /forget it:\s+.*meshctl clustermesh disconnect .*--context mesh-1 --peer mesh-2/s,
        );
      }
    } finally {
      one.store.update(ref, (secret) => {
        secret.data = before;
      });
    }
  });

  it('of a kubeconfig without contexts says that there are none', async () => {
    const empty = join(dirname(plain), 'empty.yaml');
    await writeFile(empty, '');
    const { exitCode, says } = failureOf(await meshctl('clustermesh status --all', empty));
    expect(exitCode).toBe(2);
    expect(says).toContain(`kubeconfig ${empty} holds no contexts`);
  });

  it.each([
    ['of the same cluster', 'mesh-3', false],
    ['of another one', 'mesh-2', true],
  ])('of a lone cluster names the only other context, unless it is one %s', async (_what, to, isNamed) => {
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    const [own, other] = ['mesh-3', to].map((name) => config.contexts.find((context) => context.name === name));
    const path = join(dirname(plain), 'two.yaml');
    await writeFile(path, stringify({ ...config, contexts: [{ ...other, name: 'a-other' }, own] }));
    const { store } = found(sandbox.clusters[2], 'mesh-3');
    const ref = { ...refs.deployment('clustermesh-apiserver'), namespace: 'cilium' };
    const { apiVersion, kind, namespace, name } = ref;
    const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'etcd', image: 'etcd' }] } };
    const spec = { replicas: 0, selector: { matchLabels: { app: 'a' } }, template };
    store.create({ apiVersion, kind, metadata: { name, namespace }, spec });
    onTestFinished(() => store.delete(ref));
    const { stdout } = await meshctl('clustermesh status --context mesh-3', path);
    const ways = ['connect --context mesh-3 --destination-context a-other', 'Name the context of the cluster'];
    expect(ways.map((way) => stdout.includes(way))).toEqual([isNamed, !isNamed]);
  });

  it.each([
    'clustermesh status --all -n',
    'clustermesh check --all --category peers -n',
    'clustermesh certs list --all -n',
    'clustermesh graph --all -n',
    'clustermesh invitations list --all -n',
    'clustermesh firewall --all -n',
    'clustermesh routes --all -n',
    'connectivity probe --all --via agents --cilium-namespace',
    'version --all -n',
    'export --all -n',
    'service list --all --cilium-namespace',
    'service failover --all --require-survivable --cilium-namespace',
  ])('of a cluster that has Cilium in another namespace than was given says that it is not seen: %s', async (line) => {
    const says = /context "mesh-2"(:| is left out:) no Cilium in namespace elsewhere; it is in kube-system/;
    // That mesh-3 is connected to none is proved.
    const expected = /clustermesh (status|check|firewall|routes) /.test(line) ? 1 : 3;
    const text = await meshctl(`${line} mesh-2=elsewhere`);
    expect({ exitCode: text.exitCode, said: `${text.stdout}${text.stderr}`.replace(/\s+/g, ' ') }).toEqual({
      exitCode: expected,
      said: expect.stringMatching(says),
    });
    if (line.startsWith('export')) return;
    const { stdout, exitCode } = await meshctl(`${line} mesh-2=elsewhere -o json`);
    expect(exitCode).toBe(expected);
    expect(stdout).toMatch(/"hint": ".*mesh-2=kube-system/);
    // It answers, so that nobody is to forget it.
    expect(`${text.stdout}${stdout}`).not.toMatch(/does not answer|gone for good/);
  });

  it.each([
    'clustermesh connect --dry-run',
    'clustermesh disconnect --dry-run',
    'clustermesh enable --dry-run',
    'clustermesh disable --dry-run',
    'clustermesh certs rotate --dry-run',
    'service global default/plain --dry-run',
    'service failover --require-survivable',
  ])('goes on without what is down, names it, and exits 3: meshctl %s', async (line) => {
    const { stderr, stdout, exitCode } = await meshctl(`${line} --all -o json`, two);
    const { unreachable = [], failures = [] } = JSON.parse(stdout) as Record<string, { context: string }[]>;
    expect([...unreachable, ...failures].map(({ context }) => context)).toEqual(['down', 'torn']);
    if (!line.includes('failover')) expect(stderr).toContain('context "down" is left out: cannot reach the API server');
    expect(exitCode).toBe(3);
  });

  it.each(['down', 'mesh-9'])('names what is down where that, or its name, is what is asked for: %s', async (lost) => {
    const line = `service failover --require-survivable --all --without ${lost}`;
    const { stderr, exitCode } = await meshctl(line, two);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('✖ context "down": ');
  });

  it.each(['export', 'clustermesh firewall -o terraform'])('says in a file what it lacks: meshctl %s', async (line) => {
    const { stdout, exitCode } = await meshctl(`${line} --all`, two);
    expect(exitCode).toBe(3);
    const missing = stdout.match(/^# Missing here.*: context "(?:down|torn)".*\.$/gm) ?? [];
    expect(missing).toHaveLength(2);
  });

  it('says in an exported document what it lacks, and applies nothing by it', async () => {
    for (const format of ['json', 'yaml']) {
      const { stdout } = await meshctl(`export --all -o ${format}`, two);
      const document = parse(stdout) as { metadata: { annotations: Record<string, string> } };
      const lines = document.metadata.annotations['meshctl.io/missing']?.split('\n');
      expect(lines).toEqual([expect.stringMatching(/^context "down": /), expect.stringMatching(/^context "torn"/)]);
      for (const line of ['diff -f -', 'apply -f - --yes']) {
        const { exitCode, stderr } = await runCli(line.split(' '), { env: { KUBECONFIG: two }, input: stdout });
        expect(exitCode, stderr).toBe(2);
        expect(stderr).toMatch(
          /could not be read: context "down": .*; context "torn".*\n? .*delete the annotation meshctl.io\/missing/s,
        );
      }
    }
  });

  it.each([
    ['that no other leads to', { cluster: 'nowhere', user: 'stale' }, 'names cluster "nowhere", which is not in'],
    ['without its user', { cluster: 'down', user: 'nobody' }, 'names user "nobody", which is not in'],
  ])('counts a context %s as a cluster that cannot be asked', async (_, entry, why) => {
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    config.clusters.push({ name: 'down', cluster: { server: 'https://127.0.0.1:9' } });
    config.contexts.push({ name: 'torn', context: entry });
    const path = join(dirname(plain), 'torn.yaml');
    await writeFile(path, stringify(withoutThird(config)));
    const line = 'clustermesh status --all';
    const json = await meshctl(`${line} -o json`, path);
    expect(json.exitCode, json.stderr).toBe(3);
    const hint = 'Put that right, or take the context out: kubectl config delete-context torn';
    expect(jsonOf(json).unreachable).toEqual([
      { context: 'torn', code: 'KubeconfigInvalid', message: expect.stringContaining(why), hint },
    ]);
    const junit = await meshctl(`${line} -o junit`, path);
    expect(junit.stdout).toContain('type="KubeconfigInvalid"');
    expect((await meshctl(line, path)).stdout).toContain(hint);
  });

  it('ends with a usage fault that none of the contexts can be used with, and takes no context for wrong', async () => {
    const line = 'clustermesh status --all --as-group admins';
    const { exitCode, stdout, stderr } = await meshctl(line, plain);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('a group can be impersonated only together with a user');
    expect(stderr).toContain('Add --as USER to --as-group.');
    expect(stderr).not.toContain('delete-context');
    // The proxy is for some of the servers only.
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    config.clusters.push({ name: 'far', cluster: { server: 'https://far.example:9' } });
    config.contexts.push({ name: 'far', context: { cluster: 'far', user: config.users[0]?.name ?? '' } });
    const path = join(dirname(plain), 'far.yaml');
    await writeFile(path, stringify(withoutThird(config)));
    const env = { KUBECONFIG: path, HTTPS_PROXY: 'ftp://proxy', NO_PROXY: '127.0.0.1' };
    const some = await runCli('clustermesh status --all -o json'.split(' '), { env });
    expect(some.exitCode, some.stderr).toBe(3);
    expect(jsonOf(some).unreachable).toEqual([
      {
        ...{ context: 'far', code: 'Usage', message: expect.stringContaining('HTTPS_PROXY is not') },
        hint: expect.stringMatching(/^Write it like /),
      },
    ]);
  });

  it('leaves a context out that is not complete where another one leads to the same server', async () => {
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    const { cluster } = found(config.contexts.find(({ name }) => name === 'mesh-1')?.context, 'mesh-1');
    config.contexts.push({ name: 'torn', context: { cluster, user: 'nobody' } });
    const path = join(dirname(plain), 'torn.yaml');
    await writeFile(path, stringify(withoutThird(config)));
    const { exitCode, stderr, stdout } = await meshctl('clustermesh certs list --all', path);
    expect(exitCode, stderr + stdout).toBe(0);
    expect(stderr).toMatch(/context "torn" is left out: it names user "nobody".*; "mesh-1" leads to the same server/);
  });

  it('says of values for Helm what they are not for', async () => {
    const { stderr, stdout, exitCode } = await meshctl('clustermesh helm-values --all', two);
    expect(stderr).toContain('context "down" is left out: cannot reach the API server');
    expect(stdout).toMatch(/^# context mesh-1\n# helm takes only the first of several documents/);
    expect(stdout).toContain('# context mesh-2');
    expect(stderr).toContain('give it the values of one cluster at a time');
    expect(exitCode).toBe(3);
  });

  it('does what it can in the others, and says so below', async () => {
    const { stdout, exitCode } = await meshctl('clustermesh connect --all', two);
    expect(stdout).toContain('Nothing to change: mesh-1 and mesh-2 are set up to dial each other');
    expect(stdout).toContain('❌ context "down": cannot reach the API server');
    expect(exitCode).toBe(3);
  });

  it('names every cluster that keeps enable from its work, also the one that is down', async () => {
    const line =
      'clustermesh enable --context mesh-1,down --node-port 31000 --service-type NodePort --cilium-version 1.2.3';
    for (const flags of ['', ' --dry-run']) {
      const { stdout, stderr, exitCode } = await meshctl(`${line}${flags}`, grown);
      expect(stdout + stderr).toContain('context "down": cannot reach the API server');
      expect(stdout + stderr).toContain('1.2.3');
      expect(exitCode).not.toBe(0);
    }
  });
});

describe('a cluster that is down', () => {
  it.each([
    ['clustermesh certs list', 'mesh-1'],
    ['clustermesh check --category identity', 'cluster names are unique'],
    ['service list', 'no service is global'],
    ['service failover', 'no service is global'],
    ['clustermesh routes', 'not all clusters were compared'],
    ['clustermesh graph -o table', '1 of 3 clusters cannot be queried'],
  ])('does not keep the others from: meshctl %s', async (line, words) => {
    const { exitCode, stdout } = await meshctl(`${line} --context mesh-1,down,mesh-2`, grown);
    expect(exitCode).toBe(3);
    expect(stdout).toContain('context "down": cannot reach the API server');
    expect(stdout.toLowerCase()).toContain(words);
    const json = await meshctl(`${line} --context mesh-1,down,mesh-2 -o json`, grown);
    expect(JSON.stringify(jsonOf(json))).toContain('"down"');
  });

  it.each([
    'clustermesh enable --context down,gone',
    'clustermesh connect --context mesh-1 --destination-context down,gone',
    'clustermesh disconnect --context mesh-1 --destination-context down,gone',
    'clustermesh disable --context mesh-1,down,gone',
    'clustermesh certs rotate --context mesh-1,down,gone',
    'clustermesh helm-values --context mesh-1,down,gone',
    'service global default/plain --context mesh-1,down,gone',
    'connectivity test --context mesh-1,down,gone',
    'connectivity probe --context mesh-1,down,gone',
    'apply -f -',
    'export --context mesh-1,down,gone',
  ])('is named with every other one where nothing is done for that: meshctl %s', async (line) => {
    const config = parse(await readFile(grown, 'utf8')) as Kubeconfig;
    config.contexts.push({ name: 'gone', context: { cluster: 'down', user: 'stale' } });
    const path = join(dirname(plain), 'gone.yaml');
    await writeFile(path, stringify(config));
    const input = meshText({
      clusters: ['mesh-1', 'down', 'gone'].map((name) => ({ name })),
      topology: { type: 'mesh' },
    });
    const { exitCode, stderr } = await runCli(line.split(' '), { env: { KUBECONFIG: path }, input });
    expect(exitCode).toBe(3);
    for (const name of ['down', 'gone']) {
      expect(stderr.split(`context "${name}": cannot reach the API server`)).toHaveLength(2);
    }
    const json = jsonOf(await runCli([...line.split(' '), '-o', 'json'], { env: { KUBECONFIG: path }, input }));
    const { error, unreachable = [] } = json as { error: { details: { others?: object[] } }; unreachable?: object[] };
    const message = expect.stringContaining('context "gone": cannot reach the API server');
    const hint = expect.stringContaining('context gone');
    const gone = { context: 'gone', code: 'ClusterUnreachable', message, hint };
    expect(error ? error.details.others : unreachable).toEqual([gone]);
  });

  it('is the whole failure where it is the only one', async () => {
    const { exitCode, says } = failureOf(await meshctl('clustermesh certs list --context down', grown));
    expect(exitCode).toBe(3);
    expect(says).toContain('context "down": cannot reach the API server');
  });
});

describe('a cluster that lets the user in, and forbids something', () => {
  const forbid = (where: string, kind: string) => {
    intercept = (context, { resource, subresource, verb }) => {
      if (context !== where || (subresource ?? resource) !== kind) return;
      const what = [resource, ...(subresource ? [subresource] : [])].join('/');
      throw new ApiError(
        403,
        'Forbidden',
        `${resource} is forbidden: User "ann" cannot ${verb} resource "${what}" in API group ""`,
      );
    };
  };

  it.each(['secrets', 'nodes', 'exec'])('does not keep check from the others: %s', async (kind) => {
    forbid('mesh-1', kind);
    const line = 'clustermesh check --context mesh-1,mesh-2 --category peers,config -o json';
    const result = await meshctl(line);
    expect(result.exitCode).toBe(3);
    const { checks } = jsonOf(result) as { checks: { id: string; severity: string; cluster?: string }[] };
    expect(checks.filter(({ id }) => id === 'cluster-answers')).toMatchObject([
      { cluster: 'mesh-1', severity: 'fail' },
    ]);
    expect(checks.map(({ id }) => id)).toContain('peers-connected');
    expect(checks.map(({ severity }) => severity)).toContain('pass');
    // Of agents that may not be asked, all that hangs on objects is judged.
    const seen = checks.some(({ id, cluster }) => cluster === 'mesh-1' && id !== 'cluster-answers');
    expect(seen).toBe(kind === 'exec');
  });

  /** A policy refuses connections into pods. */
  const deny = (where: string, kind: string) => {
    intercept = (context, { subresource }) => {
      if (context !== where || subresource !== kind) return;
      throw new ApiError(
        403,
        'Forbidden',
        `pods "p" is forbidden: ValidatingAdmissionPolicy 'deny' with binding 'all' denied request: no`,
      );
    };
  };
  const POLICY = 'See what that policy asks for: kubectl --context mesh-1 get validatingadmissionpolicy deny -o yaml';

  it.each<[string, string, () => void, number, string]>([
    ['status: rights', 'status --wait', () => forbid('mesh-1', 'exec'), 3, 'may not get pods/exec'],
    ['status: a policy', 'status --wait', () => deny('mesh-1', 'exec'), 3, POLICY],
    ['check: rights', 'check --category peers --wait', () => forbid('mesh-1', 'exec'), 3, 'may not get pods/exec'],
    ['certs rotate: a policy', 'certs rotate', () => deny('mesh-1', 'portforward'), 1, POLICY],
  ])(
    'is not waited for where it refuses to be asked, and says why (%s)',
    async (_what, command, refuse, exitCode, says) => {
      refuse();
      const result = await meshctl(`clustermesh ${command} --context mesh-1,mesh-2 --wait-duration 1h`);
      expect(result.exitCode, result.stderr).toBe(exitCode);
      expect(`${result.stdout}${result.stderr}`.replaceAll(/\s+/g, ' ')).toContain(says);
    },
  );

  it('check tells which policy it is', async () => {
    deny('mesh-1', 'exec');
    const { stdout } = await meshctl('clustermesh check --context mesh-1,mesh-2 --category peers');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      `the agent could not be queried: cannot run cilium status -o json in container cilium-agent of Pod kube-system/`,
    );
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /ValidatingAdmissionPolicy 'deny' .* → See what that policy asks for: /,
    );
  });

  it('is waited for where a webhook keeps it from being asked, which may come back, and says so', async () => {
    intercept = (context, { subresource }) => {
      if (context !== 'mesh-1' || subresource !== 'exec') return;
      const silent =
        'failed calling webhook "exec.example": failed to call webhook: Post "https://x": connection refused';
      throw new ApiError(500, 'InternalError', `Internal error occurred: ${silent}`);
    };
    const waiting = await meshctl('clustermesh status --context mesh-1,mesh-2 --wait --wait-duration 1s');
    expect(waiting.exitCode).toBe(3);
    expect(waiting.stderr).toMatch(
      /context "mesh-1": webhook "exec.example" does not answer the API server; to mend it\n? *→ Bring back the Service/,
    );
    expect(waiting.stdout.replaceAll(/\s+/g, ' ')).toContain('→ Bring back the Service that answers for that webhook');
  });

  const fail500 = (where: string, kind: string) => {
    intercept = (context, { resource }) => {
      if (context === where && resource === kind) throw new ApiError(500, 'InternalError', 'etcd leader changed');
    };
  };

  it.each([
    ['forbids it', () => forbid('mesh-2', 'secrets'), /context "mesh-2": cannot get Secret/],
    ['does not answer', () => fail500('mesh-2', 'secrets'), /context "mesh-2": .*etcd leader changed/],
  ])('does not keep certs rotate --all from the rest, which stay connected: it %s', async (_how, act, why) => {
    act();
    const plan = await meshctl('clustermesh certs rotate --all --dry-run');
    expect(plan.exitCode).toBe(3);
    expect(plan.stderr).toMatch(/context "mesh-2" is left out: /);
    // It has no certificates.
    expect(plan.stderr).toContain('context "mesh-3" is left out: Cluster Mesh is not enabled there');
    expect(plan.stdout).toMatch(why);
    // Its peer keeps what it dials it with.
    expect(plan.stdout).toContain('update Secret kube-system/clustermesh-apiserver-server-cert');
    expect(plan.stdout).toContain('peer mesh-2 stays connected: context "mesh-2" could not be read');
    expect(plan.stderr).toContain('connected to mesh-2 (context "mesh-2" could not be read)');
    // A new CA would cut it off.
    const refused = failureOf(await meshctl('clustermesh certs rotate --all --ca --yes'));
    expect(refused).toMatchObject({ exitCode: 3 });
    expect(refused.says).toContain('would be cut off by a new CA');
    // Where a right is missing, the line that grants it is how.
    expect(refused.says).toMatch(
      /(?:Make sure first that it can be read; |kubectl --context mesh-2 [^→]+)or, if it is gone for good/,
    );
    const named = failureOf(await meshctl('clustermesh certs rotate --context mesh-1,mesh-2 --dry-run'));
    expect(named.says).toMatch(why);
  });

  it('does not keep service list from the rest, although it answered the first look', async () => {
    let looks = 0;
    intercept = (context, { resource, name }) => {
      if (context !== 'mesh-2' || resource !== 'configmaps' || name !== 'cilium-config' || ++looks === 1) return;
      throw new ApiError(
        403,
        'Forbidden',
        'configmaps "cilium-config" is forbidden: User "ann" cannot get resource "configmaps" in API group ""',
      );
    };
    const { exitCode, stdout } = await meshctl('service list --context mesh-1,mesh-2');
    expect(looks).toBeGreaterThan(1);
    expect(exitCode).toBe(3);
    expect(stdout).toContain('context "mesh-2": cannot get ConfigMap kube-system/cilium-config');
    expect(stdout.toLowerCase()).toContain('no service is global');
  });

  it('does not keep commands with --all from the rest', async () => {
    forbid('mesh-3', 'secrets');
    const connected = await meshctl('clustermesh connect --all');
    expect(connected.stdout, connected.stderr).toContain('Nothing to change: mesh-1 and mesh-2');
    forbid('mesh-1', 'secrets');
    const disabled = await meshctl('clustermesh disable --all --dry-run');
    expect(disabled.stdout).toContain('mesh-2');
    const parted = await meshctl('clustermesh disconnect --all --dry-run');
    for (const { exitCode, stderr, stdout } of [connected, disabled, parted]) {
      expect(exitCode).toBe(3);
      expect(stderr).toMatch(/context "mesh-[13]" is left out: cannot get Secret/);
      expect(stdout).toMatch(/❌ context "mesh-[13]": cannot get Secret/);
    }
    // A cluster that was named must take part.
    const named = failureOf(await meshctl('clustermesh connect --context mesh-1 --destination-context mesh-2'));
    expect(named).toMatchObject({ exitCode: 3 });
  });
});

describe('the namespace of Cilium', () => {
  it.each([
    ['found by itself', ''],
    ['given for one context', '-n mesh-3=cilium'],
    ['given for all but some', '-n cilium,mesh-1=kube-system,mesh-2=kube-system'],
  ])('is %s', async (_how, flags) => {
    const { stdout } = await meshctl(`clustermesh status --context mesh-1,mesh-3 -o json ${flags}`.trim());
    const { clusters } = JSON.parse(stdout) as { clusters: { context: string; namespace: string }[] };
    expect(clusters.map(({ context, namespace }) => `${context}: ${namespace}`)).toEqual([
      'mesh-1: kube-system',
      'mesh-3: cilium',
    ]);
  });

  it('is in the hints of its cluster', async () => {
    const { stdout } = await meshctl('clustermesh status --context mesh-1,mesh-3 -n mesh-3=cilium');
    expect(stdout).toContain('meshctl clustermesh enable -n mesh-3=cilium --context mesh-3');
  });

  it.each([
    ['status --context mesh-1 -n nope', 'no Cilium in namespace nope; it is in kube-system'],
    ['certs list --context mesh-1 -n nope', 'no Cilium in namespace nope; it is in kube-system'],
    ['check --context mesh-1,mesh-2 -n mesh-2=nope', 'context "mesh-2": no Cilium in namespace nope'],
    ['connect --context mesh-1 --destination-context mesh-3 -n kube-system', 'it is in cilium'],
    ['status --all -n nope', 'it is in kube-system'],
    [
      'status --context mesh-1,mesh-2 -n mesh-9=cilium',
      'is given for mesh-9, which is neither a context nor one of the clusters',
    ],
    ['connect --context mesh-1 --destination-context mesh-2 -n mesh-9=cilium', 'given for mesh-9'],
  ])('that fits no cluster is an error that says where Cilium is: %s', async (line, words) => {
    const { exitCode, says } = failureOf(await meshctl(`clustermesh ${line}`));
    expect(says.replace(/\s+/g, ' ')).toContain(words);
    expect(exitCode).toBe(2);
  });

  it('may be given by the name of a cluster, also where a command opens others by itself', async () => {
    const renamed = join(dirname(plain), 'renamed.yaml');
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    for (const context of config.contexts) context.name = context.name.replace('mesh', 'site');
    await writeFile(renamed, stringify({ ...config, 'current-context': 'site-1' }));
    const { exitCode, stdout, stderr } = await meshctl(
      'clustermesh disable --context site-1 --disconnect --dry-run -n mesh-1=kube-system',
      renamed,
    );
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout).toContain('Context site-2:');
  });

  it('may be given by the name of a cluster that the command is not about, but stands on', async () => {
    const renamed = join(dirname(plain), 'renamed-too.yaml');
    const config = parse(await readFile(plain, 'utf8')) as Kubeconfig;
    for (const context of config.contexts) context.name = context.name.replace('mesh', 'site');
    await writeFile(renamed, stringify({ ...config, 'current-context': 'site-1' }));
    const enable = 'clustermesh enable --context site-1 --ca-from-context site-2 --replace-ca --dry-run';
    const { exitCode, stderr } = await meshctl(`${enable} -n mesh-2=kube-system`, renamed);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const mistyped = await meshctl(`${enable} -n mesh-22=kube-system`, renamed);
    expect(mistyped.exitCode).toBe(2);
    expect(mistyped.stderr).toContain('mesh-22, which is neither a context nor one of the clusters');
  });

  it('is mended by the hint for one that fits no cluster', async () => {
    const { says } = failureOf(await meshctl('clustermesh certs list --context mesh-3 -n nope'));
    const [flag = ''] = /-n \S+$/m.exec(says) ?? [];
    expect((await meshctl(`clustermesh certs list --context mesh-3 ${flag}`)).exitCode).toBe(0);
  });

  it('costs one request, given or found where it usually is', async () => {
    const asked: string[] = [];
    intercept = (_context, { path }) => void asked.push(path);
    const count = async (flags: string) => {
      asked.length = 0;
      await meshctl(`clustermesh certs list --context mesh-1 ${flags}`.trim());
      return asked.filter((path) => path === '/api/v1/namespaces/kube-system/configmaps/cilium-config').length;
    };
    const given = await count('-n kube-system');
    expect(await count('')).toBe(given);
    expect(asked).not.toContain('/apis/apps/v1/daemonsets');
  });

  it.each([
    ['-n cilium,other', 'names two namespaces'],
    ['-n mesh-2=', '"mesh-2=" names no namespace'],
    ['-n Kube_System', '"Kube_System" names no namespace'],
  ])('is refused where it cannot be: %s', async (flags, words) => {
    const { exitCode, says } = failureOf(await meshctl(`clustermesh status ${flags}`));
    expect({ exitCode, says }).toEqual({ exitCode: 2, says: expect.stringContaining(words) });
  });
});

describe('whoever may not read namespace kube-system', () => {
  /** By the contexts of such clusters, as often as is said. */
  const refuse = (clusters: string, times = Number.POSITIVE_INFINITY) => {
    let left = times;
    intercept = (context, { resource, name }) => {
      if (resource !== 'namespaces' || name !== 'kube-system' || !clusters.includes(context) || left-- <= 0) return;
      throw new ApiError(
        403,
        'Forbidden',
        'namespaces "kube-system" is forbidden: User "ann" cannot get resource "namespaces" in API group ""',
      );
    };
  };

  it.each([
    ['by all of the contexts', Number.POSITIVE_INFINITY],
    ['by one of the contexts of a cluster', 1],
  ])('tells clusters apart all the same: %s', async (_who, times) => {
    refuse('mesh-1,mesh-2', times);
    const { contexts, stderr, exitCode } = await listed('--context alias,mesh-1,mesh-2', grown);
    expect({ contexts, exitCode }).toEqual({ contexts: ['alias', 'mesh-1'], exitCode: 0 });
    expect(stderr).toContain('contexts "alias" and "mesh-2" are the same cluster: "alias" is used');
    expect(stderr).not.toContain('may not be read');
  });

  it('does not connect a cluster with itself either', async () => {
    refuse('mesh-2', 1);
    const { exitCode, says } = failureOf(await meshctl(connect('mesh-2', 'alias').join(' '), grown));
    expect({ exitCode, says }).toEqual({ exitCode: 2, says: expect.stringContaining('are the same cluster') });
  });

  it('is told where nothing else of a cluster tells it from another than its address', async () => {
    refuse('mesh-3');
    const { stderr } = await meshctl('clustermesh certs list --context mesh-1,mesh-3 -n kube-system', grown);
    expect(stderr).toContain('"mesh-3": namespace kube-system may not be read');
  });
});

describe('--wait', () => {
  it('of two contexts waits for the one that does not answer yet', async () => {
    let failing = 12;
    intercept = (context, { resource }) => {
      if (context === 'mesh-2' && resource === 'configmaps' && failing-- > 0)
        throw new ApiError(500, 'InternalError', 'etcd is slow');
    };
    const line = '--context mesh-1,mesh-2 --wait --wait-duration 20s';
    expect((await meshctl(`clustermesh check --category identity ${line}`)).exitCode).toBe(0);
    failing = 12;
    expect((await meshctl(`clustermesh status ${line}`)).exitCode).toBe(0);
  });

  it('of one context outlives failures that pass', async () => {
    let failing = 12;
    intercept = (_context, { resource }) => {
      if (resource === 'configmaps' && failing-- > 0) throw new ApiError(500, 'InternalError', 'etcd is slow');
    };
    const { exitCode, stderr } = await meshctl('clustermesh status --context mesh-1 --wait --wait-duration 20s');
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(failing).toBeLessThan(1);
  });

  it('ends with the failure that stays', async () => {
    intercept = (_context, { resource }) => {
      if (resource === 'configmaps') throw new ApiError(500, 'InternalError', 'etcd is gone');
    };
    const { exitCode, says } = failureOf(
      await meshctl('clustermesh status --context mesh-1 --wait --wait-duration 1s'),
    );
    expect(says).toContain('etcd is gone');
    expect(exitCode).not.toBe(0);
  });
});

it('disables several clusters in one run, which then do not warn of each other', async () => {
  const { exitCode, stdout, stderr } = await meshctl('clustermesh disable --context mesh-1,mesh-2 --yes');
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stdout).toContain('mesh-1');
  expect(stdout).toContain('mesh-2');
  expect(stderr).not.toContain('still dials');
});
