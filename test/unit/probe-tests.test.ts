import { describe, expect, it } from 'vitest';
import type { NodeFacts } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { chooseNodes, type ProbedCluster, type ProbePlace, probedFamilies } from '../../src/mesh/probe/places.ts';
import { mtuOf, packetSizes, planTests } from '../../src/mesh/probe/tests.ts';
import { apiserverDeployment, loadBalancerService, snapshotOf } from '../support/snapshots.ts';

const node = (name: string, zone?: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  name,
  ready: true,
  podCidrs: [],
  labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone },
  addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  ...more,
});

describe('chooseNodes', () => {
  const names = (nodes: readonly NodeFacts[], limit: number, families: readonly (4 | 6)[] = [4]) =>
    chooseNodes(nodes, limit, families).map((chosen) => chosen.node.name);

  it('takes one of each zone before any has two', () => {
    const nodes = [node('a1', 'a'), node('a2', 'a'), node('a3', 'a'), node('b1', 'b'), node('c1', 'c')];
    expect(names(nodes, 3)).toEqual(['a1', 'b1', 'c1']);
    expect(names(nodes, 4)).toEqual(['a1', 'b1', 'c1', 'a2']);
    expect(names(nodes, Number.POSITIVE_INFINITY)).toHaveLength(5);
  });

  it('takes none that is not ready, or has no address in the cluster', () => {
    const external = [{ type: 'ExternalIP', address: '1.2.3.4' }];
    expect(names([node('a', 'a', { ready: false }), node('b', 'b', { addresses: external }), node('c')], 3)).toEqual([
      'c',
    ]);
  });
});

describe('IP families', () => {
  const FOUR = { type: 'InternalIP', address: '10.0.0.1' };
  const SIX = { type: 'InternalIP', address: 'fd00::1' };
  const DUAL = { 'enable-ipv6': 'true' };
  const ONLY_SIX = { 'enable-ipv4': 'false', 'enable-ipv6': 'true' };
  const cluster = (ciliumConfig: Record<string, string>) => snapshotOf({ ciliumConfig });

  it.each([
    ['IPv4 where nothing is set', [cluster({}), cluster({})], [4]],
    ['IPv6 where IPv4 is off', [cluster(ONLY_SIX), cluster(ONLY_SIX)], [6]],
    ['both where both are on', [cluster(DUAL), cluster(DUAL)], [4, 6]],
    ['the tunnel’s, and that of the nodes', [cluster({ ...DUAL, 'underlay-protocol': 'ipv6' }), cluster({})], [4, 6]],
    ['what any two of them have in common', [cluster(DUAL), cluster(DUAL), cluster({})], [4, 6]],
  ] as const)('%s', (_what, snapshots, families) => {
    expect(probedFamilies(snapshots)).toEqual(families);
  });

  it('a node is dialled at its first address of each that is sent', () => {
    const dual = node('a', undefined, { addresses: [SIX, { ...SIX, address: 'fd00::2' }, FOUR] });
    expect(chooseNodes([dual], 1, [4, 6])[0]?.addresses).toEqual(['10.0.0.1', 'fd00::1']);
    expect(chooseNodes([dual], 1, [4])[0]?.addresses).toEqual(['10.0.0.1']);
  });

  it('nodes that have both come first, and one without any of them never', () => {
    const nodes = [
      node('four', 'a'),
      node('dual', 'b', { addresses: [FOUR, SIX] }),
      node('six', 'c', { addresses: [SIX] }),
    ];
    const names = (limit: number, families: readonly (4 | 6)[]) =>
      chooseNodes(nodes, limit, families).map((chosen) => chosen.node.name);
    expect(names(1, [4, 6])).toEqual(['dual']);
    expect(names(3, [4, 6])).toEqual(['dual', 'four', 'six']);
    expect(names(3, [4])).toEqual(['four', 'dual']);
  });

  const dualPlace = (id: number, kind: ProbePlace['kind'], addresses: string[]): ProbePlace => ({
    ...{ cluster: `mesh-${id}`, node: `node-${id}`, kind, addresses, deviceMtu: 1500 },
  });
  const dual = (id: number, config: Record<string, string>, pod = [`10.${id}.0.9`, `fd00:10:${id}::9`]) => ({
    ...probed(id, 0, { ...DUAL, ...config }),
    places: [dualPlace(id, 'node', [`10.0.${id}.1`, `fd00::${id}`]), dualPlace(id, 'pod', pod)],
  });
  const sent = (clusters: readonly ProbedCluster[]) =>
    planTests(clusters)
      .filter(({ from, isControl }) => from.cluster === 'mesh-1' && !isControl)
      .map(({ kind, via, host, family }) => `${kind} ${via} ${host} ${family}`);

  it('each test is sent in the families in which it is needed', () => {
    expect(sent([dual(1, {}), dual(2, {})])).toEqual([
      ...['tunnel udp 10.0.2.1 4', 'health tcp 10.0.2.1 4', 'health tcp fd00::2 6', 'ping icmp 10.0.2.1 4'],
      ...['ping icmp fd00::2 6', 'apiserver tcp 10.0.2.100 4', 'apiserver tcp 10.0.2.100 4', 'mtu mtu 10.0.2.1 4'],
    ]);
    const native = { 'routing-mode': 'native' };
    const pods = sent([dual(1, native), dual(2, native)]).filter((line) => /^(pod-to-pod|mtu)/.test(line));
    expect(pods).toEqual([
      ...['pod-to-pod udp 10.2.0.9 4', 'pod-to-pod tcp 10.2.0.9 4'],
      ...['pod-to-pod udp fd00:10:2::9 6', 'pod-to-pod tcp fd00:10:2::9 6'],
      ...['mtu mtu 10.0.2.1 4', 'mtu mtu fd00::2 6'],
    ]);
  });

  it('of one family nothing names it', () => {
    expect(new Set(planTests([probed(1, 1), probed(2, 1)]).map(({ family }) => family))).toEqual(new Set([undefined]));
  });

  it('what has no address of one is planned, with why nothing is sent', () => {
    const native = { 'routing-mode': 'native' };
    const tests = planTests([dual(1, native), dual(2, native, ['10.2.0.9'])]).filter(
      ({ kind, family, from }) => kind === 'pod-to-pod' && family === 6 && from.cluster === 'mesh-1',
    );
    expect(tests.map(({ to }) => to?.failed)).toEqual([
      ...Array(2).fill('no pod of mesh-2 that takes part has an address of IPv6'),
    ]);
  });
});

describe('packetSizes', () => {
  it.each([1280, 1281, 1400, 1460, 1500, 8951, 9001])('of %i find that and all below it, to some bytes', (wanted) => {
    const sizes = packetSizes(wanted);
    expect(sizes.filter((size) => size === wanted).length).toBeGreaterThanOrEqual(3);
    expect(sizes.every((size, index) => index === 0 || size <= (sizes[index - 1] ?? 0))).toBe(true);
    for (const path of [1280, 1399, 1420, 1500, 8500].filter((size) => size <= wanted)) {
      const found = Math.max(...sizes.filter((size) => size <= path));
      expect(path - found).toBeLessThan(path > 1500 ? 100 : 4);
    }
    expect(sizes.length).toBeLessThan(150);
  });

  it('never has one larger than is wanted', () => {
    expect(packetSizes(1200)).toEqual([1200, 1200, 1200]);
  });
});

const place = (cluster: number, index: number, kind: ProbePlace['kind'] = 'node'): ProbePlace => ({
  cluster: `mesh-${cluster}`,
  node: `node-${cluster}-${index}`,
  kind,
  addresses: [kind === 'node' ? `10.0.${cluster}.${index}` : `10.${cluster}.0.${index}`],
  deviceMtu: 1500,
});

const probed = (
  id: number,
  nodes: number,
  config: Record<string, string> = {},
  live: KubeObject[] = [],
): ProbedCluster => ({
  name: `mesh-${id}`,
  via: 'pods',
  snapshot: snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...config },
    agent: { image: 'quay.io/cilium/cilium:v1.20.0', desired: nodes, ready: nodes },
    live: [loadBalancerService(`10.0.${id}.100`), ...live],
  }),
  places: [...Array.from({ length: nodes }, (_, index) => place(id, index)), place(id, 0, 'pod')],
});

describe('planTests', () => {
  const pairs = (tests: ReturnType<typeof planTests>, kind: string) =>
    tests
      .filter((test) => test.kind === kind && !test.isControl)
      .map(({ from, to, host }) => `${from.node}>${to?.node ?? host}`);

  it('pairs of n and m nodes are as many as the larger, and the same back', () => {
    const tests = planTests([probed(1, 3), probed(2, 2)]);
    expect(pairs(tests, 'tunnel')).toEqual([
      ...['node-1-0>node-2-0', 'node-1-1>node-2-1', 'node-1-2>node-2-0'],
      ...['node-2-0>node-1-0', 'node-2-1>node-1-1', 'node-2-0>node-1-2'],
    ]);
    expect(new Set(tests.map(({ id }) => id)).size).toBe(tests.length);
    const ports = tests.flatMap(({ sourcePort }) => sourcePort ?? []);
    expect(new Set(ports).size).toBe(ports.length);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(61000);
    expect(Math.max(...ports)).toBeLessThanOrEqual(65535);
  });

  it('of three clusters only those are tried that are joined', () => {
    const dial = (client: number, server: number) => ({
      ...{ client: `context-${client}`, server: `context-${server}` },
      endpoints: [{ host: `10.9.${server}.9`, port: 32379 }],
    });
    const all = planTests([probed(1, 1), probed(2, 1), probed(3, 1)], [dial(1, 2), dial(3, 1)]);
    expect(new Set(pairs(all, 'apiserver'))).toEqual(new Set(['node-1-0>10.9.2.9', 'node-3-0>10.9.1.9']));
    expect(pairs(all, 'health')).toEqual([
      ...['node-1-0>node-2-0', 'node-1-0>node-3-0', 'node-2-0>node-1-0', 'node-3-0>node-1-0'],
    ]);
  });

  it('an apiserver is dialled from each node, from a pod, and from home to know whether it answers', () => {
    const tests = planTests([probed(1, 2), probed(2, 2)]).filter(
      ({ kind, toCluster }) => kind === 'apiserver' && toCluster === 'mesh-2',
    );
    expect(tests.map(({ from, isControl, host }) => [from.cluster, from.kind, host, isControl === true])).toEqual([
      ['mesh-1', 'node', '10.0.2.100', false],
      ['mesh-1', 'node', '10.0.2.100', false],
      ['mesh-1', 'pod', '10.0.2.100', false],
      ['mesh-2', 'node', '10.0.2.100', true],
    ]);
  });

  it('from home by a node that has an address of its family, which proves nothing dead of an address that is none of its Service', () => {
    const six = { ...place(2, 1), addresses: ['10.0.2.2', 'fd00::2:1'] };
    const server = probed(2, 1, { 'enable-ipv6': 'true' });
    const endpoints = ['10.0.2.100', 'fd00:9::9'].map((host) => ({ host, port: 2379 }));
    const dials = [{ client: 'context-1', server: 'context-2', endpoints }];
    const controls = (places: ProbePlace[]) =>
      planTests([probed(1, 1, { 'enable-ipv6': 'true' }), { ...server, places }], dials)
        .filter(({ isControl }) => isControl)
        .map(({ host, from, isElsewhere }) => [host, from.node, isElsewhere === true]);
    expect(controls([place(2, 0), six])).toEqual([
      ['10.0.2.100', 'node-2-0', false],
      ['fd00:9::9', 'node-2-1', true],
    ]);
    expect(controls([place(2, 0)])).toEqual([['10.0.2.100', 'node-2-0', false]]);
  });

  it('without KVStoreMesh an apiserver is dialled from nodes, as agents do', () => {
    const dialling = probed(1, 2, {}, [apiserverDeployment({ kvstoremesh: false })]);
    const tests = planTests([dialling, probed(2, 1)]).filter(
      ({ kind, toCluster, isControl }) => kind === 'apiserver' && toCluster === 'mesh-2' && !isControl,
    );
    expect(tests.map(({ from, isBeside }) => [from.kind, isBeside])).toEqual([
      ['node', undefined],
      ['node', undefined],
    ]);
  });

  it('with native routing pods send to pods, and the MTU is found by echo requests', () => {
    const native = { 'routing-mode': 'native' };
    const tests = planTests([probed(1, 1, native), probed(2, 1, native)]);
    const between = tests.filter(({ kind }) => kind === 'pod-to-pod');
    expect(between.map(({ via, from, host }) => `${via} ${from.addresses}>${host}`)).toEqual([
      ...['udp 10.1.0.0>10.2.0.0', 'tcp 10.1.0.0>10.2.0.0', 'udp 10.2.0.0>10.1.0.0', 'tcp 10.2.0.0>10.1.0.0'],
    ]);
    expect(tests.filter(({ kind }) => kind === 'mtu').map(({ port }) => port)).toEqual([undefined, undefined]);
    const wireguard = planTests([1, 2].map((id) => probed(id, 1, { ...native, 'enable-wireguard': 'true' })));
    expect(wireguard.find(({ kind }) => kind === 'mtu')).toMatchObject({ port: 51871 });
    // What nobody has to let through proves nothing.
    const ipsec = planTests([1, 2].map((id) => probed(id, 1, { 'enable-ipsec': 'true' })));
    expect(ipsec.find(({ kind }) => kind === 'mtu')?.port).toBeUndefined();
  });

  it('the MTU is that of Cilium’s device, else what it is set to, else the node’s', () => {
    const set = probed(1, 1, { mtu: '1400' });
    expect(mtuOf({ ...place(1, 0), ciliumMtu: 1380 }, set)).toBe(1380);
    expect(mtuOf(place(1, 0), set)).toBe(1400);
    expect(mtuOf(place(1, 0), probed(1, 1))).toBe(1500);
    const tests = planTests([probed(1, 1, { mtu: '9001' }), probed(2, 1)]).filter(({ kind }) => kind === 'mtu');
    expect(tests.map(({ sizes, enough }) => [sizes?.[0], enough])).toEqual([
      [9001, 1500],
      [1500, 1500],
    ]);
  });
});
