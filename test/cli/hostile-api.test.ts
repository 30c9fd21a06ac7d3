import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { hostileText, hostileValue, RAW } from '../support/hostile.ts';
import { makeServerIdentity, type ScriptedServer, sendJson, startScriptedServer } from '../support/kube-server.ts';

/**
 * Two API servers that answer every question with an object of the right kind and name, of which nothing else need be as it
 * should. Whatever they say is the clusters' fault: never exit 70, never a stack, never a hang.
 */
const KINDS: Readonly<Record<string, string>> = {
  secrets: 'Secret',
  configmaps: 'ConfigMap',
  services: 'Service',
  pods: 'Pod',
  nodes: 'Node',
  namespaces: 'Namespace',
  deployments: 'Deployment',
  daemonsets: 'DaemonSet',
  replicasets: 'ReplicaSet',
  endpointslices: 'EndpointSlice',
  ciliumnodes: 'CiliumNode',
  clusterroles: 'ClusterRole',
  clusterrolebindings: 'ClusterRoleBinding',
  serviceaccounts: 'ServiceAccount',
  poddisruptionbudgets: 'PodDisruptionBudget',
};
const CONFIG = { 'cluster-name': 'mesh-1', 'cluster-id': '1' };

let folder: string;
let kubeconfig: string;
const servers: ScriptedServer[] = [];
/** What objects have beside kind and name, by a hash of their path, so that an answer stays the same within a run. */
let parts: readonly unknown[] = [];
let config: unknown = CONFIG;

beforeAll(async () => {
  const identity = await makeServerIdentity();
  folder = await mkdtemp(join(tmpdir(), 'meshctl-hostile-'));
  for (let index = 0; index < 2; index++) {
    const server = await startScriptedServer(identity, ({ path }, response) => {
      if (path === '/version') return sendJson(response, 200, { gitVersion: part(path) });
      if (path === '/apis') return sendJson(response, 200, { groups: part(path) });
      return sendJson(response, 200, answerTo(path));
    });
    servers.push(server);
  }
  const ca = Buffer.from(identity.authority.certificate).toString('base64');
  kubeconfig = join(folder, 'config');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      'current-context': 'c1',
      clusters: servers.map(({ url }, i) => ({
        name: `c${i + 1}`,
        cluster: { server: url, 'certificate-authority-data': ca },
      })),
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: servers.map((_, i) => ({ name: `c${i + 1}`, context: { cluster: `c${i + 1}`, user: 'u' } })),
    }),
  );
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(folder, { recursive: true, force: true });
});

function part(path: string): unknown {
  const hash = [...path].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 9973, 7);
  return parts.length > 0 ? parts[hash % parts.length] : undefined;
}

function answerTo(path: string): unknown {
  const [, inNamespace, plural = '', name] =
    /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/([^/]+)\/)?([^/]+)(?:\/([^/]+))?/.exec(path) ?? [];
  const kind = KINDS[plural] ?? 'Unknown';
  const object = (named: string) => ({
    apiVersion: 'v1',
    kind,
    metadata: {
      labels: part(`${path}l`),
      annotations: part(`${path}a`),
      name: named,
      ...(inNamespace && { namespace: inNamespace }),
    },
    spec: part(`${path}spec`),
    status: part(`${path}status`),
    ...(named === 'cilium-config' ? { data: config } : { data: part(`${path}data`) }),
    ...(kind === 'EndpointSlice' ? { endpoints: part(`${path}e`), ports: part(`${path}p`) } : {}),
  });
  if (name !== undefined) return object(name);
  return { apiVersion: 'v1', kind: `${kind}List`, metadata: {}, items: [object('one'), part(path), object('two')] };
}

const READING: readonly string[][] = [
  ['clustermesh', 'status', '--node-timeout', '1s'],
  ['clustermesh', 'status', '-o', 'json', '--node-timeout', '1s'],
  ['clustermesh', 'check', '--node-timeout', '1s'],
  ['clustermesh', 'check', '--pre', '--node-timeout', '1s'],
  ['clustermesh', 'certs', 'list'],
  ['clustermesh', 'certs', 'rotate', '--dry-run'],
  ['clustermesh', 'enable', '--dry-run', '--context', 'c1'],
  ['clustermesh', 'helm-values', '--context', 'c1'],
  ['clustermesh', 'disable', '--dry-run', '--context', 'c1'],
  ['clustermesh', 'connect', '--context', 'c1', '--destination-context', 'c2', '--dry-run'],
  ['clustermesh', 'disconnect', '--context', 'c1', '--peer', 'mesh-2', '--dry-run'],
  ['clustermesh', 'routes', '--node-timeout', '1s'],
  ['clustermesh', 'graph', '--node-timeout', '1s'],
  ['clustermesh', 'inspect-policy-default-local-cluster', '-A', '--context', 'c1'],
  ['service', 'list'],
  ['service', 'describe', 'default/web'],
  ['service', 'global', 'default/web', '--dry-run'],
  ['service', 'failover'],
];

/** Fields that are looked for, with values of any kind. */
const field = (...names: string[]) => fc.constantFrom(...names);
const lifelike: fc.Arbitrary<unknown> = fc.dictionary(
  field(
    ...[
      'containers',
      'template',
      'replicas',
      'ports',
      'type',
      'selector',
      'addresses',
      'conditions',
      'podCIDRs',
      'taints',
    ],
    ...[
      'ipam',
      'loadBalancer',
      'ingress',
      'users.yaml',
      'tls.crt',
      'ca.crt',
      'mesh-2',
      'spec',
      'metadata',
      'clusterIPs',
    ],
  ),
  fc.oneof(hostileValue, fc.array(hostileValue, { maxLength: 3 }), fc.constant(null)),
  { maxKeys: 6 },
);

describe('API servers that answer anything', () => {
  test('are at most a failure of theirs', async () => {
    const given = fc.record({
      parts: fc.array(fc.oneof(lifelike, hostileValue, fc.constant(null)), { minLength: 3, maxLength: 9 }),
      config: fc.oneof(
        { weight: 2, arbitrary: fc.constant(CONFIG) },
        hostileText.map((text) => ({ ...CONFIG, 'max-connected-clusters': text, ipam: text, 'routing-mode': text })),
        hostileValue,
      ),
      argv: fc.constantFrom(...READING),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ argv, ...rest }) => {
        ({ parts, config } = rest);
        const contexts = argv.includes('--context') ? [] : ['--context', 'c1,c2'];
        const line = [...argv, ...contexts, '--request-timeout', '2s'];
        const { exitCode, stdout, stderr } = await runCli(line, { env: { KUBECONFIG: kubeconfig } });
        const said = `meshctl ${line.join(' ')}\n${JSON.stringify({ stdout, stderr }, undefined, 1)}`;
        expect([0, 1, 2, 3], said).toContain(exitCode);
        expect(stdout + stderr, said).not.toMatch(RAW);
        expect(stderr, said).not.toMatch(/^\s+at \S+ \(/m);
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
    );
  });
});
