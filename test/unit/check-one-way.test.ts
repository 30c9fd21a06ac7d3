/** Checks of the network judge only what is meant: who is not to be dialled is not missed. */
import { describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { COMPATIBILITY_CHECKS } from '../../src/mesh/checks/compatibility.ts';
import { runChecksByMesh } from '../../src/mesh/checks/shared/by-mesh.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { NodeObservation } from '../../src/mesh/checks/shared/mesh-input.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import { serviceFacts } from '../../src/mesh/services/services.ts';
import type { StatusComponent, StatusReport } from '../../src/mesh/status/status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const ONE_AGENT = { image: 'quay.io/cilium/cilium:v1.20.0', desired: 1, ready: 1 };

type Mode = 'unicast' | 'served';

/** Cluster mesh-<id> that dials others; what was chosen for peers, by name. */
function cluster(id: number, dialled: string[], chosen: Record<string, Mode>, settings = {}): ClusterSnapshot {
  const secret = secretObject(
    'cilium-clustermesh',
    Object.fromEntries(dialled.map((peer) => [peer, 'endpoints:\n- https://203.0.113.7:2379\n'])),
  );
  const marks = Object.entries(chosen).map(([peer, mode]) => marksFor(peer, { mode }) as Record<string, string>);
  secret.metadata.annotations = Object.assign({}, ...marks);
  return snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...settings },
    ciliumPodCidrs: [`10.${id}.0.0/24`],
    agent: ONE_AGENT,
    live: [secret],
  });
}

const NATIVE = { 'routing-mode': 'native', 'enable-bgp-control-plane': 'true' };

/** The severities of a check, `<context>: <severity>`. */
function outcome(
  id: string,
  clusters: ClusterSnapshot[],
  seen: Record<string, Partial<NodeObservation>>,
  statuses: Record<string, StatusReport> = {},
): string[] {
  const observed = clusters.map(({ context }) => [
    context,
    { containers: [], nodes: seen[context] ? [{ node: 'n1', ...seen[context] }] : [], status: statuses[context] },
  ]);
  const check = MESH_CHECKS.filter((one) => one.id === id);
  const input = { clusters, now: NOW, observed: new Map(observed as never) };
  return runChecks(check, input as never).map(
    ({ severity, cluster: context, args }) =>
      `${context ?? (args.contexts as string[] | undefined) ?? 'all'}: ${severity}`,
  );
}

const lost = (node: string, of: 'node' | 'endpoint') => ({
  health: [
    { node, probed: true, unprobed: [], problems: [{ of, address: '', probe: 'http' as const, says: 'timed out' }] },
  ],
});

describe('a cluster that dials another one, which is not to dial back', () => {
  const oneWay = (settings = {}) => [
    cluster(1, ['mesh-2'], { 'mesh-2': 'unicast' }, settings),
    cluster(2, [], { 'mesh-1': 'served' }, settings),
  ];

  it.each([
    [
      'answers of health endpoints take a tunnel that there is not',
      oneWay(),
      lost('mesh-2/node-1', 'endpoint'),
      'c1: pass',
    ],
    ['with native routing they take a route', oneWay(NATIVE), lost('mesh-2/node-1', 'endpoint'), 'c1: fail'],
    ['the nodes are to answer', oneWay(), lost('mesh-2/node-1', 'node'), 'c1: fail'],
  ])('%s', (_what, clusters, said, expected) => {
    expect(outcome('node-health', clusters, { c1: said })).toContain(expected);
  });

  it('is not to be reached from there, whatever is still known of it', () => {
    expect(outcome('node-health', oneWay(), { c2: lost('mesh-1/node-1', 'node') })).toEqual(['c1: skip', 'c2: skip']);
  });

  it('is not to be answered by one that has parted with it by itself', () => {
    const parted = { ...cluster(2, [], {}), remoteUsers: [] };
    const clusters = [cluster(1, ['mesh-2'], {}), parted];
    expect(outcome('node-health', clusters, { c1: lost('mesh-2/node-1', 'endpoint') })).toContain('c1: pass');
  });

  it('is still missed where half of a peering is lost, which no one chose', () => {
    const lets = { ...cluster(2, [], {}), remoteUsers: [{ name: 'remote-mesh-1', role: 'remote' }] };
    const clusters = [cluster(1, ['mesh-2'], {}), lets];
    expect(outcome('node-health', clusters, { c1: lost('mesh-2/node-1', 'endpoint') })).toContain('c1: fail');
  });

  it('has routes back for answers', () => {
    expect(outcome('native-routes', oneWay(NATIVE), { c2: { routes: { 4: [] } } })).toContain('c2: fail');
  });
});

describe('settings that differ', () => {
  const WIREGUARD = { 'enable-wireguard': 'true' };
  const SIX = { 'enable-ipv4': 'false', 'enable-ipv6': 'true' };
  const found = (id: string, clusters: ClusterSnapshot[], run: typeof runChecks = runChecksByMesh) =>
    run(COMPATIBILITY_CHECKS, { clusters, now: NOW })
      .filter((one) => one.id === id)
      .map(({ severity }) => severity);
  const spokes = (one: object, two: object, hub?: object) => [
    cluster(1, ['mesh-9'], {}, one),
    cluster(2, ['mesh-9'], {}, two),
    ...(hub ? [cluster(9, ['mesh-1', 'mesh-2'], {}, hub)] : []),
  ];
  const onNodesOfBoth = (clusters: ClusterSnapshot[]) =>
    clusters.map((one) => ({
      ...one,
      nodes: one.nodes.map((node, at) => ({
        ...node,
        addresses: [...node.addresses, { type: 'InternalIP', address: `fd00::${at + 1}` }],
      })),
    }));
  const oneWay = (one: object, two: object) => [
    cluster(1, ['mesh-2'], { 'mesh-2': 'unicast' }, one),
    cluster(2, [], { 'mesh-1': 'served' }, two),
  ];

  it.each<[string, string, ClusterSnapshot[], string[]]>([
    ['lose packets that are sent', 'encryption', oneWay(WIREGUARD, {}), ['fail']],
    ['lose none where nothing is sent that way', 'encryption', oneWay({}, WIREGUARD), ['warn']],
    [
      'are no fault of clusters that are apart, beside one that was not read',
      'encryption',
      spokes(WIREGUARD, {}),
      ['skip', 'skip'],
    ],
    ['are one of those that are not', 'encryption', spokes(WIREGUARD, {}, {}), ['fail']],
    [
      'need no family that all have, but each two',
      'ip-families',
      onNodesOfBoth(spokes({}, SIX, { 'enable-ipv6': 'true' })),
      ['warn'],
    ],
    ['need one between two', 'ip-families', spokes({}, SIX, {}), ['fail']],
  ])('%s: %s', (_what, id, clusters, severities) => {
    expect(found(id, clusters)).toEqual(severities);
  });

  it('count between clusters that are to be connected, also where they are apart now', () => {
    expect(found('encryption', spokes(WIREGUARD, {}), runChecks)).toEqual(['fail']);
  });

  it('are no fault of IPsec keys beside a hub without any', () => {
    const [one, two, hub] = spokes({ 'enable-ipsec': 'true' }, { 'enable-ipsec': 'true' }, {}) as [
      ClusterSnapshot,
      ClusterSnapshot,
      ClusterSnapshot,
    ];
    const keys = [{ ...one, ipsecKeyDigest: 'a' }, { ...two, ipsecKeyDigest: 'b' }, hub];
    expect(found('ipsec-keys', keys)).toEqual(['skip', 'skip', 'skip']);
    expect(found('ipsec-keys', [...keys.slice(0, 2), { ...hub, ipsecKeyDigest: 'a' }])).toEqual(['fail']);
  });
});

describe('clusters of one mesh that are not to be connected with each other', () => {
  const spokes = () => [
    cluster(1, ['mesh-9'], {}, NATIVE),
    cluster(2, ['mesh-9'], {}, NATIVE),
    cluster(9, ['mesh-1', 'mesh-2'], {}, NATIVE),
  ];
  const toHub = { routes: { 4: [{ destination: '10.9.0.0/24' }] } };

  it('wants no routes between them', () => {
    const hub = { routes: { 4: [{ destination: 'default' }] } };
    expect(outcome('native-routes', spokes(), { c1: toHub, c2: toHub, c9: hub })).toEqual(['all: pass']);
    expect(outcome('native-routes', spokes(), { c1: { routes: { 4: [] } }, c2: toHub, c9: hub })).toHaveLength(1);
  });

  it('have no other cluster to send to where only they are checked', () => {
    expect(outcome('native-routes', spokes().slice(0, 2), { c1: toHub, c2: toHub })).toEqual(['c1: skip', 'c2: skip']);
  });
});

const WELL = { ready: true, connected: true };
const NOT = { ready: false };

/** The status of mesh-1 or mesh-2, by what its agents and its KVStoreMesh say of the other one; of who says nothing, undefined. */
function status(id: 1 | 2, agents: (object | undefined)[], replicas?: (object | undefined)[]): StatusReport {
  const peer = `mesh-${3 - id}`;
  const tally = createTally({
    ...{ context: `c${id}`, namespace: 'kube-system', clusterName: `mesh-${id}`, clusterId: id },
    ...{ peers: [peer], enabled: true, kvstoremesh: replicas !== undefined },
  });
  const add = (component: StatusComponent, said: readonly (object | undefined)[]) =>
    said.forEach((says, index) => {
      const clusters = says && [{ name: peer, ...says }];
      tally.add(component, { name: `n${index}`, ...(clusters ? { clusters } : { error: 'no answer', unasked: true }) });
    });
  add('agent', agents);
  add('kvstoremesh', replicas ?? []);
  return tally.report();
}

describe('requests for global Services of a cluster that dials another one, which is not to dial back', () => {
  const share = (snapshot: ClusterSnapshot, backends: number, affinity = 'none'): ClusterSnapshot => {
    const annotations = { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': affinity };
    const metadata = { namespace: 'shop', name: 'api', annotations };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } });
    const ready = Array.from({ length: backends }, (_, index) => ({
      ...{ address: `10.9.0.${index}`, ready: true, serving: true, terminating: false },
    }));
    const services = new Map([['shop/api', { ...facts, backends: ready }]]);
    return { ...snapshot, globalServices: { services, namespaces: new Map() } };
  };
  const unshared = (snapshot: ClusterSnapshot) => ({
    ...snapshot,
    globalServices: { services: new Map(), namespaces: new Map() },
  });
  const client = (settings = {}) => cluster(1, ['mesh-2'], { 'mesh-2': 'unicast' }, settings);
  const server = (settings = {}) => cluster(2, [], { 'mesh-1': 'served' }, settings);
  const back = cluster(2, ['mesh-1'], {});

  it.each<[string, ClusterSnapshot[], outcome: string]>([
    ['they go there', [share(client(), 1), share(server(), 1)], 'c1: fail'],
    ['they go nowhere else', [share(client(), 0, 'local'), share(server(), 1)], 'c1: fail'],
    ['they come to go there', [share(client(), 1, 'local'), share(server(), 1)], 'c1: warn'],
    ['there is no backend by now', [share(client(), 0), share(server(), 0)], 'c1: warn'],
    ['no Service is shared', [share(client(), 1), unshared(server())], 'c1: pass'],
    ['the network routes them', [share(client(NATIVE), 1), share(server(NATIVE), 1)], 'c1: pass'],
    ['both dial', [share(cluster(1, ['mesh-2'], {}), 1), share(back, 1)], 'all: pass'],
    ['Services may not be listed', [client(), share(server(), 1)], 'c1: skip'],
  ])('%s', (_what, clusters, expected) => {
    const found = outcome('peers-answers', clusters, {}, { c1: status(1, [WELL]), c2: status(2, [WELL]) });
    expect(found.filter((one) => one.startsWith(expected.slice(0, 3)))).toEqual([expected]);
  });

  // Peering files say that both dial: whether they are connected, only agents and KVStoreMesh tell.
  describe.each([
    ['tunnel', {}],
    ['native', NATIVE],
  ])('is not called well where clusters are not connected as they are to be (%s)', (routing, settings) => {
    const both = [share(cluster(1, ['mesh-2'], {}, settings), 1), share(cluster(2, ['mesh-1'], {}, settings), 1)];
    it.each<[string, StatusReport | undefined, isWell: boolean]>([
      ['all are', status(2, [WELL, WELL], [WELL]), true],
      ['no agent is', status(2, [NOT]), false],
      ['one of two agents is not', status(2, [WELL, NOT]), false],
      ['one goes on with what it last heard', status(2, [{ 'num-shared-services': 1 }]), false],
      ['agents are, and their KVStoreMesh is not', status(2, [WELL], [NOT]), false],
      ['an agent gave no answer', status(2, [WELL, undefined]), false],
      ['nobody was asked', undefined, false],
    ])('%s', (_what, ofTwo, isWell) => {
      const found = outcome('peers-answers', both, {}, { c1: status(1, [WELL]), ...(ofTwo ? { c2: ofTwo } : {}) });
      // Natively an answer finds back whoever hears of whom: the other one's own requests do not get there.
      const passes = routing === 'native' ? 'c1: pass' : 'c1: skip';
      expect(found.sort()).toEqual(isWell ? ['all: pass'] : [passes, 'c2: skip']);
    });
  });

  const WRAPS = ', and sends packets through the tunnel only to pods that it hears of';
  it.each<[string, ofOne: StatusReport, of1: string]>([
    ['the other one is not', status(1, [WELL]), `mesh-2 is not connected to mesh-1${WRAPS}`],
    ['it may not be', status(1, [WELL, undefined]), 'mesh-1 may not be connected to mesh-2'],
    ['it is not', status(1, [NOT]), 'mesh-1 is not connected to mesh-2'],
  ])('tells who is not connected to whom: %s', (_what, ofOne, of1) => {
    const clusters = [share(cluster(1, ['mesh-2'], {}), 1), share(cluster(2, ['mesh-1'], {}), 1)];
    const statuses = { c1: ofOne, c2: status(2, [NOT]) };
    const observed = new Map(Object.entries(statuses).map(([context, of]) => [context, { nodes: [], status: of }]));
    const check = MESH_CHECKS.filter(({ id }) => id === 'peers-answers');
    const [found] = runChecks(check, { clusters, now: NOW, observed } as never);
    expect(found?.args.reason).toBe(of1);
  });
});
