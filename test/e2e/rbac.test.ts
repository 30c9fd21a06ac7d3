import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { COMMANDS } from '../../src/commands/registry.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** The roles that the package ships, and nothing else, let an operator run every command that reaches clusters. */
const FOLDER = new URL('templates/rbac/', PACKAGE_ROOT);
const TEST_FOLDER = new URL('connectivity-test/', FOLDER);
const PROBE_FOLDER = new URL('probe/', FOLDER);
const DEMO_FOLDER = new URL('demo/', FOLDER);
const BOTH = 'mesh-1,mesh-2';

const AS_ANYONE = ['--as', 'ann'];
const AS_OPERATOR = [...AS_ANYONE, '--as-group', 'meshctl-operators'];
const AS_DEMONSTRATOR = [...AS_OPERATOR, '--as-group', 'meshctl-demonstrators'];
const AS_PROBER = [...AS_OPERATOR, '--as-group', 'meshctl-probers'];
const AS_TESTER = [...AS_ANYONE, '--as-group', 'meshctl-connectivity-testers'];

let sandbox: TestSandbox;
const as = (who: readonly string[], argv: readonly string[], input = MESH) =>
  runCli([...argv, ...who], { env: { KUBECONFIG: sandbox.kubeconfigPath }, input });
/** For commands that read a mesh file. */
const MESH = meshText({
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
  topology: { type: 'mesh' },
  services: [{ namespace: 'default', name: 'web' }],
});

/** As `kubectl apply -f` does: files in order, no folders. */
function applyFolder(folder: URL): void {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  for (const { store } of sandbox.clusters) {
    for (const file of files.sort()) store.create(parse(readFileSync(new URL(file, folder), 'utf8')) as KubeObject);
  }
}

const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }], selector: { app: name } },
});

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  applyFolder(FOLDER);
  for (const { store } of sandbox.clusters) {
    store.create(service('web'));
    // With it the clustermesh-apiserver is granted most.
    store.update({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' }, (config) => {
      config.data = { ...(config.data as object), 'clustermesh-enable-mcs-api': 'true' };
    });
  }
  sandbox.clusters[0]?.store.create(service('alone'));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const TEST = ['connectivity', 'test', '--context', BOTH, '--settle-duration', '5s'];
const PROBE = ['connectivity', 'probe', '--context', BOTH];
const DEMO = ['demo', '--context', BOTH, '--yes'];
const JOIN = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
const PART = ['clustermesh', 'disconnect', '--context', 'mesh-1'];

const OPERATOR_RUNS: readonly string[][] = [
  ['clustermesh', 'check', '--pre', '--context', BOTH],
  ['clustermesh', 'helm-values', '--context', 'mesh-1'],
  ['clustermesh', 'enable', '--context', BOTH, '--dry-run'],
  ['clustermesh', 'enable', '--context', BOTH],
  ['clustermesh', 'enable', '--context', BOTH, '--dry-run=server'],
  ['version', '--context', BOTH],
  [...JOIN, '--dry-run=server'],
  JOIN,
  ['clustermesh', 'status', '--context', 'mesh-1', '--wait'],
  ['clustermesh', 'status', '--all', '--wait'],
  ['clustermesh', 'check', '--context', BOTH, '--wait'],
  ['clustermesh', 'routes', '--context', BOTH],
  ['clustermesh', 'graph', '--context', BOTH, '-o', 'svg'],
  ['clustermesh', 'firewall', '--context', BOTH],
  [...PROBE, '--via', 'agents'],
  ['clustermesh', 'certs', 'list', '--context', BOTH],
  ['clustermesh', 'certs', 'rotate', '--context', BOTH, '--ca', '--dry-run=server'],
  ['clustermesh', 'certs', 'rotate', '--context', BOTH],
  ['clustermesh', 'certs', 'rotate', '--context', BOTH, '--ca', '--yes'],
  ['clustermesh', 'inspect-policy-default-local-cluster', '--context', 'mesh-1'],
  ['clustermesh', 'inspect-policy-default-local-cluster', '--context', 'mesh-1', '-A'],
  ['service', 'global', 'default/web', '--context', BOTH],
  ['service', 'global', 'default/alone', '--context', BOTH, '--create-missing'],
  ['service', 'global', 'default/alone', '--context', BOTH, '--remove', '--yes'],
  ['diff', '-f', '-'],
  ['export', '--context', BOTH],
  ['service', 'list', '--context', BOTH],
  ['service', 'describe', 'default/web', '--context', BOTH],
  ['service', 'failover', '--context', BOTH],
  [...PART, '--destination-context', 'mesh-2', '--yes'],
  JOIN,
  [...PART, '--peer', 'mesh-2', '--yes'],
  ['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect', '--yes'],
  ['clustermesh', 'disable', '--context', 'mesh-2', '--yes', '--keep-certificates'],
  ['apply', '-f', '-', '--dry-run=server'],
  ['apply', '-f', '-', '--prune', '--yes'],
];

/** Of two owners, by their messages. */
const INVITE = ['clustermesh', 'invite', '--context', 'mesh-1'];
const ACCEPT = ['clustermesh', 'accept', '-', '--yes'];
const INVITATIONS = ['clustermesh', 'invitations', 'list', '--context', 'mesh-1'];
const REVOKE = ['clustermesh', 'invitations', 'revoke'];

function expectAllowed({ exitCode, stdout, stderr }: CliResult): void {
  expect(stderr).not.toMatch(/forbidden|is not allowed|may not|cannot (get|list|watch|create|patch|delete)/i);
  expect({ exitCode, stdout, stderr }).toMatchObject({ exitCode: 0 });
}

describe('the roles of an operator', () => {
  it('are tried with every command that reaches clusters, but for those with their own', () => {
    const tried = new Set(OPERATOR_RUNS.map((argv) => pathOf(argv)));
    const all = COMMANDS.filter(({ reachesClusters }) => reachesClusters).map(({ path }) => path.join(' '));
    const own = [TEST, DEMO, INVITE, ACCEPT, INVITATIONS, REVOKE].map(pathOf);
    expect([...tried, ...own].sort()).toEqual(all.sort());
  });

  it.each(OPERATOR_RUNS.map((argv) => [argv.join(' '), argv] as const))('allow: %s', async (_line, argv) => {
    expectAllowed(await as(AS_OPERATOR, argv));
  });
});

it('the roles of an operator let two owners join by messages', async () => {
  const said = async (argv: readonly string[], input?: string): Promise<string> => {
    const result = await as(AS_OPERATOR, argv, input);
    expectAllowed(result);
    return result.stdout;
  };
  await said(['clustermesh', 'enable', '--context', BOTH]);
  await as(AS_OPERATOR, [...PART, '--destination-context', 'mesh-2', '--yes']);
  const reply = await said([...ACCEPT, '--context', 'mesh-2'], await said(INVITE));
  const confirmation = await said([...ACCEPT, '--context', 'mesh-1'], reply);
  await said([...ACCEPT, '--context', 'mesh-2'], confirmation);
  await said(INVITE);
  const { invitations } = JSON.parse(await said([...INVITATIONS, '-o', 'json'])) as {
    invitations: { id: string; state: string }[];
  };
  const unused = invitations.find(({ state }) => state === 'invited')?.id ?? '';
  await said([...REVOKE, unused, '--context', 'mesh-1', '--yes']);
});

/** The command's words in the registry, e.g. `certs rotate`. */
function pathOf(argv: readonly string[]): string {
  const spec = COMMANDS.find(({ path }) => path.every((word, index) => argv[index] === word));
  return spec?.path.join(' ') ?? argv.join(' ');
}

it('who is not an operator may not', async () => {
  const { exitCode, stderr } = await as(AS_ANYONE, ['clustermesh', 'enable', '--context', 'mesh-1']);
  expect(exitCode).toBe(3);
  expect(stderr).toContain('"mesh-1"');
});

describe('the roles of a connectivity tester', () => {
  beforeAll(async () => {
    expectAllowed(await as(AS_OPERATOR, ['clustermesh', 'enable', '--context', BOTH]));
    expectAllowed(await as(AS_OPERATOR, JOIN));
    expectAllowed(await as(AS_OPERATOR, ['clustermesh', 'status', '--context', BOTH, '--wait']));
  });

  it('are needed: an operator may not make the namespace, and is told what would help', async () => {
    const { exitCode, stderr } = await as(AS_OPERATOR, TEST);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('may not create namespaces');
    expect(stderr).toMatch(/apply -f \S*templates\/rbac\/connectivity-test && /);
  });

  it('are needed also where the namespace is there', async () => {
    applyFolder(TEST_FOLDER);
    const { exitCode, stderr } = await as(AS_OPERATOR, TEST);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /may not get \w+ in namespace meshctl-test\n.*apply -f \S*templates\/rbac\/connectivity-test &&/,
    );
  });

  it('suffice, and nothing but the namespace is left behind', async () => {
    expectAllowed(await as(AS_TESTER, TEST));
    for (const { store } of sandbox.clusters) {
      expect(store.get({ apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-test' })).toBeDefined();
      for (const [apiVersion, kind] of [
        ['apps/v1', 'Deployment'],
        ['v1', 'Service'],
        ['cilium.io/v2', 'CiliumNetworkPolicy'],
      ] as const)
        expect(store.list({ apiVersion, kind, namespace: 'meshctl-test' })).toEqual([]);
    }
  });

  it('do not reach beyond their namespace', async () => {
    const elsewhere = await as(AS_TESTER, [...TEST, '-n', 'default']);
    expect(elsewhere.exitCode).toBe(3);
    expect(elsewhere.stderr).toContain('default');
    expect((await as(AS_TESTER, ['clustermesh', 'status', '--context', 'mesh-1'])).exitCode).toBe(3);
  });
});

describe('the role of a prober, beside those of an operator', () => {
  it('is needed for pods; without it the agents are asked, and that is said', async () => {
    const { exitCode, stderr } = await as(AS_OPERATOR, [...PROBE, '--via', 'pods']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/apply -f \S*templates\/rbac\/probe && /);
    const probed = await as(AS_OPERATOR, PROBE);
    expect(probed.stderr).toContain('its agents are used instead');
    expect({ exitCode: probed.exitCode, stdout: probed.stdout }).toMatchObject({ exitCode: 0 });
    // What was refused is refused again: the right to it comes first.
    expect(probed.stdout).toMatch(
      /as far as nodes send it [^→]*→ [^→]*apply -f \S*templates\/rbac\/probe && [^→]* &&\s+meshctl [^→]* --via pods/,
    );
  });

  it('suffices, and nothing but the namespace is left behind', async () => {
    applyFolder(PROBE_FOLDER);
    expectAllowed(await as(AS_PROBER, [...PROBE, '--via', 'pods']));
    for (const { store } of sandbox.clusters) {
      expect(store.get({ apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' })).toBeDefined();
      expect(store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'meshctl-probe' })).toEqual([]);
    }
  });
});

describe('the role of the demo, beside those of an operator', () => {
  it('is needed, and nothing is written without it', async () => {
    const { exitCode, stderr } = await as(AS_OPERATOR, DEMO);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/apply -f \S*templates\/rbac\/demo && /);
  });

  it('suffices', async () => {
    applyFolder(DEMO_FOLDER);
    expectAllowed(await as(AS_DEMONSTRATOR, DEMO));
  });
});
