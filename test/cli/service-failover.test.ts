import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CliResult, jsonOf, runCli } from '../support/cli.ts';
import { addService, type ServiceClusters, startServiceClusters } from '../support/service-clusters.ts';

let clusters: ServiceClusters;

const failover = (...argv: string[]): Promise<CliResult> =>
  runCli(['service', 'failover', ...argv], { env: { KUBECONFIG: clusters.kubeconfigPath } });
const ALL = ['--context', 'one,two,three'];

interface Survival {
  name: string;
  now: number;
  losses: { without: string; survives: boolean; left: number; served: { cluster: string; uses: unknown[] }[] }[];
}

async function survivalOf(name: string): Promise<Record<string, [survives: boolean, left: number]>> {
  const { services } = jsonOf(await failover(`default/${name}`, ...ALL, '-o', 'json')) as { services?: Survival[] };
  const [service] = services ?? [];
  expect(service?.name).toBe(name);
  return Object.fromEntries(service?.losses.map(({ without, survives, left }) => [without, [survives, left]]) ?? []);
}

beforeAll(async () => {
  clusters = await startServiceClusters();
  const { one, two, three } = clusters.stores;
  for (const store of [one, two, three]) addService(store, 'spread', { ready: 2 });
  addService(one, 'local', { mesh: { global: 'true', affinity: 'local' }, ready: 3 });
  addService(two, 'local', { mesh: { global: 'true', affinity: 'local' }, ready: 1 });
  addService(one, 'borrowed');
  addService(two, 'borrowed', { ready: 0 });
  addService(one, 'hidden', { mesh: { global: 'true', shared: 'false' } });
  addService(two, 'hidden', { ready: 0 });
  addService(three, 'hidden');
  addService(one, 'only');
  for (const store of [one, two, three]) addService(store, 'own', { mesh: {} });
});
afterAll(() => clusters.close());

describe('service failover', () => {
  it.each([
    ['spread', { 'mesh-1': [true, 4], 'mesh-2': [true, 4], 'mesh-3': [true, 4] }],
    // Each cluster uses its own; the one that is left has what it has.
    ['local', { 'mesh-1': [true, 1], 'mesh-2': [true, 3], 'mesh-3': [true, 4] }],
    // mesh-2 has no backend of its own.
    ['borrowed', { 'mesh-1': [false, 0], 'mesh-2': [true, 1], 'mesh-3': [true, 1] }],
    // mesh-2 may use those of mesh-3 only; mesh-1 has its own.
    ['hidden', { 'mesh-1': [true, 1], 'mesh-2': [true, 2], 'mesh-3': [false, 1] }],
    ['only', { 'mesh-1': [false, 0], 'mesh-2': [true, 1], 'mesh-3': [true, 1] }],
  ])('tells who is served without each cluster: %s', async (name, losses) => {
    expect(await survivalOf(name)).toEqual(losses);
  });

  it('looks at all global services, and at one loss, for a game day', async () => {
    const { exitCode, stdout } = await failover(...ALL, '--without', 'one');
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "NAMESPACE  NAME      WITHOUT  SURVIVES  IF SILENT  READY LEFT     SERVED BY
      default    borrowed  mesh-1   NO        NO         0 of 1 (0 %)   mesh-2 by none
      default    hidden    mesh-1   yes       yes        1 of 2 (50 %)  mesh-2 by mesh-3 (1); mesh-3 by itself (1)
      default    local     mesh-1   yes       yes        1 of 4 (25 %)  mesh-2 by itself (1)
      default    only      mesh-1   NO        NO         0 of 1 (0 %)   no other cluster has the service
      default    spread    mesh-1   yes       NO         4 of 6 (67 %)  mesh-2 by itself (2), mesh-3 (2); mesh-3 by itself (2), mesh-2 (2)

      ⚠️  2 of 5 global services would fail:
         default/borrowed: without mesh-1
         default/only: without mesh-1
      ⚠️  1 of 5 global services would lose requests where a cluster falls silent (power, network), as the others keep sending them to its backends:
         default/spread: without mesh-1
         → Cilium 1.19 and newer ends that by itself where its chart's value clustermesh.cacheTTL is set,
           e.g. to 15m (default: 0s, never). Once mesh-1 is gone for good, this ends it:
               meshctl clustermesh disconnect --context two,three --peer mesh-1
      "
    `);
  });

  it('fails with --require-survivable when one would not survive', async () => {
    const result = await failover(...ALL, '--require-survivable', '-o', 'json');
    expect(result.exitCode).toBe(1);
    expect(jsonOf(result)).toMatchObject({ kind: 'FailoverReport', survivable: false });
    const told = await failover(...ALL, '--require-survivable', '--without', 'one');
    expect(told).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('❌ 2 of 5 global services would fail:'),
    });
  });

  it('is no gate where nobody could be asked who is connected: the clusters are taken to be', async () => {
    const words = '1 global service: none would fail, if mesh-1, mesh-2, mesh-3 are connected as the peering files say';
    const spread = ['default/spread', '--drained', ...ALL];
    expect(await failover(...spread)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`⚠️  ${words}`) });
    const required = await failover(...spread, '--require-survivable');
    expect(required).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`❌ ${words}`) });
    expect(jsonOf(await failover(...spread, '-o', 'json'))).toMatchObject({ survivable: false });
  });

  it('of a headless one, whose DNS gives the own backends of each cluster', async () => {
    const headless = { namespace: 'headless', spec: { clusterIP: 'None' } };
    addService(clusters.stores.one, 'named', headless);
    addService(clusters.stores.two, 'named', { ...headless, ready: 0, notReady: 1 });
    addService(clusters.stores.three, 'named', { ...headless, ready: 2 });
    const losses = async () =>
      (jsonOf(await failover(...ALL, '-n', 'headless', '-o', 'json')) as { services?: Survival[] }).services?.flatMap(
        (service) => service.losses.map(({ without, survives, left }) => [without, survives, left]),
      );
    // mesh-2 has no backend with or without the others.
    expect(await losses()).toEqual([
      ['mesh-1', false, 2],
      ['mesh-2', true, 3],
      ['mesh-3', false, 1],
    ]);
  });

  it('of a headless one, whose DNS has the backends of other clusters too where Cilium mirrors EndpointSlices', async () => {
    const stores = Object.values(clusters.stores);
    const setMirrors = (on: string) => {
      const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
      for (const store of stores)
        store.update(ref, ({ data }) => void Object.assign(data as object, { 'clustermesh-enable-endpoint-sync': on }));
    };
    const headless = { namespace: 'dns', spec: { clusterIP: 'None' } };
    stores.forEach((store, index) => {
      addService(store, 'named', { ...headless, ready: index });
      addService(store, 'kept', {
        ...{ ...headless, ready: index },
        annotations: { 'service.cilium.io/global-sync-endpoint-slices': 'false' },
      });
    });
    const losses = async (name: string) => {
      const { services } = jsonOf(await failover(`dns/${name}`, ...ALL, '-o', 'json')) as { services?: Survival[] };
      return services?.[0]?.losses.map(({ without, survives, left }) => [without, survives, left]);
    };
    const byOwn = [
      ['mesh-1', true, 3],
      ['mesh-2', false, 2],
      ['mesh-3', false, 1],
    ];
    expect(await losses('named')).toEqual(byOwn);
    setMirrors('true');
    // mesh-1 has none of its own.
    expect(await losses('named')).toEqual([
      ['mesh-1', true, 3],
      ['mesh-2', true, 2],
      ['mesh-3', true, 1],
    ]);
    expect(await losses('kept')).toEqual(byOwn);
    const list = await runCli(['service', 'list', ...ALL, '-n', 'dns'], {
      env: { KUBECONFIG: clusters.kubeconfigPath },
    });
    expect(list.stdout).toMatch(/named +mesh-1 .* by DNS mesh-2 \(1, not verified\), mesh-3 \(2, not verified\)/);
    expect(list.stdout).toMatch(/kept +mesh-1 .* DNS only/);
    expect(list.stdout).not.toMatch(/dns\/named is headless/);
    // What is gone without a word is still in DNS.
    expect((await failover('dns/named', ...ALL, '--without', 'two')).stdout).toMatch(/named +mesh-2 +yes +NO /);
    setMirrors('false');
  });

  it('of one that falls silent: others keep sending requests there, unless they use none of its backends', async () => {
    const required = ['--require-survivable', '-o', 'json'];
    const service = async (name: string, ...argv: string[]) => {
      const { services, survivable, ...rest } = jsonOf(await failover(`default/${name}`, ...ALL, ...argv)) as {
        services: { losses: { silent: object }[] }[];
        survivable: boolean;
        drainedOnly?: true;
      };
      return { silent: services[0]?.losses.map(({ silent }) => silent), ...rest };
    };
    const stray = (...clusters: string[]) => ({ survives: false, stray: clusters.map((cluster) => ({ cluster })) });
    expect((await service('spread', ...required)).silent).toEqual([
      stray('mesh-2', 'mesh-3'),
      stray('mesh-1', 'mesh-3'),
      stray('mesh-1', 'mesh-2'),
    ]);
    expect((await service('local', ...required)).silent).toEqual([
      { survives: true },
      { survives: true },
      { survives: true },
    ]);
    expect((await service('spread', '--drained', ...required)).drainedOnly).toBe(true);
    // Nobody could be asked who is connected: that is why each is no gate here.
    const told = await failover('default/spread', ...ALL, '--without', 'one', '--require-survivable');
    expect(told.stdout).toContain('❌ 1 of 1 global service would lose requests where a cluster falls silent');
    const drained = await failover('default/spread', ...ALL, '--without', 'one', '--drained');
    expect(drained.stdout).not.toMatch(/silent/i);
  });

  it('does not call it survivable where nothing is global', async () => {
    const result = await failover(...ALL, '-n', 'nope', '-o', 'json');
    expect(result.exitCode).toBe(0);
    expect(jsonOf(result)).toMatchObject({ survivable: false, services: [] });
  });

  it('gives no tick to a service that is not global, however many clusters have it', async () => {
    const own = ['default/own', ...ALL, '--drained'];
    const { exitCode, stdout } = await failover(...own);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      '⚠️  default/own is not global in mesh-1, mesh-2 and mesh-3: no cluster serves it for another one',
    );
    expect(stdout).not.toMatch(/✅|global service/);
    expect(jsonOf(await failover(...own, '-o', 'json'))).toMatchObject({ survivable: false, notGlobal: true });
    // Global in one of them, it is that.
    expect(jsonOf(await failover('default/only', ...ALL, '-o', 'json'))).not.toHaveProperty('notGlobal');
  });

  it.each([
    [['--context', 'one'], 2, 'a failover needs at least two clusters'],
    [[...ALL, '--without', 'mesh-9'], 2, '--without "mesh-9" is neither a cluster nor a context here'],
    [['--context', 'one,two', '--without', 'mesh-3'], 2, 'without mesh-3 is not known, as it was not read: name its'],
    [['default/absent', ...ALL], 1, 'no Service default/absent'],
    [['default/own', ...ALL, '--require-survivable'], 1, 'nothing was checked: default/own is not global in context'],
    [['default/absent', ...ALL, '--require-survivable'], 1, 'no Service default/absent'],
    [[...ALL, '-n', 'nope', '--require-survivable'], 1, 'nothing was checked: no service in namespace nope is global'],
  ])('refuses %j', async (argv, exitCode, message) => {
    const result = await failover(...argv);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toContain(message);
  });
});

describe('a gate where a cluster could not be read', () => {
  const config = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
  let removed: KubeObject | undefined;
  beforeAll(() => {
    removed = clusters.stores.three?.get(config);
    clusters.stores.three?.delete(config);
  });
  afterAll(() => removed && clusters.stores.three?.create(removed));

  it.each<[string, string[], exitCode: number]>([
    ['requests are lost whatever that one has', ['default/spread'], 1],
    ['none that was seen would fail', ['default/spread', '--drained'], 3],
    ['that one may serve it', ['default/only', '--drained'], 3],
    ['that one may have it global', ['default/own'], 3],
    ['one of all is lost whatever that one has', [], 1],
  ])('stays shut: %s', async (_what, argv, exitCode) => {
    const result = await failover(...argv, ...ALL, '--require-survivable');
    expect(result, result.stdout + result.stderr).toMatchObject({ exitCode });
    expect(result.stdout).toContain('❌');
    expect(result.stdout).not.toContain('✅');
  });
});

it('of a cluster that was not read says what ends the requests that are sent there', async () => {
  const { stderr } = await failover('--context', 'one,two', '--without', 'mesh-3');
  expect(stderr).toContain('this ends it: meshctl clustermesh disconnect --context one,two --peer mesh-3\n');
});

describe('what the clusters are set to', () => {
  it('decides for how long a silent cluster is used, and who is not served by others', async () => {
    const set = {
      'clustermesh-cache-ttl': '15m',
      'enable-service-topology': 'true',
      'kube-proxy-replacement': 'false',
    };
    for (const store of Object.values(clusters.stores)) {
      const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
      store.update(ref, ({ data }) => void Object.assign(data as object, set));
    }
    expect((await failover('default/spread', ...ALL)).stdout).toMatch(/^default +spread +mesh-1 +yes +after 15m /m);
    const edge = { namespace: 'edge', spec: { type: 'NodePort', trafficDistribution: 'PreferClose' } };
    addService(clusters.stores.one, 'edge', { ...edge, ready: 0 });
    addService(clusters.stores.two, 'edge', edge);
    addService(clusters.stores.three, 'edge', edge);
    const { assumed = [] } = jsonOf(await failover('edge/edge', ...ALL, '--without', 'two', '-o', 'json')) as {
      assumed?: string[];
    };
    expect(assumed.join()).toMatch(
      /no one asks for edge\/edge in mesh-1 from outside, or from nodes and host-network pods/,
    );
    expect(assumed.join()).toMatch(/each node of mesh-1 has backends left for edge\/edge/);
  });
});
