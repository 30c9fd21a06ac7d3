import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CliOptions, jsonOf, runCli } from '../support/cli.ts';
import { addService, type ServiceClusters, serviceObjects, startServiceClusters } from '../support/service-clusters.ts';

let clusters: ServiceClusters;

interface Described {
  ready: number;
  uses: { cluster: string; backends: number }[];
  backends: { address: string; state: string; zone?: string; maintenance?: boolean }[];
}

const meshctl = (argv: readonly string[], options: CliOptions = {}) =>
  runCli(['service', ...argv], { ...options, env: { KUBECONFIG: clusters.kubeconfigPath } });

async function described(name: string, ...more: string[]): Promise<Record<string, Described | undefined>> {
  const result = await meshctl(['describe', `default/${name}`, '--context', 'one,two', ...more, '-o', 'json']);
  const { service } = jsonOf(result) as { service?: { clusters: { cluster: string; definition?: Described }[] } };
  return Object.fromEntries(service?.clusters.map(({ cluster, definition }) => [cluster, definition]) ?? []);
}

/** A slice of a Service beside its own. */
function slice(service: string, name: string, overrides: Record<string, unknown> = {}): KubeObject {
  const { labels = {}, annotations = {}, ...rest } = overrides as { labels?: object; annotations?: object };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': service, ...labels },
      annotations: { ...annotations },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.0.9.9'], conditions: { ready: true } }],
    ...rest,
  };
}

beforeAll(async () => {
  clusters = await startServiceClusters(['one', 'two']);
  const { one, two } = clusters.stores;
  addService(one, 'mirrored');
  one?.create(
    slice('mirrored', 'mirrored-mesh-2', {
      labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-mesh-controller.cilium.io' },
    }),
  );
  addService(one, 'dual', { ready: 2, spec: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' } });
  const v6 = [{ addresses: ['fd00::1'] }, { addresses: ['fd00::2'] }];
  one?.create(slice('dual', 'dual-v6', { addressType: 'IPv6', endpoints: v6 }));
  addService(one, 'moving', { ready: 1 });
  one?.create(slice('moving', 'moving-2', { endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.7'] }] }));
  addService(one, 'resting', { ready: 0 });
  one?.create(slice('resting', 'resting-0', { annotations: { 'service.cilium.io/weight': '0' } }));
  addService(two, 'resting', { ready: 0 });
  addService(one, 'leaving', { ready: 0 });
  const terminating = (serving: boolean) => ({ ready: false, serving, terminating: true });
  one?.create(
    slice('leaving', 'leaving-2', {
      endpoints: [
        { addresses: ['10.0.1.1'], conditions: terminating(true) },
        { addresses: ['10.0.1.2'], conditions: terminating(false) },
      ],
    }),
  );
  addService(two, 'leaving', { ready: 0 });
  addService(one, 'elsewhere');
  const [twin] = serviceObjects('elsewhere', { mesh: {} });
  if (twin) two?.create({ ...twin, metadata: { ...twin.metadata, namespace: 'kube-system' } });
});
afterAll(() => clusters.close());

describe('a peer whose file cannot be read', () => {
  it('is none whose backends agents would use', async () => {
    const { one, two } = clusters.stores;
    addService(one, 'astray');
    addService(two, 'astray');
    expect((await described('astray'))['mesh-1']?.uses.map(({ cluster }) => cluster)).toEqual(['mesh-1', 'mesh-2']);
    const secret = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-clustermesh' };
    const write = (text: string) =>
      one?.update(secret, (live) => {
        live.data = { 'mesh-2': Buffer.from(text).toString('base64') };
      });
    write('endpoints: [ https://192.0.2.1:2379');
    expect((await described('astray'))['mesh-1']?.uses.map(({ cluster }) => cluster)).toEqual(['mesh-1']);
    write('endpoints:\n- https://192.0.2.1:2379\n');
  });
});

describe("a service's backends", () => {
  it("leave out the slices that mirror another cluster's", async () => {
    expect((await described('mirrored'))['mesh-1']?.backends.map(({ address }) => address)).toEqual(['10.0.0.1']);
  });

  it('count a dual-stack pod once', async () => {
    expect((await described('dual'))['mesh-1']).toMatchObject({ ready: 2, uses: [{ cluster: 'mesh-1', backends: 2 }] });
  });

  it('are used over their own family of addresses only', async () => {
    addService(clusters.stores.one, 'astride', { spec: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' } });
    const v6 = { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' };
    addService(clusters.stores.two, 'astride', { ready: 0, spec: v6 });
    const { 'mesh-1': one, 'mesh-2': two } = await described('astride');
    expect([one?.uses, two?.uses]).toEqual([[{ cluster: 'mesh-1', backends: 1 }], []]);
  });

  it('count an address once that is in two slices', async () => {
    expect((await described('moving'))['mesh-1']?.backends.map(({ address }) => address).sort()).toEqual([
      '10.0.0.1',
      '10.0.0.7',
    ]);
  });

  it('are none where they are ready and no container has the port that targetPort names, and that is told', async () => {
    const { one, two } = clusters.stores;
    const spec = { ports: [{ name: 'http', port: 80, targetPort: 'web' }] };
    addService(one, 'unnamed', { ready: 3, spec });
    addService(two, 'unnamed', { ready: 3, spec });
    two?.update(
      { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default', name: 'unnamed-abcde' },
      // As Kubernetes writes it then.
      (live) => {
        live.ports = [];
      },
    );
    const { 'mesh-1': first, 'mesh-2': second } = await described('unnamed');
    expect(first).toMatchObject({ ready: 3, uses: [{ cluster: 'mesh-1', backends: 3 }] });
    expect(second).toMatchObject({ ready: 0, uses: [{ cluster: 'mesh-1', backends: 3 }] });
    expect(second?.backends.map(({ state }) => state)).toEqual(['unused', 'unused', 'unused']);
    const { stdout } = await meshctl(['describe', 'default/unnamed', '--context', 'one,two']);
    expect(stdout).toContain('no ready endpoint listens at the port in mesh-2 (http 80/TCP)');
    expect(stdout).toContain(
      'kubectl --context two -n default get endpointslices -l kubernetes.io/service-name=unnamed',
    );
    const failover = ['failover', 'default/unnamed', '--context', 'one,two', '-o', 'json'];
    const { survivable, services } = jsonOf(await meshctl(failover)) as {
      survivable?: boolean;
      services?: { losses: { without: string; survives: boolean }[] }[];
    };
    expect(survivable).toBe(false);
    expect(services?.[0]?.losses).toMatchObject([
      { without: 'mesh-1', survives: false },
      { without: 'mesh-2', survives: true },
    ]);
  });

  it('are out of use at home with weight 0, and still offered to the others', async () => {
    const { 'mesh-1': one, 'mesh-2': two } = await described('resting');
    expect(one).toMatchObject({ ready: 0, uses: [], backends: [{ maintenance: true, state: 'unused' }] });
    expect(two?.uses).toEqual([{ cluster: 'mesh-1', backends: 1 }]);
  });

  it('serve on while they terminate, where there is no other', async () => {
    const { 'mesh-1': one, 'mesh-2': two } = await described('leaving');
    expect(one?.backends.map(({ state }) => state)).toEqual(['terminating', 'unused']);
    expect(one?.uses).toEqual([{ cluster: 'mesh-1', backends: 1 }]);
    expect(two?.uses).toEqual([{ cluster: 'mesh-1', backends: 1 }]);
  });

  it('belong to the namespace that they are in', async () => {
    const { 'mesh-2': two } = await described('elsewhere');
    expect(two).toBeUndefined();
    const { services } = jsonOf(await meshctl(['list', '--context', 'one,two', '-o', 'json'])) as {
      services?: { namespace: string; name: string }[];
    };
    expect(services?.filter(({ name }) => name === 'elsewhere').map(({ namespace }) => namespace)).toEqual(['default']);
  });
});

describe('what the agents read', () => {
  it('is what the peering Secret names', async () => {
    const peers = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-clustermesh' };
    addService(clusters.stores.one, 'peered', { ready: 0 });
    addService(clusters.stores.two, 'peered');
    expect((await described('peered'))['mesh-1']?.uses).toEqual([{ cluster: 'mesh-2', backends: 1 }]);
    let former: unknown;
    clusters.stores.one?.update(peers, (object) => {
      former = object.data;
      object.data = {};
    });
    expect((await described('peered'))['mesh-1']?.uses).toEqual([]);
    clusters.stores.one?.update(peers, (object) => {
      object.data = former;
    });
  });

  it('is taken to be all the clusters where Secrets may not be read, with a warning', async () => {
    const { one } = clusters.stores;
    const rules = [
      { apiGroups: [''], resources: ['configmaps', 'namespaces', 'services'], verbs: ['get', 'list'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list'] },
    ];
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    for (const store of [one, clusters.stores.two]) {
      store?.create({ apiVersion, kind: 'ClusterRole', metadata: { name: 'reader' }, rules });
      store?.create({
        apiVersion,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'reader' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
        subjects: [{ kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io' }],
      });
    }
    addService(one, 'asked', { ready: 0 });
    addService(clusters.stores.two, 'asked');
    const result = await meshctl(['list', '--context', 'one,two', '--as', 'jane', '-n', 'default']);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain('the peering files may not be read');
    expect(result.stdout).toMatch(/^default +asked +mesh-1 .* mesh-2 \(1, not verified\)$/m);
  });

  it('is nothing to guess at where Services may not be read: exit 3', async () => {
    const result = await meshctl(['list', '--context', 'one', '--as', 'nobody']);
    expect(result).toMatchObject({ exitCode: 3, stdout: '' });
  });
});
