import { describe, expect, it } from 'vitest';
import { withAnswers } from '../../src/mesh/services/answers.ts';
import type { IpFamily } from '../../src/mesh/services/backends.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices, serviceFacts, sharedOnceConnected } from '../../src/mesh/services/services.ts';
import { survivalOf } from '../../src/mesh/services/survival.ts';
import { survivalDoubts } from '../../src/mesh/services/survival-doubts.ts';
import type { BrokenLink } from '../../src/mesh/status/broken-link.ts';
import { usesNowText } from '../../src/views/services/service-list-view.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

type Port = { name?: string; port: number; protocol?: string };

/** A cluster with one global Service and so many backends of it. */
function cluster(
  name: string,
  backends: number,
  broken: ClusterServices['broken'],
  ports: readonly Port[] = [{ port: 80 }],
): ClusterServices {
  const facts = serviceFacts({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'shared', annotations: { 'service.cilium.io/global': 'true' } },
    spec: { ports },
  });
  const all = Array.from({ length: backends }, (_, index) => ({
    ...{ address: `10.0.0.${index + 1}`, ports: facts.ports, ready: true, serving: true, terminating: false },
  }));
  return {
    context: name,
    cluster: name,
    globalByDefault: true,
    namespaces: new Map([['default', {}]]),
    services: new Map([['default/shared', { ...facts, backends: all }]]),
    broken,
  };
}

const link = (peer: string, state: BrokenLink['state']): BrokenLink => ({ peer, state, reason: 'why' });
const unheard = (peer: string): BrokenLink => ({ ...link(peer, 'at-risk'), unheard: true });

// mesh-3 has no backend of its own: without mesh-2 it lives on those of mesh-1.
describe('a service when a cluster goes, and a connection of the others is broken', () => {
  it.each<[string, ClusterServices['broken'], survives: boolean, now: number]>([
    ['all is well', [], true, 3],
    ['nobody could be asked', undefined, true, 3],
    ['it is not connected', [link('mesh-1', 'disconnected')], false, 3],
    ['it would not come back', [link('mesh-1', 'at-risk')], false, 3],
    ['one that is not needed is not connected', [link('mesh-2', 'disconnected')], true, 3],
    ['it is lost, and would be forgotten by a restart', [link('mesh-1', 'lost')], false, 3],
  ])('%s', (_, broken, survives, now) => {
    const clusters = [cluster('mesh-1', 2, []), cluster('mesh-2', 1, []), cluster('mesh-3', 0, broken)];
    const [service] = survivalOf(clusters, 'mesh-2');
    expect(service).toMatchObject({ now, losses: [{ without: 'mesh-2', survives }] });
  });
});

// mesh-1 has no backend of its own, and is connected to mesh-2, which has one.
describe('a service whose answers come through a tunnel', () => {
  const both = { peers: ['mesh-1'], broken: [] };
  it.each<[string, of: Partial<ClusterServices>, peer: Partial<ClusterServices>, reason: RegExp | undefined]>([
    ['both dial', {}, both, undefined],
    ['only one dials', {}, { peers: [], broken: [] }, /get no answer, as mesh-2 does not dial mesh-1/],
    ['only one dials, natively', {}, { peers: [], broken: [], tunnels: false }, undefined],
    ['nobody knows how packets go', {}, { peers: [], broken: [], tunnels: undefined }, undefined],
    ['nobody knows whom the other dials', {}, { peers: undefined, broken: undefined }, undefined],
    ['the way back is broken', {}, { ...both, broken: [link('mesh-1', 'disconnected')] }, /may get no answer/],
    ['the way back is lost', {}, { ...both, broken: [link('mesh-1', 'lost')] }, /may get no answer/],
    [
      'the way back is not followed',
      {},
      { ...both, broken: [unheard('mesh-1')] },
      /may .* mesh-2 hears nothing of mesh-1/,
    ],
    ['the way back is at risk', {}, { ...both, broken: [link('mesh-1', 'at-risk')] }, undefined],
    ['no agent could be asked', { broken: undefined }, { peers: [], broken: [] }, undefined],
  ])('%s', (_, of, peer, reason) => {
    const own = { ...cluster('mesh-1', 0, []), peers: ['mesh-2'], tunnels: true, ...of };
    const clusters = withAnswers([own, { ...cluster('mesh-2', 1, []), tunnels: true, ...peer }]);
    const isSure = reason?.source.startsWith('get') ? { unanswered: true } : {};
    const broken = reason && [{ peer: 'mesh-2', state: 'at-risk', reason: expect.stringMatching(reason), ...isSure }];
    expect(clusters[0]?.broken).toEqual(broken ?? own.broken);
    // It has no backend of its own.
    expect(survivalOf(clusters)[0]?.failing).toEqual(isSure.unanswered && ['mesh-1']);
    const [service] = joinServices(clusters);
    const use = { cluster: 'mesh-2', backends: 1, ...(reason ? { atRisk: true } : {}) };
    expect(service?.clusters[0]?.definition?.uses).toEqual([use]);
  });
});

// mesh-1 has no backend of its own.
describe('a service behind a connection that is lost', () => {
  const described = (broken: BrokenLink) => {
    const [service] = joinServices([
      { ...cluster('mesh-1', 0, [broken]), peers: ['mesh-2'] },
      cluster('mesh-2', 2, []),
    ]);
    if (!service?.clusters[0]?.definition) throw new Error('a Service');
    return { service, definition: service.clusters[0].definition };
  };

  it.each([link('mesh-2', 'lost'), unheard('mesh-2')])(
    'is used as agents last heard of it: nothing fails yet',
    (lost) => {
      const { service, definition } = described(lost);
      expect(usesNowText(definition)).toBe('mesh-2 (as last heard, 2 now)');
      expect(definition.uses).toEqual([{ cluster: 'mesh-2', backends: 2, atRisk: true, lastHeard: true }]);
      expect(service.warnings).toEqual([]);
    },
  );

  it.each<[affinity: string, own: number, text: string]>([
    ['none', 1, 'mesh-1 (1), perhaps mesh-2 (as last heard, none now)'],
    ['remote', 1, 'perhaps mesh-2 (as last heard, none now), else mesh-1 (1)'],
    ['local', 0, 'perhaps mesh-2 (as last heard, none now)'],
    ['local', 1, 'mesh-1 (1)'],
  ])('may still be used where no backend is left there, with affinity %s and %d own ones', (affinity, count, text) => {
    const own = cluster('mesh-1', count, [unheard('mesh-2')]);
    const facts = own.services.get('default/shared');
    if (!facts) throw new Error('a Service');
    const annotations = { ...facts.annotations, 'service.cilium.io/affinity': affinity };
    const clusters = [
      { ...own, services: new Map([['default/shared', { ...facts, annotations }]]) },
      cluster('mesh-2', 0, []),
    ];
    const definition = joinServices(clusters)[0]?.clusters[0]?.definition;
    expect(definition && usesNowText(definition)).toBe(text);
    const doubts = survivalDoubts(clusters, survivalOf(clusters));
    const isUsed = text.includes('last heard');
    expect(doubts).toEqual(
      isUsed ? [expect.stringMatching(/^the backends of mesh-2 for default\/shared are still/)] : [],
    );
  });

  it('is used by some nodes, where others know nothing of it', () => {
    const { service, definition } = described({ ...link('mesh-2', 'disconnected'), using: 1 });
    expect(usesNowText(definition)).toBe('mesh-2 (from some nodes only)');
    expect(definition).toMatchObject({ uses: [], usesDisconnected: ['mesh-2'], usesFromSome: ['mesh-2'] });
    const [warning] = service.warnings;
    expect(warning && warningData(warning, service).message).toMatch(/^requests from some nodes of mesh-1 fail/);
  });
});

// mesh-1 has no backend of its own.
describe('a service that a missing connection keeps from being served', () => {
  it.each<[string, Partial<ClusterServices>, missing: string[] | undefined]>([
    ['all is well', { peers: ['mesh-2'], broken: [] }, undefined],
    ['it dials nobody', { peers: [], broken: [] }, ['mesh-2']],
    ['it is not connected', { peers: ['mesh-2'], broken: [link('mesh-2', 'disconnected')] }, ['mesh-2']],
  ])('%s', (_, links, missing) => {
    const own = { ...cluster('mesh-1', 0, []), ...links };
    const clusters = [own, cluster('mesh-2', 1, [])];
    const [service] = joinServices(clusters);
    if (!service) throw new Error('a Service');
    expect(service.clusters[0]?.definition?.usesDisconnected).toEqual(missing ?? []);
    const [warning] = service.warnings;
    expect(warning?.values).toEqual(missing && { 'mesh-1': 'mesh-2' });
    if (missing && warning) {
      expect(warningData(warning, service)).toMatchObject({
        message:
          'requests from mesh-1 fail: no backend that can be used from there is ready, and there is no connection from mesh-1 to mesh-2, whose backends would serve',
        hint: 'Why: meshctl clustermesh status --context mesh-1,mesh-2',
      });
    }
    const [survival] = survivalOf(clusters);
    expect(survival?.failing).toEqual(missing && ['mesh-1']);
    expect(survival?.unconnected).toEqual(missing && { 'mesh-1': missing });
  });

  it('is not to be served by one that is gone, nor by one whose backends it would not use', () => {
    const near = cluster('mesh-1', 1, []);
    const facts = near.services.get('default/shared');
    if (!facts) throw new Error('a Service');
    const annotations = { ...facts.annotations, 'service.cilium.io/affinity': 'local' };
    const own = { ...near, peers: [], services: new Map([['default/shared', { ...facts, annotations }]]) };
    const [service] = joinServices([own, cluster('mesh-2', 1, [])]);
    expect(service?.clusters[0]?.definition?.usesDisconnected).toEqual([]);
    const alone = { ...cluster('mesh-1', 0, []), peers: [] };
    const [survival] = survivalOf([alone, cluster('mesh-2', 1, [])], 'mesh-2');
    expect(survival?.losses[0]?.served).toEqual([{ cluster: 'mesh-1', uses: [] }]);
  });
});

// mesh-1 has no backend of its own: it lives on those of mesh-2, over their own family of addresses only.
describe('a service whose addresses are not of the same families in each cluster', () => {
  const [V4, V6, BOTH]: IpFamily[][] = [['IPv4'], ['IPv6'], ['IPv6', 'IPv4']];
  const of = (name: string, backends: number, families: IpFamily[] = []): ClusterServices => {
    const made = cluster(name, 0, []);
    const facts = made.services.get('default/shared');
    if (!facts) throw new Error('a Service');
    // A dual-stack pod has an address of each.
    const all = families.flatMap((family) =>
      Array.from({ length: backends }, (_, index) => ({
        ...{ address: `${family}-${index}`, family, ready: true, serving: true, terminating: false },
      })),
    );
    return { ...made, services: new Map([['default/shared', { ...facts, families, backends: all }]]) };
  };
  it.each<[string, IpFamily[] | undefined, IpFamily[] | undefined, uses: number, unserved: string[] | undefined]>([
    ['the same', V4, V4, 2, undefined],
    ['both in each', BOTH, BOTH, 2, undefined],
    ['another one', V6, V4, 0, undefined],
    ['both here', BOTH, V4, 2, ['TCP over IPv6']],
    ['both there', V4, BOTH, 2, undefined],
  ])('%s', (what, here, there, uses, unserved) => {
    const clusters = [of('mesh-1', 0, here), of('mesh-2', 2, there), of('mesh-3', 1, there)];
    const [service] = joinServices(clusters.slice(0, 2));
    const inFirst = service?.clusters[0]?.definition?.uses ?? [];
    expect(inFirst.reduce((sum, { backends }) => sum + backends, 0)).toBe(uses);
    expect(service?.clusters[1]?.definition?.ready).toBe(2);
    const warnings = service?.warnings.map(({ id }) => id);
    const isSame = JSON.stringify(here) === JSON.stringify(there);
    expect(warnings, what).toEqual([...(isSame ? [] : ['families-differ']), ...(uses === 0 ? ['unserved'] : [])]);
    const [loss] = survivalOf(clusters, 'mesh-3')[0]?.losses ?? [];
    expect(loss).toMatchObject({ survives: uses > 0 && !unserved, served: [unserved ? { unserved } : {}, {}] });
  });

  it('is told with the commands that give it both families where it has one', () => {
    const [service] = joinServices([of('mesh-1', 0, BOTH), of('mesh-2', 2, V4)]);
    const [warning] = service?.warnings ?? [];
    if (!service || !warning) throw new Error('a warning');
    const { message, hint } = warningData(warning, service);
    expect(message).toContain('mesh-1 (IPv4, IPv6), mesh-2 (IPv4)');
    expect(hint).toBe(
      `In clusters that have both families, give it both: kubectl --context mesh-2 -n default patch service shared --patch '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}'`,
    );
  });
});

// Each cluster has two pods, which are ready; what they listen at decides who has a backend for what.
describe('a service whose pods do not listen at its ports', () => {
  const BOTH: Port[] = [
    { name: 'http', port: 80 },
    { name: 'metrics', port: 9090 },
  ];
  const of = (name: string, listens: string, affinity = 'none'): ClusterServices => {
    const made = cluster(name, 2, [], BOTH);
    const facts = made.services.get('default/shared');
    if (!facts) throw new Error('a Service');
    const isOpen = ({ name: port }: { name: string }) => listens.split(' ').includes(port);
    const backends = facts.backends.map((backend) => ({ ...backend, ports: facts.ports.filter(isOpen) }));
    const annotations = { ...facts.annotations, 'service.cilium.io/affinity': affinity };
    return { ...made, peers: ['mesh-9'], services: new Map([['default/shared', { ...facts, annotations, backends }]]) };
  };

  it.each<
    [
      string,
      [here: string, there: string],
      ready: [number, number],
      missing: Record<string, string> | undefined,
      survive: [withoutHere: boolean, withoutThere: boolean],
    ]
  >([
    ['they do', ['http metrics', 'http metrics'], [2, 2], undefined, [true, true]],
    ['there at none', ['http metrics', ''], [2, 0], { 'mesh-2': 'http 80/TCP, metrics 9090/TCP' }, [false, true]],
    ['there at one of two', ['http metrics', 'http'], [2, 2], { 'mesh-2': 'metrics 9090/TCP' }, [false, true]],
    [
      'each at another one',
      ['http', 'metrics'],
      [2, 2],
      { 'mesh-1': 'metrics 9090/TCP', 'mesh-2': 'http 80/TCP' },
      [false, false],
    ],
    [
      'nobody at any',
      ['', ''],
      [0, 0],
      { 'mesh-1': 'http 80/TCP, metrics 9090/TCP', 'mesh-2': 'http 80/TCP, metrics 9090/TCP' },
      [false, false],
    ],
  ])('%s', (_what, [here, there], ready, missing, survive) => {
    const clusters = [of('mesh-1', here), of('mesh-2', there)].map((one) => ({ ...one, peers: ['mesh-1', 'mesh-2'] }));
    const [service] = joinServices(clusters);
    expect(service?.clusters.map(({ definition }) => definition?.ready)).toEqual(ready);
    expect(service?.warnings.find(({ id }) => id === 'ports-missing')?.values).toEqual(missing);
    expect(survivalOf(clusters)[0]?.losses.map(({ survives }) => survives)).toEqual(survive);
  });

  it.each([
    ['http metrics', []],
    ['http', ['mesh-9']],
  ])('prefers local backends for what they listen at, and asks others for the rest: %s', (listens, others) => {
    const [service] = joinServices([of('mesh-1', listens, 'local')]);
    expect(service?.clusters[0]?.definition?.usesUnread).toEqual(others);
  });

  it('and is headless: DNS gives pods, whatever they listen at', () => {
    const made = of('mesh-1', '');
    const services = new Map([...made.services].map(([key, facts]) => [key, { ...facts, headless: true }]));
    const [service] = joinServices([{ ...made, services }]);
    expect(service?.clusters[0]?.definition?.ready).toBe(2);
    expect(service?.warnings.map(({ id }) => id)).not.toContain('ports-missing');
  });
});

// mesh-1 has no backend of its own: it lives on those of mesh-2, which it finds by the names of ports.
describe('a service whose ports are not the same in each cluster', () => {
  const http: Port = { name: 'http', port: 80 };
  const metrics: Port = { name: 'metrics', port: 9090 };
  it.each<[string, Port[], Port[], uses: number, survives: boolean, warning: string | undefined]>([
    ['the same', [http], [http], 2, true, undefined],
    ['another number', [http], [{ ...http, port: 8080 }], 2, true, 'port-numbers-differ'],
    ['another number, and no name', [{ port: 80 }], [{ port: 8080 }], 2, true, 'port-numbers-differ'],
    ['another name', [http], [{ ...http, name: 'web' }], 0, false, 'ports-differ'],
    ['a name in one of them', [{ port: 80 }], [http], 0, false, 'ports-differ'],
    ['another protocol', [http], [{ ...http, protocol: 'UDP' }], 0, false, 'ports-differ'],
    ['one of two', [http, metrics], [http], 2, false, 'ports-differ'],
    ['more than are asked for', [http], [metrics, http], 2, true, 'ports-differ'],
  ])('%s', (_, here, there, uses, survives, warning) => {
    const clusters = [cluster('mesh-1', 0, [], here), cluster('mesh-2', 2, [], there), cluster('mesh-3', 1, [], there)];
    const [service] = joinServices(clusters.slice(0, 2));
    const inFirst = service?.clusters[0]?.definition?.uses ?? [];
    expect(inFirst.reduce((sum, { backends }) => sum + backends, 0)).toBe(uses);
    expect(service?.warnings.map(({ id }) => id).filter((id) => id.startsWith('port'))).toEqual(
      warning ? [warning] : [],
    );
    expect(survivalOf(clusters, 'mesh-3')[0]?.losses[0]?.survives).toBe(survives);
  });

  it('an ExternalName has no frontend: its cluster uses nothing', () => {
    const spec = { type: 'ExternalName', externalName: 'a.example', ports: [{ port: 80 }] };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'shared' }, spec });
    expect(facts.headless).toBe(true);
  });
});

// Backends of mesh-1 are on node-1 and node-2 of its three; what mesh-2 publishes names no node.
describe('a service with internalTrafficPolicy Local, which keeps pods of its cluster to the backends of their node', () => {
  type Case = { mesh?: Record<string, string>; nodes?: string[]; on?: string[]; there?: number };
  const of = ({ mesh = {}, nodes = ['node-1', 'node-2', 'node-3'], on = ['node-1', 'node-2'], there = 1 }: Case) => {
    const made = cluster('mesh-1', 0, []);
    const spec = { ports: [{ name: 'http', port: 80 }], internalTrafficPolicy: 'Local' };
    const annotations = { 'service.cilium.io/global': 'true', ...mesh };
    const metadata = { namespace: 'default', name: 'shared', annotations };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata, spec });
    const backends = on.map((node, index) => ({
      ...{ address: `10.0.0.${index + 1}`, ready: true, serving: true, terminating: false, node },
    }));
    const services = new Map([['default/shared', { ...facts, backends }]]);
    return [
      { ...made, peers: ['mesh-2'], ...(nodes.length > 0 ? { nodes } : {}), services },
      cluster('mesh-2', there, [], [{ name: 'http', port: 80 }]),
    ];
  };
  const near = { mesh: { 'service.cilium.io/affinity': 'local' } };
  const far = { mesh: { 'service.cilium.io/affinity': 'remote' } };
  it.each<[string, Case, uses: string, unserved: string[] | undefined, survivesAlone: boolean]>([
    ['those of each node, and of other clusters', {}, 'mesh-1:2 mesh-2:1', undefined, false],
    ['affinity is judged on each node: one without asks the others', near, 'mesh-1:2 mesh-2:1', undefined, false],
    ['affinity remote', far, 'mesh-2:1', undefined, false],
    ['each node has one', { nodes: ['node-1', 'node-2'] }, 'mesh-1:2 mesh-2:1', undefined, true],
    ['no other cluster has one', { there: 0 }, 'mesh-1:2', ['http from node-3'], false],
    ['no node is known', { nodes: [], there: 0 }, 'mesh-1:2', ['http from nodes without a backend'], false],
    ['many nodes', { on: ['node-9'], there: 0 }, 'mesh-1:1', ['http from node-1, node-2, node-3'], false],
    ['none of its own', { on: [], there: 1 }, 'mesh-2:1', undefined, false],
  ])('%s', (_what, given, uses, unserved, survivesAlone) => {
    const clusters = of(given);
    const [service] = joinServices(clusters);
    const definition = service?.clusters[0]?.definition;
    const told = definition?.uses.map((use) => `${use.cluster}:${use.backends}`).sort();
    expect(told?.join(' ')).toBe(uses);
    expect(definition?.unserved).toEqual(unserved);
    expect(survivalOf(clusters, 'mesh-2')[0]?.losses[0]?.survives).toBe(survivesAlone);
    const warning = service?.warnings.find(({ id }) => id === 'node-local');
    if (!service || !warning) throw new Error('no warning');
    expect(warning).toEqual({
      id: 'node-local',
      clusters: ['mesh-1'],
      ...(unserved ? { values: { 'mesh-1': unserved.join(', ') } } : {}),
    });
    expect(warningData(warning, service).hint).toBe(
      `So that they use those of every node: kubectl --context mesh-1 -n default patch service shared --patch '{"spec":{"internalTrafficPolicy":"Cluster"}}'`,
    );
  });
});

describe('services that two clusters share once they are connected', () => {
  const GLOBAL = { 'service.cilium.io/global': 'true' };
  const PRIVATE = { ...GLOBAL, 'service.cilium.io/shared': 'false' };
  const clusterWith = (name: string, annotations: Record<string, string>, of: Record<string, string> = {}) => {
    const metadata = { namespace: 'shop', name: 'api', annotations };
    const facts = serviceFacts({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } });
    const namespaces = new Map([['shop', of]]);
    return { ...cluster(name, 0, undefined), namespaces, services: new Map([['shop/api', facts]]) };
  };
  it.each([
    ['global in both', clusterWith('b', GLOBAL), ['shop/api']],
    ['its backends are kept private by one', clusterWith('b', PRIVATE), ['shop/api']],
    ['global in one', clusterWith('b', {}), []],
    ['another name', cluster('b', 1, undefined), []],
  ])('%s', (_, other, shared) => expect(sharedOnceConnected(clusterWith('a', GLOBAL), other)).toEqual(shared));

  it('not where neither offers its backends', () => {
    const apart = { 'clustermesh.cilium.io/global': 'false' };
    expect(sharedOnceConnected(clusterWith('a', PRIVATE), clusterWith('b', GLOBAL, apart))).toEqual([]);
  });
});
