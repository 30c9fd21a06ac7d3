import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, jsonOf, runCli } from '../support/cli.ts';
import {
  addService,
  namespaceObject,
  type ServiceClusters,
  startServiceClusters,
} from '../support/service-clusters.ts';

let clusters: ServiceClusters;

interface ListedService {
  namespace: string;
  name: string;
  clusters: { cluster: string; definition?: { ready: number; uses: { cluster: string; backends: number }[] } }[];
  warnings: { id: string; clusters: string[]; message: string; hint?: string }[];
}

const meshctl = (...argv: string[]): Promise<CliResult> =>
  runCli(['service', ...argv], { env: { KUBECONFIG: clusters.kubeconfigPath } });
const ALL = ['--context', 'one,two,three'];

async function listed(...argv: string[]): Promise<ListedService[]> {
  return jsonOf(await meshctl('list', ...argv, '-o', 'json')).services as ListedService[];
}

async function find(name: string): Promise<ListedService> {
  const service = (await listed(...ALL)).find((one) => one.name === name);
  if (!service) throw new Error(`${name} is not listed`);
  return service;
}

const usesOf = ({ clusters: entries }: ListedService) =>
  Object.fromEntries(
    entries.map(({ cluster, definition }) => [
      cluster,
      definition?.uses.map(({ cluster: other, backends }) => `${other}:${backends}`).join(' '),
    ]),
  );

beforeAll(async () => {
  clusters = await startServiceClusters();
  const { one, two, three } = clusters.stores;
  const everywhere = [one, two, three];
  for (const store of everywhere) addService(store, 'fine', { ready: 2, notReady: 1 });
  for (const store of everywhere) addService(store, 'plain', { mesh: {} });
  addService(one, 'lonely');
  one?.create(namespaceObject('shop'));
  two?.create(namespaceObject('shop', { 'clustermesh.cilium.io/global': 'false' }));
  addService(one, 'cart', { namespace: 'shop' });
  addService(two, 'cart', { namespace: 'shop' });
  addService(one, 'mixed', { mesh: { global: 'true', affinity: 'local' }, ready: 0 });
  addService(two, 'mixed', {
    mesh: { global: 'true', shared: 'false' },
    spec: { ports: [{ name: 'web', port: 8080 }] },
  });
  addService(three, 'mixed', { mesh: {}, spec: { selector: { app: 'other' } } });
  for (const store of [one, two]) addService(store, 'private', { mesh: { global: 'true', shared: 'false' } });
  for (const store of [one, two]) addService(store, 'bare', { spec: { clusterIP: 'None' } });
  for (const store of [one, two]) addService(store, 'dead', { ready: 0, notReady: 2 });
  for (const store of [one, two]) addService(store, 'meant', { mesh: { global: 'yes' } });
  addService(one, 'off', { mesh: { global: 'False' } });
  const legacy = {
    mesh: {},
    annotations: { 'io.cilium/global-service': 'true', 'io.cilium/service-affinity': 'near\u001b[31m' },
  };
  for (const store of [one, two]) addService(store, 'old', legacy);
});
afterAll(() => clusters.close());

describe('service list', () => {
  it('has only rows without headings, and only names for other commands; what is odd goes to stderr', async () => {
    const services = await listed(...ALL);
    const rows = await meshctl('list', ...ALL, '--no-headers');
    expect(rows.stdout.trimEnd().split('\n')).toHaveLength(services.flatMap(({ clusters: entries }) => entries).length);
    expect(rows.stdout).not.toMatch(/NAMESPACE|global service/);
    const names = await meshctl('list', ...ALL, '-o', 'name');
    expect(names.stdout).toBe(services.map(({ namespace, name }) => `${namespace}/${name}\n`).join(''));
    for (const { stderr, exitCode } of [rows, names]) {
      expect(exitCode).toBe(0);
      expect(stderr).toContain('⚠ default/lonely: is defined in mesh-1 only');
    }
    const none = await meshctl('list', ...ALL, '-n', 'nowhere', '--no-headers');
    expect(none).toMatchObject({ exitCode: 0, stdout: '' });
    for (const command of ['list', 'failover']) {
      const { stdout } = await meshctl(command, ...ALL, '-n', 'nowhere');
      expect(stdout).toContain('No service of namespace nowhere is global in mesh-1, ');
    }
  });

  it('lists what is global anywhere, and what each cluster uses', async () => {
    const services = await listed(...ALL);
    expect(services.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
      ...['default/bare', 'default/dead', 'default/fine', 'default/lonely', 'default/meant', 'default/mixed'],
      ...['default/old', 'default/private', 'shop/cart'],
    ]);
    const everywhere = 'mesh-1:2 mesh-2:2 mesh-3:2';
    expect((await find('fine')).warnings).toEqual([]);
    expect(Object.values(usesOf(await find('fine'))).map((uses) => uses?.split(' ').sort().join(' '))).toEqual(
      Array.from({ length: 3 }, () => everywhere),
    );
  });

  it.each([
    ['lonely', [['one-cluster', ['mesh-1']]], { 'mesh-1': 'mesh-1:1' }],
    [
      'cart',
      [
        ['namespace-missing', ['mesh-3']],
        ['namespace-not-global', ['mesh-2']],
      ],
      { 'mesh-1': 'mesh-1:1', 'mesh-2': 'mesh-2:1 mesh-1:1' },
    ],
    [
      'mixed',
      [
        ['annotations-differ', ['mesh-1', 'mesh-2', 'mesh-3']],
        ['ports-differ', ['mesh-1', 'mesh-2', 'mesh-3']],
        ['selectors-differ', ['mesh-1', 'mesh-2', 'mesh-3']],
        ['unserved', ['mesh-1']],
      ],
      { 'mesh-1': '', 'mesh-2': 'mesh-2:1', 'mesh-3': 'mesh-3:1' },
    ],
    ['meant', [['unknown-value', ['mesh-1', 'mesh-2']]], { 'mesh-1': 'mesh-1:1', 'mesh-2': 'mesh-2:1' }],
    ['private', [['not-shared', ['mesh-1', 'mesh-2']]], { 'mesh-1': 'mesh-1:1', 'mesh-2': 'mesh-2:1' }],
    ['bare', [['headless', ['mesh-1', 'mesh-2']]], { 'mesh-1': '', 'mesh-2': '' }],
    ['dead', [['no-ready-backend', ['mesh-1', 'mesh-2']]], { 'mesh-1': '', 'mesh-2': '' }],
    [
      'old',
      [
        ['unknown-affinity', ['mesh-1', 'mesh-2']],
        ['legacy-annotations', ['mesh-1', 'mesh-2']],
      ],
      { 'mesh-1': 'mesh-1:1 mesh-2:1', 'mesh-2': 'mesh-2:1 mesh-1:1' },
    ],
  ])('%s: %j', async (name, warnings, uses) => {
    const service = await find(name);
    expect(service.warnings.map(({ id, clusters: about }) => [id, about])).toEqual(warnings);
    expect(usesOf(service)).toMatchObject(uses);
    for (const { message } of service.warnings) expect(message).not.toBe('');
  });

  it('of one that was meant to be global it says how to make it so, and failover does not count it', async () => {
    expect((await find('meant')).warnings[0]?.hint).toMatch(
      /^To keep .* --remove; or to have it global.*: meshctl service global --context one,two default\/meant/,
    );
    const failover = jsonOf(await meshctl('failover', ...ALL, '-o', 'json'));
    expect((failover.services as { name: string }[]).map(({ name }) => name)).not.toContain('meant');
  });

  it('shows it to people', async () => {
    const { stdout, exitCode } = await meshctl('list', '--context', 'one,two', '-n', 'shop');
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "NAMESPACE  NAME  CLUSTER  GLOBAL  SHARED  AFFINITY  READY  USES NOW
      shop       cart  mesh-1   yes     yes     none      1/1    mesh-1 (1), perhaps mesh-3 (not read)
      shop       cart  mesh-2   yes     yes     none      1/1    mesh-2 (1), mesh-1 (1, not verified), perhaps mesh-3 (not read)

      ⚠️  shop/cart: namespace shop is not global in mesh-2: the other clusters get no backends from there
         → kubectl --context two annotate --overwrite namespace shop clustermesh.cilium.io/global=true
      mesh-1 is also connected to mesh-3, of which no context was given: not counted
      mesh-2 is also connected to mesh-3, of which no context was given: not counted
      ⚠️  This holds if mesh-1, mesh-2 are connected as the peering files say, which no agent could be asked
      1 global service in mesh-1, mesh-2, 1 with warnings
      "
    `);
  });

  it('says more with -o wide', async () => {
    const { stdout } = await meshctl('list', ...ALL, '-o', 'wide');
    expect(stdout).toMatch(
      /^NAMESPACE +NAME +CLUSTER +GLOBAL +SHARED +AFFINITY +PUBLISHED +TYPE +PORTS +READY +USES NOW$/m,
    );
    expect(stdout).toMatch(
      /^shop +cart +mesh-2 +yes +yes +none +no +ClusterIP +80\/TCP +1\/1 +mesh-2 \(1\), mesh-1 \(1, not verified\)$/m,
    );
  });

  it('lets no annotation reach the terminal as it is', async () => {
    for (const format of ['text', 'wide', 'json', 'yaml']) {
      expect((await meshctl('list', ...ALL, '-o', format)).stdout).not.toContain('\u001b');
    }
  });

  it('counts only what the agents read', async () => {
    const [service] = await listed('--context', 'one', '-n', 'shop');
    expect(service?.warnings).toEqual([]);
    const { stdout } = await meshctl('list', '--context', 'one,two', '-n', 'shop');
    expect(stdout).toContain('mesh-1 is also connected to mesh-3, of which no context was given: not counted');
  });

  it('finds the clusters itself with --all', async () => {
    const services = await listed('--all', '-A');
    expect(services[0]?.clusters.map(({ cluster }) => cluster)).toEqual(['mesh-1', 'mesh-2', 'mesh-3']);
  });

  it.each([
    [['list', '--all', '--context', 'one'], 2, '--all and --context cannot be used together'],
    [['list', '-A', '-n', 'shop'], 2, '--all-namespaces and --namespace cannot be used together'],
    [['list', '--context', 'one,absent'], 2, 'context "absent" is not in kubeconfig'],
    [['list', '--cilium-namespace', 'elsewhere'], 1, 'context "one": no Cilium in namespace elsewhere'],
    [['describe'], 2, "missing required argument 'service'"],
    [['describe', 'a/b/c'], 2, '"a/b/c" is not NAMESPACE/NAME'],
    [['describe', 'shop/cart', '-n', 'default'], 2, '"shop/cart" is in namespace shop, not in default'],
    [['describe', 'shop/absent', '--context', 'one,two'], 1, 'no Service shop/absent in contexts "one", "two"'],
    [['list', 'too', 'much'], 2, 'too many arguments'],
  ])('refuses %j', async (argv, exitCode, message) => {
    const result = await meshctl(...argv);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toContain(message);
  });
});

describe('service describe', () => {
  it('shows each backend with its node, zone and health', async () => {
    const { stdout, exitCode } = await meshctl('describe', 'default/fine', '--context', 'one,two');
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "default/fine

      mesh-1 (context one)
        Sharing:   global, shared, affinity none
        Type:      ClusterIP
        Ports:     http 80/TCP
        Selector:  app=fine
        Uses now:  mesh-1 (2), mesh-2 (2, not verified), perhaps mesh-3 (not read)
        Backends:  2 of 3 ready
          ADDRESS   NODE    ZONE    POD     HEALTH
          10.0.0.1  node-1  zone-1  fine-1  ready
          10.0.0.2  node-2  zone-2  fine-2  ready
          10.0.0.3  node-1  zone-1  fine-3  not ready

      mesh-2 (context two)
        Sharing:   global, shared, affinity none
        Type:      ClusterIP
        Ports:     http 80/TCP
        Selector:  app=fine
        Uses now:  mesh-2 (2), mesh-1 (2, not verified), perhaps mesh-3 (not read)
        Backends:  2 of 3 ready
          ADDRESS   NODE    ZONE    POD     HEALTH
          10.0.0.1  node-1  zone-1  fine-1  ready
          10.0.0.2  node-2  zone-2  fine-2  ready
          10.0.0.3  node-1  zone-1  fine-3  not ready

      mesh-1 is also connected to mesh-3, of which no context was given: not counted
      mesh-2 is also connected to mesh-3, of which no context was given: not counted
      ⚠️  default/fine has no warnings in mesh-1 and mesh-2 (mesh-3 was not read), if mesh-1, mesh-2 are connected as the peering files say, which no agent could be asked
      "
    `);
  });

  it('finds a name in the namespace of -n, global or not', async () => {
    const { service } = jsonOf(await meshctl('describe', 'plain', '-n', 'default', '-o', 'json'));
    expect(service).toMatchObject({
      name: 'plain',
      warnings: [],
      clusters: [
        { cluster: 'mesh-1', definition: { global: false, backends: [{ address: '10.0.0.1', state: 'active' }] } },
      ],
    });
  });
});
