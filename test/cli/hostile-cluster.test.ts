import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { ClusterStore } from '../../src/sandbox/apiserver/storage/store.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { PROXIED, startTestServer, type TestServer, writeKubeconfig } from '../support/apiserver.ts';
import { type CliResult, jsonOf, runCli } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { hostileOutput, hostileText, RAW } from '../support/hostile.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';

/** A cluster whose agents, objects and API server say whatever they like; the operator's terminal must not care. */
let sandbox: TestSandbox;
let one: SandboxCluster;
/** A second API server in front of the first cluster's objects, whose pods answer with `output`. Its context is `test`. */
let front: TestServer;
let kubeconfig: Awaited<ReturnType<typeof writeKubeconfig>>;
let output = { stdout: '', stderr: '', exitCode: 0 };
/** While set, what the API server answers to everything. */
let refusal: ApiError | undefined;

beforeAll(async () => {
  ({ sandbox, one } = await startConnectedMesh({ nodes: 1 }));
  await untilHealthy(sandbox, ['mesh-1']);
  front = await startTestServer({
    ...PROXIED,
    store: one.store as ClusterStore,
    runtime: {
      async exec({ stdout, stderr }) {
        stdout.write(output.stdout);
        stderr.write(output.stderr);
        return output.exitCode;
      },
      portForward: () => Promise.reject(new Error(output.stderr)),
      logs: () => output.stdout,
    },
    async intercept() {
      if (refusal) throw refusal;
      return undefined;
    },
  });
  kubeconfig = await writeKubeconfig(front);
});

afterAll(async () => {
  await kubeconfig?.remove();
  await front?.close();
  await sandbox?.close();
});

const READING: readonly string[][] = [
  ['clustermesh', 'status', '-o', 'summary'],
  ['clustermesh', 'status', '-o', 'wide'],
  ['clustermesh', 'status', '-o', 'junit'],
  ['clustermesh', 'status', '-o', 'json'],
  ['clustermesh', 'check', '-o', 'table'],
  ['clustermesh', 'check', '-o', 'json'],
  ['clustermesh', 'check', '-o', 'junit'],
  ['clustermesh', 'routes', '-o', 'table'],
  ['clustermesh', 'routes', '-o', 'svg'],
  ['clustermesh', 'graph', '-o', 'svg'],
  ['clustermesh', 'graph', '-o', 'mermaid'],
  ['clustermesh', 'graph', '-o', 'dot'],
];

const LOOKING: readonly string[][] = [
  ...READING,
  ['clustermesh', 'check', '--pre'],
  ['clustermesh', 'certs', 'list'],
  ['clustermesh', 'enable', '--dry-run'],
  ['clustermesh', 'enable', '--dry-run', '-o', 'yaml'],
  ['clustermesh', 'enable', '--dry-run', '-o', 'manifests'],
  ['clustermesh', 'helm-values'],
  ['clustermesh', 'disable', '--disconnect=false', '--dry-run'],
  ['clustermesh', 'disconnect', '--peer', 'mesh-2', '--dry-run'],
  ['clustermesh', 'connect', '--destination-context', 'mesh-2', '--dry-run'],
  ['clustermesh', 'inspect-policy-default-local-cluster', '-A'],
  ['service', 'list', '-o', 'wide'],
  ['service', 'list', '-o', 'yaml'],
  ['service', 'describe', 'default/web'],
  ['service', 'global', 'default/web', '--dry-run'],
  ['service', 'failover'],
];

/** Commands that compare clusters get the second one too, which is as it should be. */
const COMPARING = ['routes', 'graph', 'service'];

async function expectHarmless(argv: readonly string[]): Promise<CliResult> {
  const contexts = argv.some((word) => COMPARING.includes(word)) ? 'test,mesh-2' : 'test';
  const line = [...argv, '--context', contexts];
  const result = await runCli(line, { env: { KUBECONFIG: `${kubeconfig.path}:${sandbox.kubeconfigPath}` } });
  const { exitCode, stdout, stderr } = result;
  const said = `meshctl ${line.join(' ')}\n${JSON.stringify({ stdout, stderr }, undefined, 1)}`;
  expect([0, 1, 3], said).toContain(exitCode);
  expect(stdout, said).not.toMatch(RAW);
  expect(stderr, said).not.toMatch(RAW);
  if (argv.at(-1) === 'json') jsonOf(result);
  return result;
}

describe('hostile agents', () => {
  it('that answer anything at all crash nothing and bring nothing raw to the terminal', async () => {
    const answer = fc.record({
      stdout: hostileOutput,
      stderr: hostileText,
      exitCode: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constantFrom(1, 127)),
    });
    await fc.assert(
      fc.asyncProperty(answer, fc.constantFrom(...READING), async (given, argv) => {
        output = given;
        await expectHarmless(argv);
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    ['one string', () => `"${'\u001b[2J'.repeat(2_600_000)}"`],
    ['a list that is broken off', () => `[${'{"name":"mesh-2","status":"\u009d8;;"},'.repeat(280_000)}`],
    ['more than is taken', () => 'x'.repeat(17 * 1024 * 1024)],
  ])('that answer 10 MB are not taken at their word: %s', async (_what, text) => {
    output = { stdout: text(), stderr: '', exitCode: 0 };
    for (const argv of [READING[0], READING[3]]) {
      const { exitCode, stdout } = await expectHarmless(argv ?? []);
      expect(exitCode).toBe(1);
      expect(stdout.length).toBeLessThan(5000);
    }
  });
});

describe('hostile objects', () => {
  it('crash nothing and bring nothing raw to the terminal', async () => {
    const service: KubeObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ports: [{ port: 80 }], selector: { app: 'web' } },
    };
    for (const { store } of sandbox.clusters) store.create(service);
    const [node] = one.store.list({ apiVersion: 'v1', kind: 'Node' });
    const nodeRef = { apiVersion: 'v1', kind: 'Node', name: found(node, 'a node').metadata.name };
    await fc.assert(
      fc.asyncProperty(hostileText, fc.nat(4), fc.constantFrom(...LOOKING), async (text, dice, argv) => {
        output = { stdout: text, stderr: text, exitCode: 0 };
        one.store.update({ ...refs.service('web'), namespace: 'default' }, ({ metadata }) => {
          metadata.annotations = { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': text };
        });
        one.store.update(nodeRef, (object) => {
          object.spec = { ...(object.spec as object), providerID: `gce://${text}` };
        });
        one.store.update(refs.configMap('cilium-config'), (object) => {
          const data = object.data as Record<string, string>;
          const name = dice === 0 ? text : 'mesh-1';
          object.data = { ...data, 'cluster-name': name, 'ipv4-native-routing-cidr': text, 'tunnel-protocol': text };
        });
        one.store.update(refs.configMap('clustermesh-remote-users'), (object) => {
          object.data = { 'users.yaml': `users:\n- name: ${JSON.stringify(text)}\n  role: remote\n` };
        });
        await expectHarmless(argv);
      }),
      { numRuns: 40 },
    );
  });
});

describe('hostile names', () => {
  it('are asked about without anything raw', async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        one.store.update(refs.configMap('cilium-config'), (object) => {
          object.data = { ...(object.data as object), 'cluster-name': `mesh-1${text}` };
        });
        one.store.update(refs.configMap('clustermesh-remote-users'), (object) => {
          object.data = {
            'users.yaml': `users:\n${['mesh-2', text].map((name) => `- name: ${JSON.stringify(`remote-${name}`)}\n  role: remote\n`).join('')}`,
          };
        });
        const { stderr, stdout } = await runCli(['clustermesh', 'disable', '--context', 'test'], {
          env: { KUBECONFIG: `${kubeconfig.path}:${sandbox.kubeconfigPath}`, NO_COLOR: '1', CI: '1' },
          isTty: true,
          answers: ['n', 'n'],
        });
        expect(stderr).toContain('[y/N]');
        expect(stderr).not.toMatch(RAW);
        expect(stdout).not.toMatch(RAW);
      }),
      { numRuns: 15 },
    );
  });
});

describe('a hostile API server', () => {
  it('can refuse in any words: an error and its exit status, nothing raw', async () => {
    // Without those that are tried again first.
    const code = fc.constantFrom(400, 401, 403, 404, 409, 422);
    await fc.assert(
      fc.asyncProperty(code, hostileText, fc.constantFrom(...LOOKING), async (status, message, argv) => {
        refusal = new ApiError(status, 'Forbidden', message);
        await expectHarmless(argv);
      }),
      { numRuns: 20 },
    );
    refusal = undefined;
  });

  it.each([429, 500, 503])('cannot be asked, for every command, while it answers %i', async (status) => {
    refusal = new ApiError(status, 'InternalError', 'etcdserver: leader changed');
    const commands = [...LOOKING, ['version'], ['export'], ['clustermesh', 'firewall']];
    const exits = await Promise.all(
      commands.map(async (argv) => [argv.join(' '), (await expectHarmless(argv)).exitCode]),
    );
    refusal = undefined;
    expect(exits.filter(([, exitCode]) => exitCode !== 3)).toEqual([]);
  });
});
