import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { kubectlStandIn } from '../support/kubectl-stand-in.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { clusterAt, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** What enable keeps is not always what an operator chose: the plan says whose it is, and how it becomes meshctl's again. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let cluster: SandboxCluster;

const SERVICE = refs.service('clustermesh-apiserver');
const DEPLOYMENT = refs.deployment('clustermesh-apiserver');

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  cluster = clusterAt(sandbox, 'mesh-1');
  await meshctl.ok(enable('mesh-1'));
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

interface Spec {
  type: string;
  ports: { nodePort?: number }[];
  template: { spec: { containers: Record<string, unknown>[]; volumes: { name: string; emptyDir?: unknown }[] } };
}
type Edit = (spec: Spec & Record<string, unknown>, object: KubeObject) => void;

const container = (spec: Spec, name: string) => spec.template.spec.containers.find((one) => one.name === name) ?? {};
/** Mappings and lists without anything in them are as none. */
const bare = (value: unknown) =>
  JSON.stringify(value)
    .replaceAll(/"\w+":(\{\}|\[\]),?/g, '')
    .replaceAll(',}', '}');
const specOf = (of: typeof SERVICE) => {
  let text = JSON.stringify(cluster.store.get(of)?.spec);
  for (let next = bare(JSON.parse(text)); next !== text; next = bare(JSON.parse(text))) text = next;
  return JSON.parse(text) as unknown;
};
const told = async () => {
  const { warnings = [] } = jsonOf(await meshctl(enable('mesh-1', '--dry-run', '-o', 'json'))) as {
    warnings?: string[];
  };
  return warnings.filter((warning) => / is kept as /.test(warning));
};
const type = async (line: string) => {
  for (const { program, argv } of printedCommands({ stdout: line, stderr: '' })) {
    if (program === 'kubectl') kubectlStandIn(sandbox.clusters, undefined, argv);
    else expect(await meshctl([...argv, '--yes'])).toMatchObject({ exitCode: 0 });
  }
};

describe('a setting that another hand has made', () => {
  it.each<[what: string, of: typeof SERVICE, edit: Edit]>([
    ['service-type NodePort', SERVICE, (spec) => Object.assign(spec, { type: 'NodePort' })],
    ['load-balancer-ip 172.18.1.77', SERVICE, (spec) => Object.assign(spec, { loadBalancerIP: '172.18.1.77' })],
    [
      'load-balancer-source-ranges 10.0.0.0/8,fd00::/8',
      SERVICE,
      (spec) => Object.assign(spec, { loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'] }),
    ],
    ['external-traffic-policy Local', SERVICE, (spec) => Object.assign(spec, { externalTrafficPolicy: 'Local' })],
    [
      'annotation networking.gke.io/load-balancer-type External',
      SERVICE,
      (_spec, { metadata }) =>
        Object.assign(metadata.annotations ?? {}, { 'networking.gke.io/load-balancer-type': 'External' }),
    ],
    ['replicas 3', DEPLOYMENT, (spec) => Object.assign(spec, { replicas: 3 })],
    [
      'etcd:limits.example.com/gpu 1',
      DEPLOYMENT,
      (spec) => Object.assign(container(spec, 'etcd'), { resources: { limits: { 'example.com/gpu': '1' } } }),
    ],
    [
      'tolerations [{"key":"a","operator":"Exists"}]',
      DEPLOYMENT,
      (spec) => Object.assign(spec.template.spec, { tolerations: [{ key: 'a', operator: 'Exists' }] }),
    ],
    [
      'pull secret mine',
      DEPLOYMENT,
      (spec) => Object.assign(spec.template.spec, { imagePullSecrets: [{ name: 'mine' }] }),
    ],
    [
      'etcd-storage memory',
      DEPLOYMENT,
      (spec) => {
        for (const volume of spec.template.spec.volumes)
          if (volume.name === 'etcd-data-dir') volume.emptyDir = { medium: 'Memory' };
      },
    ],
    [
      'image registry.example.com/cilium/clustermesh-apiserver:v1.20.0',
      DEPLOYMENT,
      (spec) =>
        Object.assign(container(spec, 'apiserver'), {
          image: 'registry.example.com/cilium/clustermesh-apiserver:v1.20.0',
        }),
    ],
  ])('is told with who made it and when, and what is printed makes it meshctl’s: %s', async (what, of, edit) => {
    expect(await told()).toEqual([]);
    const before = specOf(of);
    cluster.store.update(of, (object) => edit(object.spec as Parameters<Edit>[0], object), 'kubectl-edit');
    const notes = await told();
    expect(notes).toEqual([
      expect.stringMatching(/ is kept as kubectl-edit has set it at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ → /),
    ]);
    expect(notes[0]).toContain(`${what} is kept`);
    await type(notes[0] ?? '');
    expect(await told()).toEqual([]);
    expect(specOf(of)).toEqual(before);
  });

  it('is nobody else’s once it is chosen, and does not become a choice by a plain enable', async () => {
    const policy = (value: string) =>
      cluster.store.update(
        SERVICE,
        ({ spec }) => Object.assign(spec as object, { externalTrafficPolicy: value }),
        'kubectl-edit',
      );
    const noted = () => cluster.store.get(DEPLOYMENT)?.metadata.annotations?.['meshctl.io/service'] ?? '{}';
    policy('Local');
    await meshctl.ok(enable('mesh-1', '--yes'));
    expect(noted()).not.toContain('Local');
    expect(await told()).toHaveLength(1);
    expect((await meshctl.ok(enable('mesh-1', '--yes'))).stderr).toContain('external-traffic-policy Local is kept as');
    await meshctl.ok(enable('mesh-1', '--external-traffic-policy', 'Local', '--yes'));
    expect(noted()).toContain('Local');
    expect(await told()).toEqual([]);
  });

  it.each([
    ['etcd-storage memory', ['--etcd-storage', 'disk']],
    ['tolerations [', ['--toleration', 'none']],
  ])('is told also where this run wants none of it, which takes nothing away: %s', async (what, words) => {
    cluster.store.update(
      DEPLOYMENT,
      ({ spec }) => {
        const pod = (spec as Spec).template.spec;
        Object.assign(pod, { tolerations: [{ key: 'a', operator: 'Exists' }] });
        for (const volume of pod.volumes) if (volume.name === 'etcd-data-dir') volume.emptyDir = { medium: 'Memory' };
      },
      'kubectl-edit',
    );
    const { stderr } = await meshctl.ok(enable('mesh-1', ...words, '--force-conflicts', '--dry-run'));
    expect(stderr).toContain(`${what}`);
    expect(stderr).toContain('is kept as kubectl-edit has set it at ');
    for (const note of await told()) await type(note);
    expect(await told()).toEqual([]);
  });

  it('of a node port, too', async () => {
    await meshctl.ok(
      enable(
        'mesh-1',
        '--service-type',
        'NodePort',
        '--external-traffic-policy',
        'Cluster',
        '--yes',
        '--force-conflicts',
      ),
    );
    const portOf = () => (cluster.store.get(SERVICE)?.spec as Spec | undefined)?.ports[0]?.nodePort;
    const own = portOf();
    cluster.store.update(
      SERVICE,
      ({ spec }) => {
        for (const port of (spec as Spec).ports) port.nodePort = 31_111;
      },
      'kubectl-edit',
    );
    const notes = await told();
    expect(notes).toEqual([expect.stringContaining('node-port 31111 is kept as kubectl-edit has set it')]);
    await type(notes[0] ?? '');
    expect([await told(), portOf()]).toEqual([[], own]);
  });
});
