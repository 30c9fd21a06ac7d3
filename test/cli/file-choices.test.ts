import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { MeshDocument, WrittenCluster, WrittenEnable, WrittenSpec } from '../../src/mesh/file/document.ts';
import SCHEMA from '../../templates/schemas/mesh.schema.json' with { type: 'json' };
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

type Cluster = 'mesh-1' | 'mesh-2';

/** How a field of a file is chosen by flags, in which cluster; or why there is nothing of it that could stay. */
type Choice =
  | { in: Cluster; flags: readonly string[]; exported?: unknown; back?: Partial<WrittenEnable> }
  | { none: string };

const TOLERATION = { key: 'dedicated', operator: 'Equal', value: 'mesh', effect: 'NoSchedule' } as const;
const IMAGE = `quay.io/cilium/clustermesh-apiserver:v1.20.0@sha256:${'0'.repeat(64)}`;
const FIELD = 'Deployment/clustermesh-apiserver:spec.minReadySeconds';

/** Every field that a file can have of enable: one that is new has to be here. */
const CHOICES: Readonly<Record<keyof WrittenEnable, Choice>> = {
  serviceType: { in: 'mesh-1', flags: ['--service-type', 'NodePort'], exported: 'NodePort' },
  serviceAnnotations: { in: 'mesh-1', flags: ['--service-annotation', 'a=b'], exported: { a: 'b' } },
  nodePort: { in: 'mesh-1', flags: ['--node-port', '32123'], exported: 32123 },
  loadBalancerClass: { in: 'mesh-2', flags: ['--load-balancer-class', 'example.net/lb'], exported: 'example.net/lb' },
  loadBalancerIp: { in: 'mesh-2', flags: ['--load-balancer-ip', '172.18.9.9'], exported: '172.18.9.9' },
  loadBalancerSourceRanges: {
    in: 'mesh-2',
    flags: ['--load-balancer-source-ranges', '10.0.0.0/8'],
    exported: ['10.0.0.0/8'],
    back: { loadBalancerSourceRanges: [] },
  },
  externalTrafficPolicy: {
    in: 'mesh-1',
    flags: ['--external-traffic-policy', 'Local'],
    exported: 'Local',
    back: { externalTrafficPolicy: 'Cluster' },
  },
  // It stays as long as Cilium's version does, which a comment of the export says.
  image: { in: 'mesh-1', flags: ['--image', IMAGE] },
  pullSecrets: { in: 'mesh-1', flags: ['--pull-secret', 'regcred'], exported: ['regcred'], back: { pullSecrets: [] } },
  tolerations: {
    in: 'mesh-1',
    flags: ['--toleration', 'dedicated=mesh:NoSchedule'],
    exported: [TOLERATION],
    back: { tolerations: [] },
  },
  replicas: { in: 'mesh-1', flags: ['--replicas', '2'], exported: 2, back: { replicas: 1 } },
  kvstoremesh: {
    in: 'mesh-1',
    flags: ['--enable-kvstoremesh=false'],
    exported: false,
    back: { kvstoremesh: true },
  },
  resources: {
    in: 'mesh-1',
    flags: ['--resources', 'etcd:limits.memory=1Gi'],
    exported: { etcd: { limits: { memory: '1Gi' } } },
  },
  etcdStorage: { in: 'mesh-1', flags: ['--etcd-storage', 'memory'], exported: 'memory', back: { etcdStorage: 'disk' } },
  podDisruptionBudget: {
    in: 'mesh-1',
    flags: ['--pod-disruption-budget'],
    exported: true,
    back: { podDisruptionBudget: false },
  },
  serviceMonitor: { in: 'mesh-1', flags: ['--service-monitor'], exported: true, back: { serviceMonitor: false } },
  set: { in: 'mesh-1', flags: ['--set', `${FIELD}=1`], exported: { [FIELD]: 1 }, back: { set: {} } },
  certValidity: { in: 'mesh-1', flags: ['--cert-validity', '720h'], exported: '30d' },
  keySize: { in: 'mesh-2', flags: ['--key-size', '3072'], exported: 3072 },
  caFrom: { none: 'a cluster that has a CA keeps it' },
  ciliumVersion: { none: 'it is how the cluster is read' },
  maxConnectedClusters: { none: 'it is what the cluster must be' },
};

const chosen = Object.entries(CHOICES).flatMap(([field, choice]) => ('in' in choice ? [{ field, ...choice }] : []));
const FILE: WrittenSpec = {
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
  topology: { type: 'pairs', pairs: [] },
};

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  for (const { store } of sandbox.clusters) {
    const names = {
      kind: 'ServiceMonitor',
      listKind: 'ServiceMonitorList',
      plural: 'servicemonitors',
      singular: 'servicemonitor',
    };
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    store.create({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'servicemonitors.monitoring.coreos.com' },
      spec: {
        group: 'monitoring.coreos.com',
        scope: 'Namespaced',
        names,
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    });
  }
  for (const cluster of ['mesh-1', 'mesh-2'] as const) {
    const flags = chosen.filter((one) => one.in === cluster).flatMap((one) => one.flags);
    await meshctl.ok(enable(cluster, ...flags));
  }
});
afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const piped = (words: readonly string[], input: string) => meshctl([...words, '-f', '-'], { input });
const differs = async (spec: WrittenSpec) => (await piped(['diff'], meshText(spec))).stdout;

describe('what was chosen with enable and a file does not mention', () => {
  it('is every field that a file can have', () => {
    expect(Object.keys(CHOICES).sort()).toEqual(Object.keys(SCHEMA.$defs.enable.properties).sort());
  });

  it('is no difference, and stays when the file is applied', async () => {
    expect(await differs(FILE)).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
    const before = sandbox.clusters.map(({ store }) => store.get(refs.deployment('clustermesh-apiserver'))?.spec);
    const applied = await piped(['apply'], meshText(FILE));
    expect(applied.stdout, applied.stderr).toContain('Nothing to change');
    expect(sandbox.clusters.map(({ store }) => store.get(refs.deployment('clustermesh-apiserver'))?.spec)).toEqual(
      before,
    );
  });

  it('is in the export, which shows no difference either', async () => {
    const { stdout } = await meshctl.ok(['export', '--context', 'mesh-1,mesh-2']);
    const { spec } = parse(stdout) as MeshDocument;
    const written = (name: string) => ({
      ...spec.defaults?.enable,
      ...spec.clusters.find((cluster) => cluster.name === name)?.enable,
    });
    for (const one of chosen) {
      expect(written(one.in)[one.field as keyof WrittenEnable], one.field).toEqual(one.exported);
    }
    expect(stdout).toContain(`it runs ${IMAGE}`);
    expect((await piped(['diff'], stdout)).stdout).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
  });

  it('is, of certificates that are there, told where the file wants others, with what makes them so', async () => {
    const [one, two] = FILE.clusters as [WrittenCluster, WrittenCluster];
    const file = meshText({ ...FILE, clusters: [{ ...one, enable: { certValidity: '90d' } }, two] });
    const says =
      /mesh-1: certValidity of the file is for new certificates only; those in clustermesh-apiserver-server-cert, .* stay/;
    const mend = 'meshctl clustermesh certs rotate --context mesh-1 --cert-validity 90d';
    for (const command of ['diff', 'apply']) {
      const { stderr } = await piped([command], file);
      expect(stderr).toMatch(says);
      expect(stderr).toContain(mend);
    }
    await meshctl.ok([...mend.split(' ').slice(1), '--yes']);
    expect((await piped(['diff'], file)).stderr).not.toContain('certValidity');
    const exported = parse((await meshctl.ok(['export', '--context', 'mesh-1,mesh-2'])).stdout) as MeshDocument;
    expect(exported.spec.clusters[0]?.enable?.certValidity).toBe('90d');
    await meshctl.ok(['clustermesh', 'certs', 'rotate', '--context', 'mesh-1', '--cert-validity', '720h', '--yes']);
  });

  it('is as a default has it, but for one that is about another type of Service', async () => {
    const [one, two] = FILE.clusters as [WrittenCluster, WrittenCluster];
    const defaults = { enable: { nodePort: 32123 } };
    const typed = { ...FILE, defaults, clusters: [one, { ...two, enable: { serviceType: 'LoadBalancer' as const } }] };
    const told = await piped(['diff'], meshText(typed));
    // That its type is chosen by name now is noted.
    expect(told.stdout, told.stderr).toContain('update Deployment');
    expect(told.stdout).not.toMatch(/ Service |32123/);
    const refused = await piped(['diff'], meshText({ ...FILE, defaults }));
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(
      'context "mesh-2": nodePort of the file is for Services of type NodePort, and this one is of type LoadBalancer',
    );
    // A flag would make another Service of it, and the file would be refused as before.
    expect(refused.stderr.replaceAll(/\s+/g, ' ')).toContain('or say its serviceType: with LoadBalancer, one of the');
    expect(refused.stderr).not.toContain('meshctl clustermesh enable');
  });

  it.each(chosen.flatMap((one) => (one.back ? [one] : [])))(
    'is taken back by name: $field',
    async ({ in: at, back }) => {
      const clusters = FILE.clusters.map((cluster) =>
        cluster.name === at ? { ...cluster, enable: back ?? {} } : cluster,
      );
      expect(await differs({ ...FILE, clusters })).toContain(`Context ${at}:\n`);
    },
  );
});
