import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { podSpec, templateSpec } from '../../src/mesh/objects/workload.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { failureOf, jsonOf, runCli } from '../support/cli.ts';
import { enable } from '../support/e2e-cli.ts';
import { kubeconfigWithDown } from '../support/e2e-kubeconfig.ts';
import { installMeshctl } from '../support/installed.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT, requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let folder: string;
/** mesh-1 (1.20.0, enabled), mesh-2 (1.20.0 and one agent of a mirror without tags), mesh-3 (1.18.3), and one that is down. */
let kubeconfig: string;
let version: string;
/** What mesh-1 forbids. */
let forbidden: string | undefined;

const meshctl = (...argv: string[]) => runCli(argv, { env: { KUBECONFIG: kubeconfig } });

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: [{ nodes: 2 }, { nodes: 3 }, { nodes: 1, ciliumVersion: '1.18.3' }],
    intercept: async (context, { resource, subresource = resource }) => {
      if (context === 'mesh-1' && resource !== undefined && subresource === forbidden) {
        throw new ApiError(
          403,
          'Forbidden',
          `${resource} is forbidden: User "ann" cannot list resource "${resource}" in API group ""`,
        );
      }
      return undefined;
    },
  });
  folder = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  kubeconfig = await kubeconfigWithDown(sandbox.kubeconfigPath);
  ({ version } = JSON.parse(await readFile(new URL('package.json', PACKAGE_ROOT), 'utf8')) as { version: string });
  expect((await meshctl(...enable('mesh-1'))).exitCode).toBe(0);
  const { store } = found(sandbox.clusters[1], 'mesh-2');
  const agents = store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
  const images = [`registry.example/cilium@sha256:${'0'.repeat(64)}`, 'quay.io/cilium/cilium:v1.19.9'];
  images.forEach((image, index) => {
    const { name } = found(agents[index], 'an agent').metadata;
    store.update({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name }, ({ spec }) => {
      found((spec as { containers: { image: string }[] }).containers[0], 'its container').image = image;
    });
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await sandbox?.close();
});

describe('version', () => {
  it('of meshctl alone asks no cluster', async () => {
    const result = await runCli(['version', '--client'], { env: { KUBECONFIG: '/nowhere' } });
    expect(result).toEqual({ exitCode: 0, stdout: `meshctl ${version} (Node.js ${process.version})\n`, stderr: '' });
    const json = await runCli(['version', '--client', '-o', 'json']);
    expect(jsonOf(json)).toMatchObject({ client: { version, node: process.version } });
    expect(failureOf(await meshctl('version', '--client', '--all'))).toMatchObject({ exitCode: 2 });
  });

  it('is told without a kubeconfig too, but not for one that was named', async () => {
    const env = { KUBECONFIG: join(folder, 'none') };
    const { exitCode, stdout, stderr } = await runCli(['version'], { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `meshctl ${version} (Node.js ${process.version})\n` });
    expect(stderr).toMatch(/^⚠ no cluster was asked: no kubeconfig: .*none does not exist\n$/);
    expect((await runCli(['version', '--context', 'a'], { env })).exitCode).toBe(2);
    expect((await meshctl('version', '--context', 'zz')).exitCode).toBe(2);
  });

  it('shows a row for each cluster, every version of agents, and whether they go together', async () => {
    const { exitCode, stdout } = await meshctl('version', '--context', 'mesh-1,mesh-2');
    expect(exitCode).toBe(0);
    const rows = stdout.split('\n').map((row) => row.split(/ {2,}/));
    expect(rows).toContainEqual(['mesh-1', 'mesh-1', 'v1.36.1-gke.1000', '1.20.0', '1.20.0', '3.6.0-sandbox', 'on']);
    expect(rows).toContainEqual(['mesh-2', 'mesh-2', 'v1.36.1-gke.1000', '1.20.0 (2)', '–', '–', '–']);
    expect(rows).toContainEqual(['', '1.19.9 (1)']);
    expect(rows).toContainEqual(['CONTEXT', 'CILIUM MADE BY', 'APISERVER MADE BY']);
    expect(rows).toContainEqual(['mesh-1', 'helm', 'meshctl']);
    expect(rows).toContainEqual(['mesh-2', 'helm', '–']);
    const [, , ...table] = (stdout.split('\n✅')[0] ?? '').split('\n');
    for (const row of table) expect([...row].length, row).toBeLessThanOrEqual(80);
    expect(stdout).toContain(
      '\n✅ These versions are compatible\n  ! context "mesh-2": agents of 1.19 and 1.20 run side by side (of 1.19: cilium-',
    );
  });

  it('tells a skew that is not supported, and exits 1', async () => {
    const { exitCode, stdout } = await meshctl('version', '--context', 'mesh-1,mesh-3');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('❌ These versions are not compatible');
    expect(stdout).toContain('✗ Cilium versions are more than one minor apart (mesh-3: 1.18.3; mesh-1: 1.20.0)');
    expect(stdout).toContain('! context "mesh-3": Cilium 1.18 is not tested with Kubernetes v1.36.1-gke.1000');
    const document = jsonOf(await meshctl('version', '--context', 'mesh-1,mesh-3', '-o', 'json'));
    expect(document).toMatchObject({
      supported: false,
      findings: [{ id: 'kubernetes-tested' }, { id: 'version-skew' }],
      clusters: [{ madeBy: { cilium: 'helm', apiserver: 'meshctl' } }, { madeBy: { cilium: 'helm' } }],
    });
    requireValid(document);
  });

  it.each([['mesh-1,down'], ['down']])('names the cluster that does not answer, of %s', async (contexts) => {
    const { exitCode, stdout } = await meshctl('version', '--context', contexts);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^meshctl /);
    expect(stdout).toContain('❌ context "down": ');
    expect(stdout.includes('\nmesh-1 ')).toBe(contexts !== 'down');
    const document = jsonOf(await meshctl('version', '--context', contexts, '-o', 'json'));
    expect(document).toMatchObject({
      client: { version },
      unreachable: [{ context: 'down', code: 'ClusterUnreachable' }],
    });
  });

  it('does not say that it read what no cluster told', async () => {
    const config = parse(await readFile(kubeconfig, 'utf8'));
    const [down] = config.contexts.filter(({ name }: { name: string }) => name === 'down');
    const path = join(folder, 'down.yaml');
    await writeFile(path, stringify({ ...config, contexts: [down, { ...down, name: 'down-2' }] }));
    const none = await meshctl('version', '--context', 'down,down-2', '--kubeconfig', path);
    expect(none.exitCode).toBe(3);
    expect(none.stderr).not.toMatch(/Read/);
    expect((await meshctl('version', '--context', 'mesh-1,down')).stderr).toContain(
      '✔ Read the versions of 1 cluster\n',
    );
  });

  it.each(['pods', 'deployments'])('says nothing about %s that may not be read', async (resource) => {
    forbidden = resource;
    try {
      const { exitCode, stdout } = await meshctl('version', '--context', 'mesh-1');
      expect(exitCode).toBe(3);
      expect(stdout).toContain('may not be read');
      expect(stdout).toContain('❔ Not all versions are known');
    } finally {
      forbidden = undefined;
    }
  });

  it('that only agents tell is the one that enable goes by', async () => {
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const ref = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };
    // No node of the sandbox can pull it: the pods are to stay.
    store.update(ref, (object) => Object.assign(object.spec as object, { updateStrategy: { type: 'OnDelete' } }));
    const withImage = (image: string) => {
      const pods = store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
      const changed = [ref, ...pods.map(refOf)].map((one) => {
        let former = '';
        store.update(one, (object) => {
          const { containers = [] } = one === ref ? templateSpec(object) : podSpec(object);
          const container = found(
            containers.find(({ name }) => name === 'cilium-agent'),
            'agent',
          );
          former = container.image ?? '';
          container.image = image;
        });
        return former;
      });
      return found(changed[0], 'the former image');
    };
    const former = withImage(`quay.io/cilium/cilium@sha256:${'0'.repeat(64)}`);
    const enable = ['clustermesh', 'enable', '--context', 'mesh-1', '--dry-run'];
    const told = await meshctl(...enable);
    forbidden = 'exec';
    const untold = await meshctl(...enable).finally(() => {
      forbidden = undefined;
    });
    withImage(former);
    expect(told).toMatchObject({ exitCode: 0 });
    expect(`${told.stdout}${told.stderr}`).toContain('Cilium 1.20.0');
    expect(untold).toMatchObject({ exitCode: 1 });
    expect(untold.stderr).toContain('and no agent told it');
    expect(untold.stderr).toContain('--cilium-version');
  });

  it('is that of the pods that run, where a rollout does not get on', async () => {
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' };
    const serving = found(store.list({ ...pods, labels: { 'k8s-app': 'clustermesh-apiserver' } })[0], 'its pod');
    const setImage = (tag: string) =>
      store.update(refOf(serving), (pod) => {
        const own = podSpec(pod).containers?.find(({ name }) => name === 'apiserver');
        found(own, 'the container').image = `quay.io/cilium/clustermesh-apiserver:${tag}`;
      });
    const waiting = { ...pods, name: 'cilium-waits' };
    setImage('v1.18.3');
    store.create({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: {
        ...{ name: waiting.name, namespace: waiting.namespace, labels: { 'k8s-app': 'cilium' } },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'other', uid: 'u', controller: true }],
      },
      spec: { containers: [{ name: 'cilium-agent', image: 'registry.invalid/cilium/cilium:v1.17.3' }] },
    });
    try {
      const { exitCode, stdout } = await meshctl('version', '--context', 'mesh-1');
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: expect.stringMatching(/ 1\.20\.0 +1\.18\.3 /) });
      expect(stdout).toContain('✗ context "mesh-1": the clustermesh-apiserver is 1.18.3, the agents are 1.20');
      expect(stdout).toContain(
        'the Deployment clustermesh-apiserver has 1.20.0, and 1.18.3 runs: an upgrade is under way',
      );
      // The Deployment has what enable would give it.
      expect(stdout).not.toContain('clustermesh enable');
      expect(stdout).toContain('! context "mesh-1": 1 agent of 1.17.3 is not ready: an upgrade is under way');
      const report = jsonOf(await meshctl('version', '--context', 'mesh-1', '-o', 'json'));
      requireValid(report);
      expect(report).toMatchObject({
        supported: false,
        clusters: [
          {
            waiting: [{ version: '1.17.3', pods: 1 }],
            apiserver: { version: '1.18.3', pods: 1, wanted: { version: '1.20.0' } },
          },
        ],
      });
    } finally {
      setImage('v1.20.0');
      store.delete(waiting);
    }
  });

  it('is not known to go together where no agent runs, and is nothing to judge without Cilium', async () => {
    const { store, settled } = found(sandbox.clusters[2], 'mesh-3');
    const agents = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };
    const config = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
    store.update(agents, (set) => {
      templateSpec(set).nodeSelector = { no: 'node' };
    });
    await settled();
    const none = await meshctl('version', '--context', 'mesh-3');
    expect(none).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('❔ Not all versions are known') });
    const { metadata, ...object } = found(store.get(config), 'cilium-config');
    store.delete(config);
    try {
      expect((await meshctl('version', '--context', 'mesh-3')).exitCode).toBe(0);
    } finally {
      store.create({ ...object, metadata: { name: metadata.name, namespace: 'kube-system' } });
      store.update(agents, (set) => {
        delete templateSpec(set).nodeSelector;
      });
      await settled();
    }
  });

  it('says that a clustermesh-apiserver of a version does not run', async () => {
    const { store, settled } = found(sandbox.clusters[0], 'mesh-1');
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-system',
      name: 'clustermesh-apiserver',
    };
    const scale = async (replicas: number) => {
      store.update(deployment, (object) => Object.assign(object.spec as object, { replicas }));
      await settled();
    };
    await scale(0);
    try {
      const { stdout } = await meshctl('version', '--context', 'mesh-1');
      expect(stdout).toContain('! context "mesh-1": no pod of the clustermesh-apiserver runs');
    } finally {
      await scale(1);
    }
    const { clusters, findings } = jsonOf(await meshctl('version', '--context', 'mesh-1', '-o', 'json'));
    expect({ clusters, findings }).toMatchObject({ clusters: [{ apiserver: { pods: 1 } }], findings: [] });
  });

  it('has the commit of the checkout that it was built in', async () => {
    const installed = await installMeshctl();
    try {
      const printed = execFileSync(process.execPath, [installed.entry, 'version', '--client', '-o', 'json'], {
        encoding: 'utf8',
      });
      const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: PACKAGE_ROOT, encoding: 'utf8' }).trim();
      expect(JSON.parse(printed)).toMatchObject({ client: { version, commit: head } });
    } finally {
      await installed.remove();
    }
  });
});
