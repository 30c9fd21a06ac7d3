import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiserverDeploymentRef, configMapRef, SERVER_CERT_SECRET, secretRef } from '../../src/mesh/objects/names.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { type CliOptions, failureOf, jsonOf, runCli } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { type KubeconfigVariants, kubeconfigVariants, replaceCredentials } from '../support/e2e-kubeconfig.ts';
import { found, peerCertificateSpec, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const NAMESPACE = 'kube-system';
const DAY_MS = 24 * 60 * 60 * 1000;
const STATUS = ['clustermesh', 'status', '--context', 'mesh-1'];

/** Every command that reaches clusters: their errors on the way there are the same. */
const COMMANDS: [name: string, argv: string[]][] = [
  ['enable', enable('mesh-1')],
  ['connect', connect('mesh-1', 'mesh-2')],
  ['status', STATUS],
];

let sandbox: TestSandbox;
let one: SandboxCluster;
let two: SandboxCluster;
let meshctl: Meshctl;
let variants: KubeconfigVariants;
let expired: { certificate: string; privateKey: string };

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, proxied: false });
  one = found(sandbox.clusters[0], 'mesh-1');
  two = found(sandbox.clusters[1], 'mesh-2');
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  variants = await kubeconfigVariants(sandbox.kubeconfigPath);
  const now = new Date(Date.now() - 2 * DAY_MS);
  expired = await issueCertificate(await createAuthority(), peerCertificateSpec('x'), { now, validityMs: DAY_MS });
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await variants?.remove();
  await sandbox?.close();
});

/** The same failure with `-o json`: a document on stdout, and the same exit status. */
async function failureAsData(argv: readonly string[], options?: CliOptions) {
  const result = await meshctl([...argv, '-o', 'json'], options);
  expect(result.stderr).toBe('');
  const { kind, error } = jsonOf(result) as { kind: string; error: { code: string; details: object } };
  expect(kind).toBe('Error');
  return { exitCode: result.exitCode, ...error };
}

/** While `work` runs, cilium-config has other values; undefined removes a key. */
async function withCiliumConfig<T>(
  cluster: SandboxCluster,
  values: Record<string, string | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  const ref = configMapRef(NAMESPACE, 'cilium-config');
  const former = found(cluster.store.get(ref), 'cilium-config').data as Record<string, string>;
  const changed = Object.entries({ ...former, ...values }).filter(([, value]) => value !== undefined);
  cluster.store.update(ref, (object) => {
    object.data = Object.fromEntries(changed);
  });
  try {
    return await work();
  } finally {
    cluster.store.update(ref, (object) => {
      object.data = former;
    });
  }
}

describe('the kubeconfig', () => {
  it('is missing', async () => {
    for (const [, argv] of COMMANDS) {
      const result = await runCli(argv, { env: { HOME: variants.directory } });
      expect(failureOf(result)).toEqual({
        exitCode: 2,
        says:
          `✖ no kubeconfig: ${variants.directory}/.kube/config does not exist\n` +
          '  → Give --kubeconfig FILE or set KUBECONFIG. To try meshctl without clusters: meshctl sandbox up --detach\n',
      });
    }
  });

  it('is missing, and is told as data also where that is asked for as kubectl takes it', async () => {
    const { exitCode, stdout } = await runCli([...STATUS, '-o=json'], { env: { HOME: variants.directory } });
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringMatching(/^no kubeconfig: /) } });
  });

  it('is missing where --kubeconfig says', async () => {
    const { exitCode, says } = failureOf(await meshctl([...STATUS, '--kubeconfig', 'none.yaml'], { cwd: '/' }));
    expect(exitCode).toBe(2);
    expect(says).toContain('no kubeconfig: /none.yaml does not exist');
  });

  it.each([
    ['enable', enable('mesh-3')],
    ['connect', connect('mesh-1', 'mesh-3')],
    ['status', ['clustermesh', 'status', '--context', 'mesh-3']],
  ])('has no such context: %s', async (_name, argv) => {
    expect(failureOf(await meshctl(argv))).toEqual({
      exitCode: 2,
      says: `✖ context "mesh-3" is not in kubeconfig ${sandbox.kubeconfigPath}\n  → contexts: mesh-1, mesh-2\n`,
    });
    expect(await failureAsData(argv)).toMatchObject({
      exitCode: 2,
      code: 'ContextUnknown',
      details: { context: 'mesh-3' },
    });
  });
});

describe.each(COMMANDS)('%s fails', (_name, argv) => {
  const unauthenticated = '✖ context "mesh-1": the API server does not accept the credentials\n';

  it('when the connection is refused', async () => {
    const port = await closedPort();
    const path = await variants.write('refused.yaml', ({ clusters }) => {
      for (const { cluster } of clusters) cluster.server = `https://127.0.0.1:${port}`;
    });
    const env = { KUBECONFIG: path };
    expect(failureOf(await meshctl(argv, { env }))).toEqual({
      exitCode: 3,
      says:
        `✖ context "mesh-1": cannot reach the API server https://127.0.0.1:${port}: connection refused\n` +
        '  → Is the cluster up, and reachable from here? Try: kubectl --context mesh-1 get ns\n',
    });
    expect(await failureAsData(argv, { env })).toMatchObject({
      exitCode: 3,
      code: 'ClusterUnreachable',
      details: { context: 'mesh-1', code: 'ECONNREFUSED' },
    });
  });

  it('with an expired client certificate', async () => {
    const path = await variants.write('expired.yaml', (kubeconfig) =>
      replaceCredentials(kubeconfig, {
        'client-certificate-data': Buffer.from(expired.certificate).toString('base64'),
        'client-key-data': Buffer.from(expired.privateKey).toString('base64'),
      }),
    );
    const { exitCode, says } = failureOf(await meshctl(argv, { env: { KUBECONFIG: path } }));
    expect(exitCode).toBe(3);
    expect(says).toMatch(
      /^✖ context "mesh-1": the API server does not accept the credentials\n {2}→ The client certificate expired on \d{4}-\d\d-\d\d: fetch a new kubeconfig\.\n$/,
    );
  });

  it('with an expired token', async () => {
    const path = await variants.write('token.yaml', (kubeconfig) =>
      replaceCredentials(kubeconfig, { token: 'not-any-more' }),
    );
    const env = { KUBECONFIG: path };
    const { exitCode, says } = failureOf(await meshctl(argv, { env }));
    expect(exitCode).toBe(3);
    expect(says).toBe(`${unauthenticated}  → The token may have expired: get a new one.\n`);
    const data = await failureAsData(argv, { env });
    expect(data).toMatchObject({ exitCode: 3, code: 'Unauthenticated', details: { httpStatus: 401 } });
    expect(JSON.stringify(data)).not.toContain('not-any-more');
  });

  it('as a user without rights', async () => {
    const { exitCode, says } = failureOf(await meshctl([...argv, '--as', 'jane']));
    expect(exitCode).toBe(3);
    expect(says).toMatch(
      /^✖ context "mesh-1": cannot \w+ .*: user "jane" may not \w+ [\w/]+( in namespace kube-system)?\n {2}→ User "jane" has none of the rights that meshctl needs( to look at a cluster)?\. To grant them all, as a cluster administrator \(on another machine with the path of (templates\/rbac\S*) in meshctl's package there\): kubectl --context mesh-1 apply -f \/\S+\/\3 && kubectl --context mesh-1 -n kube-system create rolebinding (\S+) --role=(meshctl-\w+) --user=jane --dry-run=client -o yaml \| kubectl --context mesh-1 -n kube-system auth reconcile -f - && kubectl --context mesh-1 create clusterrolebinding \4 --clusterrole=\5 --user=jane --dry-run=client -o yaml \| kubectl --context mesh-1 auth reconcile -f -\n$/,
    );
    // Who lacks a right cannot grant it.
    expect(says).not.toContain('--as');
    expect(await failureAsData([...argv, '--as', 'jane'])).toMatchObject({
      exitCode: 3,
      code: 'Forbidden',
      details: { context: 'mesh-1', user: 'jane', httpStatus: 403 },
    });
  });

  it('in a namespace without Cilium', async () => {
    const [context, namespace] = ['mesh-1', 'elsewhere'];
    const { exitCode, says } = failureOf(await meshctl([...argv, '-n', namespace]));
    expect(exitCode).toBe(2);
    expect(says).toBe(
      `✖ context "${context}": no Cilium in namespace ${namespace}; it is in kube-system\n` +
        `  → Name the namespace that has Cilium: meshctl ${argv.join(' ')} -n mesh-1=kube-system\n`,
    );
    expect(await failureAsData([...argv, '-n', namespace])).toMatchObject({
      exitCode: 2,
      code: 'Usage',
      details: { clusters: [{ context, namespace, elsewhere: ['kube-system'] }] },
    });
  });
});

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address ? address.port : 0;
}

describe('contexts and users', () => {
  it.each([
    [['clustermesh', 'connect'], 'no destination is named', 'Name contexts with --destination-context'],
    [connect('mesh-1', 'mesh-1'), 'context "mesh-1" is named twice', 'cannot be connected to itself'],
    [enable('mesh-1', '--as-group', 'admins'), 'a group can be impersonated only together with a user', 'Add --as'],
  ])('that do not go together: %j', async (argv, words, more) => {
    const { exitCode, says } = failureOf(await meshctl(argv));
    expect(exitCode).toBe(2);
    expect(says).toContain(words);
    expect(says).toContain(more);
  });
});

describe('status', () => {
  it('of a cluster without Cluster Mesh is unhealthy and says what to do', async () => {
    const { exitCode, stdout } = await meshctl(STATUS);
    expect(exitCode).toBe(1);
    expect(stdout).toBe('❌ Cluster Mesh is not enabled in mesh-1\n   → meshctl clustermesh enable --context mesh-1\n');
  });
});

describe('a peer', () => {
  it('that is not enabled, or half enabled, cannot be connected', async () => {
    const refusal = async () => {
      const result = failureOf(await meshctl(connect('mesh-1', 'mesh-2')));
      expect(result.exitCode).toBe(1);
      expect(result.says).toContain('  → Run: meshctl clustermesh enable --context mesh-2\n');
      return result.says.split('\n')[0];
    };
    const both = failureOf(await meshctl(connect('mesh-1', 'mesh-2'))).says;
    expect(both).toContain('context "mesh-1": Cluster Mesh is not enabled; context "mesh-2": Cluster Mesh is not');
    expect(both).toContain('  → Run: meshctl clustermesh enable --context mesh-1,mesh-2\n');
    await meshctl.ok(enable('mesh-1'));
    expect(await refusal()).toBe('✖ context "mesh-2": Cluster Mesh is not enabled');

    await meshctl.ok(enable('mesh-2'));
    two.store.delete(secretRef(NAMESPACE, SERVER_CERT_SECRET));
    expect(await refusal()).toBe(
      `✖ context "mesh-2": Cluster Mesh is only half enabled (there is no Secret ${SERVER_CERT_SECRET})`,
    );

    await meshctl.ok(enable('mesh-2'));
    two.store.delete(apiserverDeploymentRef(NAMESPACE));
    expect(await refusal()).toBe(
      '✖ context "mesh-2": Cluster Mesh is only half enabled (there is no Deployment clustermesh-apiserver)',
    );
    expect(await failureAsData(connect('mesh-1', 'mesh-2'))).toMatchObject({
      code: 'ClusterMeshNotEnabled',
      details: { clusters: [{ context: 'mesh-2', missing: ['Deployment clustermesh-apiserver'] }] },
    });

    await meshctl.ok(enable('mesh-2'));
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
  });
});

describe('a cluster that cannot be meshed', () => {
  it.each([
    ['the name default', { 'cluster-name': 'default' }, 'cluster name "default"', 'Restore the name "mesh-1"'],
    ['no name', { 'cluster-name': undefined }, 'cluster name "default"', 'Restore the name "mesh-1"'],
    ['a name that Cilium refuses', { 'cluster-name': 'Mesh_1' }, 'cluster name "Mesh_1"', 'Restore the name "mesh-1"'],
    ['the id 0', { 'cluster-id': '0' }, 'cluster id 0', 'Restore the id 1'],
    ['no id', { 'cluster-id': undefined }, 'cluster id 0', 'Restore the id 1'],
    ['an id out of range', { 'cluster-id': '256' }, 'cluster id 256', 'Restore the id 1'],
    [
      'an impossible size of the mesh',
      { 'max-connected-clusters': '300' },
      'max-connected-clusters 300',
      'Set max-connected-clusters',
    ],
    [
      'an external kvstore',
      { 'identity-allocation-mode': 'kvstore' },
      'an external kvstore',
      'explain cluster-identity',
    ],
    ['ztunnel', { 'enable-ztunnel': 'true' }, 'agents do not start', 'WireGuard or IPsec'],
    ['ztunnel before it has an id', { 'enable-ztunnel': 'true', 'cluster-id': '0' }, 'ztunnel', 'WireGuard or IPsec'],
    ['an id of cloud interfaces', { 'cluster-id': '130', ipam: 'eni' }, 'agents do not start', 'estore the id 1'],
  ])('because of %s', async (_what, values, words, hint) => {
    await withCiliumConfig(one, values, async () => {
      for (const argv of [enable('mesh-1'), connect('mesh-1', 'mesh-2')]) {
        const { exitCode, says } = failureOf(await meshctl(argv));
        expect(exitCode).toBe(1);
        expect(says).toContain('context "mesh-1": ');
        expect(says).toContain(words);
        expect(says).toContain(hint);
      }
      expect(await failureAsData(enable('mesh-1'))).toMatchObject({
        code: 'ClusterIdentity',
        details: { context: 'mesh-1', object: 'ConfigMap kube-system/cilium-config' },
      });
    });
  });

  it('because agents write no CiliumEndpoints, and the hint has them written', async () => {
    await withCiliumConfig(one, { 'disable-endpoint-crd': 'true' }, async () => {
      for (const argv of [enable('mesh-1'), connect('mesh-1', 'mesh-2')]) {
        const { exitCode, says } = failureOf(await meshctl(argv));
        expect(exitCode).toBe(1);
        expect(says).toContain('agents write no CiliumEndpoints (disable-endpoint-crd)');
        expect(says).toContain(`--patch '{"data":{"disable-endpoint-crd":"false"}}' && kubectl`);
        expect(says).toContain('rollout restart daemonset/cilium');
      }
    });
  });

  it.each([
    [
      'the same name',
      { 'cluster-name': 'mesh-2' },
      'cilium-config says "mesh-2" with the id 1, which is the name of context "mesh-2"',
      'Restore the name "mesh-1"',
    ],
    [
      'the same id',
      { 'cluster-id': '2' },
      'cilium-config says "mesh-1" with the id 2, which is the id of context "mesh-2"',
      'Restore the id 1',
    ],
    [
      'another size of the mesh',
      { 'max-connected-clusters': '511' },
      'max-connected-clusters differs (mesh-1: 511; mesh-2: 255)',
      '{"data":{"max-connected-clusters":"255"}}',
      'max-connected-clusters-equal',
    ],
  ])('with another because of %s', async (_what, values, words, hint, check?: string) => {
    await withCiliumConfig(one, values, async () => {
      const argv = connect('mesh-1', 'mesh-2');
      const { exitCode, says } = failureOf(await meshctl(argv));
      expect(exitCode).toBe(1);
      for (const part of [words, 'mesh-1', 'mesh-2', hint]) expect(says).toContain(part);
      expect(await failureAsData(argv)).toMatchObject({
        ...(check === undefined
          ? { code: 'ClusterIdentity' }
          : {
              code: 'Incompatible',
              details: { findings: expect.arrayContaining([expect.objectContaining({ id: check, severity: 'fail' })]) },
            }),
      });
    });
  });
});
