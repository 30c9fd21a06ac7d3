import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/pki/authority.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-enable-'));
  sandbox = await startTestSandbox({
    nodes: 1,
    withoutCa: true,
    clusters: [{}, { provider: 'kind' }, { provider: 'bare-metal' }],
  });
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
  await rm(directory, { recursive: true });
});

const meshctl = (...argv: string[]) =>
  runCli(['clustermesh', ...argv], { env: { KUBECONFIG: sandbox.kubeconfigPath }, cwd: directory });

interface Step {
  action: string;
  object: { kind: string; name: string };
  changes: { path: string; from?: unknown; to?: unknown }[];
  why: string;
}

async function planOf(...argv: string[]): Promise<Step[]> {
  const result = await meshctl('enable', ...argv, '--dry-run', '-o', 'json');
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  const { clusters } = jsonOf(result) as unknown as { clusters: { steps: Step[] }[] };
  return clusters.flatMap(({ steps }) => steps);
}

const changed = (steps: readonly Step[]) =>
  steps
    .filter(({ action }) => action !== 'keep')
    .map(({ action, object, changes }) => [action, object.kind, object.name, changes.map(({ path }) => path)]);

/** What is chosen of the Service is noted at the Deployment, for when the Service is lost. */
const SERVICE_NOTED = [
  ['update', 'Service', 'clustermesh-apiserver'],
  ['update', 'Deployment', 'clustermesh-apiserver'],
];

describe('enable --dry-run', () => {
  it('changes nothing, whether the API server is asked or not', async () => {
    const before = found(sandbox.clusters[0], 'cluster').store.list({ apiVersion: 'v1', kind: 'Secret' });
    for (const mode of ['client', 'server']) {
      const result = await meshctl('enable', '--context', 'mesh-1', `--dry-run=${mode}`);
      expect(result.exitCode, result.stderr).toBe(0);
      expect(result.stdout).toContain('+ create Deployment kube-system/clustermesh-apiserver');
      expect(result.stdout).toContain('# Service type LoadBalancer: the only node has a providerID gce://');
      expect(result.stdout).toContain('Plan: 14 to create.\nNothing was changed');
    }
    expect(found(sandbox.clusters[0], 'cluster').store.list({ apiVersion: 'v1', kind: 'Secret' })).toEqual(before);
  });

  it('gives the objects as manifests without a private key', async () => {
    const { stdout, exitCode } = await meshctl('enable', '--context', 'mesh-1', '--dry-run', '-o', 'manifests');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('kind: Deployment');
    expect(stdout).toContain('# left out: Secret kube-system/cilium-ca');
    expect(stdout).not.toContain('kind: Secret');
    // A sync would put an empty list back, and shut out whoever was connected since.
    expect(stdout).toMatch(/# left out: ConfigMap kube-system\/clustermesh-remote-users: .*users of peers/);
    expect(stdout).not.toContain('users.yaml:');
  });

  it('shows what the API server refuses, and fails', async () => {
    const { stdout, exitCode } = await meshctl(
      'enable',
      '--context',
      'mesh-1',
      '--dry-run=server',
      '--node-port',
      '80',
      '--service-type',
      'NodePort',
    );
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/~|\+ create Service kube-system\/clustermesh-apiserver/);
    expect(stdout).toMatch(/the API server refuses 1 of the steps/);
  });
});

describe('enable', () => {
  it('takes several clusters at once, with one CA for the mesh', async () => {
    const result = await meshctl('enable', '--context', 'mesh-1,mesh-2', '--ca-from-context', 'mesh-1', '-o', 'json');
    expect(result.exitCode, result.stderr).toBe(0);
    const { clusters } = jsonOf(result) as unknown as { clusters: { service: { type: string } }[] };
    expect(clusters.map(({ service }) => service.type)).toEqual(['LoadBalancer', 'NodePort']);
    const [one, two] = sandbox.clusters.map(({ store }) => store.get(refs.secret('cilium-ca'))?.data);
    expect(one).toEqual(two);
  });

  it('keeps everything on the second run', async () => {
    expect(changed(await planOf('--context', 'mesh-1,mesh-2'))).toEqual([]);
  });

  it.each<[string[], unknown[]]>([
    [['--replicas', '1'], []],
    [['--image', 'mirror.example/clustermesh-apiserver:v1.20.0'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--resources', 'etcd:limits.memory=1Gi'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--pull-secret', 'regcred'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--toleration', 'dedicated=mesh:NoSchedule'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--toleration', 'none'], []],
    [['--etcd-storage', 'memory'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--pod-disruption-budget'], [['create', 'PodDisruptionBudget', 'clustermesh-apiserver']]],
    [['--external-traffic-policy', 'Local'], SERVICE_NOTED],
    [['--load-balancer-source-ranges', '10.0.0.0/8'], SERVICE_NOTED],
    [
      ['--load-balancer-ip', '10.9.9.9'],
      [
        ['update', 'Service', 'clustermesh-apiserver'],
        ['update', 'Secret', 'clustermesh-apiserver-server-cert'],
        ['update', 'Deployment', 'clustermesh-apiserver'],
      ],
    ],
    [['--service-annotation', 'a=b'], SERVICE_NOTED],
    // It is what is detected now; what is when the Service is lost, nobody knows.
    [['--service-type', 'LoadBalancer'], [['update', 'Deployment', 'clustermesh-apiserver']]],
    [['--set', 'ClusterRole:metadata.labels[team]=x'], [['update', 'ClusterRole', 'clustermesh-apiserver']]],
  ])('%j plans exactly that', async (flags, expected) => {
    const steps = await planOf('--context', 'mesh-1', ...flags);
    expect(changed(steps).map((step) => step.slice(0, 3))).toEqual(expected);
  });

  it('goes on with what was chosen, until it is chosen otherwise', async () => {
    const chosen = [
      ...['--resources', 'limits.memory=1Gi', '--pod-disruption-budget', '--etcd-storage', 'memory'],
      ...['--set', 'Deployment:spec.template.spec.priorityClassName=mine', '--external-traffic-policy', 'Local'],
      ...['--load-balancer-source-ranges', '10.0.0.0/8,192.168.0.0/16', '--pull-secret', 'regcred'],
      ...['--toleration', 'dedicated=mesh:NoSchedule', '--toleration', 'spot:NoExecute'],
    ];
    expect((await meshctl('enable', '--context', 'mesh-1', ...chosen)).exitCode).toBe(0);
    expect(changed(await planOf('--context', 'mesh-1'))).toEqual([]);
    const tolerations = () => {
      const deployment = found(sandbox.clusters[0]?.store.get(refs.deployment('clustermesh-apiserver')), 'it');
      return (deployment.spec as { template: { spec: { tolerations?: unknown[] } } }).template.spec.tolerations;
    };
    const both = [
      { key: 'dedicated', operator: 'Equal', value: 'mesh', effect: 'NoSchedule' },
      { key: 'spot', operator: 'Exists', effect: 'NoExecute' },
    ];
    expect(tolerations()).toEqual(both);
    expect(changed(await planOf('--context', 'mesh-1', '--toleration', 'spot:NoExecute'))).toEqual([]);
    const values = await meshctl('helm-values', '--context', 'mesh-1', '-o', 'json');
    expect(JSON.parse(values.stdout)).toMatchObject({ clustermesh: { apiserver: { tolerations: both } } });
    expect((await planOf('--context', 'mesh-1', '--toleration', 'none')).length).toBeGreaterThan(0);

    const back = ['--pod-disruption-budget=false', '--set', 'Deployment:spec.template.spec.priorityClassName=null'];
    expect(changed(await planOf('--context', 'mesh-1', ...back))).toEqual([
      [
        'update',
        'Deployment',
        'clustermesh-apiserver',
        ['spec.template.spec.priorityClassName', 'metadata.annotations.meshctl.io/set'],
      ].map((entry) =>
        Array.isArray(entry) ? expect.arrayContaining(['spec.template.spec.priorityClassName']) : entry,
      ),
      ['delete', 'PodDisruptionBudget', 'clustermesh-apiserver', []],
    ]);
  });

  it.each([
    [
      'LoadBalancer',
      [
        ...['--load-balancer-source-ranges', '10.0.0.0/8', '--service-annotation', 'a=b'],
        ...[
          '--external-traffic-policy',
          'Cluster',
          '--set',
          'Service/clustermesh-apiserver:metadata.labels[team]=mesh',
        ],
      ],
    ],
    ['NodePort', ['--service-type', 'NodePort', '--node-port', '31999', '--external-traffic-policy', 'Local']],
  ])('makes a lost Service of type %s as it was chosen', async (type, flags) => {
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const service = () => {
      const { metadata, spec } = found(store.get(refs.service('clustermesh-apiserver')), 'the Service');
      const { ports, loadBalancerSourceRanges, externalTrafficPolicy } = spec as Record<string, unknown>;
      const [{ nodePort }] = ports as [{ nodePort: number }];
      const isChosen = type === 'NodePort' ? { nodePort } : {};
      const { labels, annotations } = metadata;
      return {
        labels,
        annotations,
        type: (spec as { type: string }).type,
        loadBalancerSourceRanges,
        externalTrafficPolicy,
        ...isChosen,
      };
    };
    expect((await meshctl('enable', '--context', 'mesh-1', ...flags)).exitCode).toBe(0);
    const before = service();
    expect(before.type).toBe(type);
    store.delete(refs.service('clustermesh-apiserver'));
    const mended = await meshctl('enable', '--context', 'mesh-1');
    expect(mended.exitCode, mended.stderr).toBe(0);
    expect(service()).toEqual(before);
    expect(changed(await planOf('--context', 'mesh-1'))).toEqual([]);

    // Chosen anew, what no longer fits is left out.
    store.delete(refs.service('clustermesh-apiserver'));
    const other = type === 'NodePort' ? 'LoadBalancer' : 'NodePort';
    const steps = await planOf('--context', 'mesh-1', '--service-type', other);
    expect(changed(steps).map((step) => step.slice(0, 2))).toContainEqual(['create', 'Service']);
    const back = type === 'NodePort' ? ['--service-type', other, '--external-traffic-policy', 'Cluster'] : [];
    expect((await meshctl('enable', '--context', 'mesh-1', ...back)).exitCode).toBe(0);
  });

  it('removes what KVStoreMesh needed when it is switched off', async () => {
    const steps = changed(await planOf('--context', 'mesh-2', '--enable-kvstoremesh=false'));
    expect(steps.filter(([action]) => action === 'delete').map(([, , name]) => name)).toEqual([
      'clustermesh-apiserver-local-cert',
      'cilium-kvstoremesh',
    ]);
  });

  it('tells the result of every cluster when one fails', async () => {
    const broken = found(sandbox.clusters[2], 'cluster');
    broken.store.update(refs.configMap('cilium-config'), (config) => {
      config.data = { ...(config.data as object), 'cluster-id': '0' };
    });
    const result = await meshctl('enable', '--context', 'mesh-1,mesh-3', '-o', 'json');
    expect(result.exitCode).toBe(1);
    expect(jsonOf(result)).toMatchObject({
      clusters: [{ context: 'mesh-1' }],
      failures: [{ context: 'mesh-3', error: { code: 'ClusterIdentity', hint: expect.any(String) } }],
    });
    const text = await meshctl('enable', '--context', 'mesh-1,mesh-3');
    expect(text.stdout).toContain('✅ Cluster Mesh is enabled in mesh-1');
    expect(text.stdout).toContain('❌ enable has failed in context mesh-3');
  });

  it.each<[string[], RegExp]>([
    [['--load-balancer-source-ranges', '10.0.0.0'], /is not a CIDR/],
    [['--load-balancer-ip', 'here'], /is not an IP address/],
    [['--load-balancer-ip', '10'], /is not an IP address/],
    [['--load-balancer-source-ranges', '10/8'], /is not a CIDR/],
    [['--load-balancer-ip', '10.0.0.1', '--service-type', 'NodePort'], /cannot be used with --service-type NodePort/],
    [['--node-port', '99999'], /is not a port/],
    [['--resources', 'memory=1Gi'], /is not requests\.RESOURCE=QUANTITY/],
    [['--resources', 'nope:limits.memory=1Gi'], /there is no container "nope"/],
    [['--set', 'deployment.spec.replicas=2'], /is not Kind\/name:path=value/],
    [['--set', 'Deployment:spec.template.spec.nope=2'], /PodSpec has no field "nope"/],
    [['--ca-cert', 'x.pem'], /--ca-cert and --ca-key must be given together/],
    [['-o', 'manifests'], /requires --dry-run/],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await meshctl('enable', '--context', 'mesh-1', ...flags);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(2);
  });

  it('checks the size of the mesh', async () => {
    const { exitCode, stderr } = await meshctl('enable', '--context', 'mesh-1', '--max-connected-clusters', '511');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('max-connected-clusters is 255, not 511');
  });
});

describe('the CA', () => {
  const caFiles = async (name: string, now = new Date()) => {
    const { certificate, privateKey } = await createAuthority({ commonName: name, now });
    const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
    await Promise.all([writeFile(cert, certificate), writeFile(key, privateKey, { mode: 0o600 })]);
    return ['--ca-cert', cert, '--ca-key', key];
  };
  const fingerprint = () => {
    const deployment = found(sandbox.clusters[0], 'cluster').store.get(refs.deployment('clustermesh-apiserver'));
    const { template } = found(deployment, 'the Deployment').spec as {
      template: { metadata: { annotations: Record<string, string> } };
    };
    return template.metadata.annotations['meshctl.io/ca'];
  };

  it('is never replaced without --replace-ca, and a question', async () => {
    const files = await caFiles('other');
    const refused = await meshctl('enable', '--context', 'mesh-1', ...files);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/holds a different CA than .*other\.crt/);
    const unasked = await meshctl('enable', '--context', 'mesh-1', ...files, '--replace-ca');
    expect(unasked.exitCode).toBe(2);
    expect(unasked.stderr).toContain('then confirm it: meshctl clustermesh ');
  });

  it('of files is refused where it is not valid yet', async () => {
    const files = await caFiles('ahead', new Date(Date.now() + 30 * 60 * 60 * 1000));
    const { exitCode, stderr } = await meshctl('enable', '--context', 'mesh-1', ...files, '--replace-ca', '--dry-run');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/ahead\.crt: the CA is not valid before 2/);
  });

  it('shows what will restart, and restarts it', async () => {
    const files = await caFiles('new');
    const before = fingerprint();
    const plan = await meshctl('enable', '--context', 'mesh-1', ...files, '--replace-ca', '--dry-run');
    expect(plan.stdout).toContain('Replacing the CA restarts the clustermesh-apiserver');
    expect(plan.stdout).toContain('~ update Deployment kube-system/clustermesh-apiserver');
    const replace = ['enable', '--context', 'mesh-1', ...files, '--replace-ca', '--cert-validity', '90d'];
    const done = await meshctl(...replace, '--yes');
    expect(done.exitCode, done.stderr).toBe(0);
    expect(fingerprint()).not.toBe(before);
    expect(changed(await planOf('--context', 'mesh-1', ...files, '--replace-ca'))).toEqual([]);
    // What was chosen for certificates holds for those that come later.
    found(sandbox.clusters[0], 'cluster').store.delete(refs.secret('clustermesh-apiserver-admin-cert'));
    const anew = await meshctl('enable', '--context', 'mesh-1', '--dry-run');
    expect(anew.stdout).toContain('certificate admin-mesh-1 (2048 bit, 90 days)');
    const otherwise = await meshctl('enable', '--context', 'mesh-1', '--dry-run', '--cert-validity', '30d');
    expect(otherwise.stdout).toContain('certificate admin-mesh-1 (2048 bit, 90 days → 30 days)');
  });

  it('asks on a terminal, and takes no for an answer', async () => {
    const argv = ['clustermesh', 'enable', '--context', 'mesh-1', '--replace-ca'];
    const options = { env: { KUBECONFIG: sandbox.kubeconfigPath }, answers: ['n'] };
    const before = fingerprint();
    const { exitCode, stderr } = await runCli(argv, options);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Replace the CA of mesh-1? [y/N]');
    expect(stderr).toContain('~ update Secret kube-system/cilium-ca (replaced by a new CA)');
    expect(stderr).toContain('nothing was changed');
    expect(fingerprint()).toBe(before);
  });

  it('without its key keeps what is valid, and says what would be needed', async () => {
    const store = found(sandbox.clusters[1], 'cluster').store;
    store.update(refs.secret('cilium-ca'), (secret) => {
      const { 'ca.key': _key, ...data } = secret.data as Record<string, string>;
      secret.data = data;
    });
    expect(changed(await planOf('--context', 'mesh-2'))).toEqual([]);
    store.delete(refs.secret('clustermesh-apiserver-admin-cert'));
    const { exitCode, stderr } = await meshctl('enable', '--context', 'mesh-2', '--dry-run');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/certificate admin-mesh-2 cannot be issued: Secret kube-system\/cilium-ca has no ca\.key/);
    expect(stderr).toMatch(/meshctl clustermesh enable --context mesh-2 --ca-cert '<file>' --ca-key '<file>'/);
  });
});
