import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Affinity,
  isNamespaceGlobal,
  readSharing,
  SERVICE_ANNOTATIONS,
  strayValues,
} from '../../src/mesh/services/annotations.ts';
import {
  type Backend,
  type ClusterService,
  publishedBackends,
  selectBackends,
} from '../../src/mesh/services/backends.ts';
import { backendsIn } from '../../src/mesh/services/endpoint-slices.ts';
import { inReachOf, isOffered, isShared, usedBackends } from '../../src/sandbox/cilium/load-balancing.ts';
import type { EndpointConditions } from '../../src/sandbox/objects.ts';

const STATES = {
  none: undefined,
  active: { ready: true, serving: true, terminating: false },
  // With publishNotReadyAddresses a terminating pod stays ready.
  readyTerminating: { ready: true, serving: true, terminating: true },
  terminating: { ready: false, serving: true, terminating: true },
  draining: { ready: false, serving: false, terminating: true },
  notReady: { ready: false, serving: false, terminating: false },
  maintenance: { ready: true, serving: true, terminating: false, maintenance: true },
  unhealthy: { ready: true, serving: true, terminating: false, unhealthy: true },
  unhealthyTerminating: { ready: false, serving: true, terminating: true, unhealthy: true },
} satisfies Record<string, Backend | undefined>;
type State = keyof typeof STATES;

const REMOTE: readonly State[] = [
  'none',
  'active',
  'readyTerminating',
  'terminating',
  'draining',
  'notReady',
  'maintenance',
  'unhealthy',
  'unhealthyTerminating',
];

/**
 * Who serves a request in cluster `here`, by the local backend's state (row) and the remote backend's (column, in the
 * order of REMOTE): L the local one, R the remote one, B both, - nobody. From Cilium's selectbackends.go by hand.
 */
const GRIDS: Readonly<Record<Affinity, readonly (readonly [State, string])[]>> = {
  none: [
    ['none', '-RRR--R--'],
    ['active', 'LBBBLLBLL'],
    ['readyTerminating', 'LBBBLLBLL'],
    ['terminating', 'LRRRLLRLL'],
    ['draining', '-RRR--R--'],
    ['notReady', '-RRR--R--'],
    ['maintenance', '-RRR--R--'],
    ['unhealthy', '-RRR--R--'],
    ['unhealthyTerminating', '-RRR--R--'],
  ],
  local: [
    ['none', '-RRR--R--'],
    ['active', 'LLLLLLLLL'],
    ['readyTerminating', 'LLLLLLLLL'],
    ['terminating', 'LRRRLLRLL'],
    ['draining', '-RRR--R--'],
    ['notReady', '-RRR--R--'],
    ['maintenance', '-RRR--R--'],
    ['unhealthy', '-RRR--R--'],
    ['unhealthyTerminating', '-RRR--R--'],
  ],
  remote: [
    ['none', '-RRR--R--'],
    ['active', 'LRRRLLRLL'],
    ['readyTerminating', 'LRRRLLRLL'],
    ['terminating', 'LRRRLLRLL'],
    ['draining', '-RRR--R--'],
    ['notReady', '-RRR--R--'],
    ['maintenance', '-RRR--R--'],
    ['unhealthy', '-RRR--R--'],
    ['unhealthyTerminating', '-RRR--R--'],
  ],
};

const combinations = Object.entries(GRIDS).flatMap(([affinity, rows]) =>
  rows.flatMap(([local, cells]) =>
    REMOTE.map((remote, column) => ({ affinity: affinity as Affinity, local, remote, served: cells[column] })),
  ),
);

function service(cluster: string, overrides: Partial<ClusterService> = {}): ClusterService {
  return {
    cluster,
    sharing: { global: true, shared: true, affinity: 'none' },
    headless: false,
    namespaceGlobal: true,
    backends: [STATES.active],
    ...overrides,
  };
}

function inState(state: State): Backend[] {
  const backend = STATES[state];
  return backend ? [backend] : [];
}

function servedBy(services: readonly ClusterService[], cluster = 'here'): string {
  const clusters = selectBackends(services, cluster).map((selected) => selected.cluster);
  if (clusters.length > 1) return 'B';
  return clusters[0] === undefined ? '-' : clusters[0] === cluster ? 'L' : 'R';
}

describe('selectBackends', () => {
  it.each(combinations)(
    'affinity $affinity, local $local, remote $remote: $served',
    ({ affinity, local, remote, served }) => {
      const sharing = { global: true, shared: true, affinity };
      expect(
        servedBy([
          service('here', { sharing, backends: inState(local) }),
          service('there', { backends: inState(remote) }),
        ]),
      ).toBe(served);
    },
  );

  describe.each(['none', 'local', 'remote'] as const)('with affinity %s', (affinity) => {
    const sharing = { global: true, shared: true, affinity };
    const both = { none: 'B', local: 'L', remote: 'R' }[affinity];

    it.each([
      { what: 'the remote is shared', remote: {}, served: both },
      {
        what: 'the remote is not shared',
        remote: { sharing: readSharing({ 'service.cilium.io/global': 'true', 'service.cilium.io/shared': 'false' }) },
        served: 'L',
      },
      { what: 'the remote is not global', remote: { sharing: readSharing({}) }, served: 'L' },
      { what: "the remote's namespace is not global", remote: { namespaceGlobal: false }, served: 'L' },
      // Backends are published of a headless Service too.
      { what: 'the remote is headless', remote: { headless: true }, served: both },
      {
        what: "the remote's affinity is another",
        remote: { sharing: { ...sharing, affinity: 'remote' as const } },
        served: both,
      },
    ])('when $what: $served', ({ remote, served }) => {
      expect(servedBy([service('here', { sharing }), service('there', remote)])).toBe(served);
    });

    it.each([
      { what: 'the local one is not shared', local: { sharing: { ...sharing, shared: false } }, served: both },
      { what: 'the local namespace is not global', local: { sharing, namespaceGlobal: false }, served: both },
      {
        what: 'the local one is not global',
        local: { sharing: readSharing({ 'service.cilium.io/affinity': affinity }) },
        served: 'L',
      },
      { what: 'the local one is headless', local: { sharing, headless: true }, served: '-' },
    ])('when $what: $served', ({ local, served }) => {
      expect(servedBy([service('here', local), service('there')])).toBe(served);
    });
  });

  it('gives a cluster without the Service nothing, though others publish it', () => {
    expect(selectBackends([service('there')], 'here')).toEqual([]);
  });

  it('spreads over all remote clusters that publish it', () => {
    const services = [
      service('here', { backends: [] }),
      service('there', { backends: [STATES.active, STATES.active] }),
      service('yonder'),
      service('hidden', { namespaceGlobal: false }),
    ];
    expect(selectBackends(services, 'here').map(({ cluster }) => cluster)).toEqual(['there', 'there', 'yonder']);
  });

  it('stays local while one of several local backends is active', () => {
    const sharing = { global: true, shared: true, affinity: 'local' as const };
    const backends = [STATES.notReady, STATES.terminating, STATES.active];
    expect(selectBackends([service('here', { sharing, backends }), service('there')], 'here')).toEqual([
      { cluster: 'here', backend: STATES.active },
    ]);
  });
});

describe('publishedBackends', () => {
  it('are those that are ready or still serve, weight 0 or not', () => {
    const backends = Object.values(STATES).filter((state) => state !== undefined);
    expect(publishedBackends(service('here', { backends }))).toEqual([
      STATES.active,
      STATES.readyTerminating,
      STATES.terminating,
      STATES.maintenance,
      STATES.unhealthy,
      STATES.unhealthyTerminating,
    ]);
  });
});

describe('readSharing', () => {
  const off = { global: false, shared: false, affinity: 'none' };
  it.each([
    { annotations: undefined, sharing: off },
    { annotations: { 'service.cilium.io/global': 'TRUE' }, sharing: { global: true, shared: true, affinity: 'none' } },
    { annotations: { 'service.cilium.io/global': '1' }, sharing: off },
    { annotations: { 'io.cilium/global-service': 'true' }, sharing: { global: true, shared: true, affinity: 'none' } },
    { annotations: { 'service.cilium.io/global': 'false', 'io.cilium/global-service': 'true' }, sharing: off },
    { annotations: { 'service.cilium.io/global': '', 'io.cilium/global-service': 'true' }, sharing: off },
    { annotations: { 'service.cilium.io/shared': 'true', 'service.cilium.io/affinity': 'local' }, sharing: off },
    {
      annotations: { 'service.cilium.io/global': 'true', 'service.cilium.io/shared': 'no' },
      sharing: { global: true, shared: false, affinity: 'none' },
    },
    {
      annotations: { 'service.cilium.io/global': 'true', 'io.cilium/shared-service': 'false' },
      sharing: { global: true, shared: false, affinity: 'none' },
    },
    {
      annotations: {
        'service.cilium.io/global': 'true',
        'service.cilium.io/shared': 'true',
        'io.cilium/shared-service': 'false',
      },
      sharing: { global: true, shared: true, affinity: 'none' },
    },
    {
      annotations: { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': 'Local' },
      sharing: { global: true, shared: true, affinity: 'local' },
    },
    {
      annotations: { 'service.cilium.io/global': 'true', 'io.cilium/service-affinity': 'remote' },
      sharing: { global: true, shared: true, affinity: 'remote' },
    },
    {
      annotations: {
        'service.cilium.io/global': 'true',
        'service.cilium.io/affinity': '',
        'io.cilium/service-affinity': 'remote',
      },
      sharing: { global: true, shared: true, affinity: 'none' },
    },
    {
      annotations: { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': 'nearby' },
      sharing: { global: true, shared: true, affinity: 'none', unknownAffinity: 'nearby' },
    },
  ])('$annotations', ({ annotations, sharing }) => {
    expect(readSharing(annotations as Record<string, string> | undefined)).toEqual(sharing);
  });
});

describe('isNamespaceGlobal', () => {
  it.each([
    [undefined, true, true],
    [undefined, false, false],
    ['True', false, true],
    ['false', true, false],
    ['yes', true, false],
  ])('annotation %s, default %s: %s', (value, byDefault, expected) => {
    const annotations = value === undefined ? {} : { 'clustermesh.cilium.io/global': value };
    expect(isNamespaceGlobal(annotations, byDefault)).toBe(expected);
  });
});

const HTTP = { name: 'http', protocol: 'TCP' };

describe("the sandbox's agents, which have Cilium's rules written for themselves,", () => {
  const CONDITIONS: (EndpointConditions | undefined)[] = [
    ...[STATES.active, STATES.readyTerminating, STATES.terminating, STATES.draining, STATES.notReady],
    // As others than Kubernetes' controllers write them.
    ...[undefined, {}, { ready: true }, { ready: false }, { ready: false, terminating: true }],
  ];
  const backend = fc.constantFrom(...CONDITIONS);
  const flag = fc.constantFrom(undefined, 'true', 'True', 'false', 'x', '');
  const annotations = fc
    .record({ global: flag, shared: flag, affinity: fc.constantFrom(undefined, 'local', 'Remote', 'none', '', 'near') })
    .chain((values) =>
      fc.boolean().map((legacy) =>
        Object.fromEntries(
          Object.entries(values).flatMap(([key, value]) => {
            const { name, legacy: older } = SERVICE_ANNOTATIONS[key as keyof typeof SERVICE_ANNOTATIONS];
            return value === undefined ? [] : [[legacy ? older : name, value]];
          }),
        ),
      ),
    );
  const service = fc.record({
    annotations,
    namespaceGlobal: fc.boolean(),
    nodeLocal: fc.boolean(),
    backends: fc.array(
      fc.record({
        conditions: backend,
        node: fc.constantFrom('node-1', 'node-2', undefined),
        ports: fc.subarray(['http', 'metrics']),
      }),
      { maxLength: 3 },
    ),
  });

  it('publish and use the same backends as meshctl says', () => {
    const clusters = fc.tuple(service, service, service);
    fc.assert(
      fc.property(clusters, (services) => {
        const told = services.map((one, index) => ({
          cluster: `mesh-${index}`,
          sharing: readSharing(one.annotations),
          headless: false,
          nodeLocal: one.nodeLocal,
          namespaceGlobal: one.namespaceGlobal,
          ports: [HTTP],
          backends: backendsIn(
            one.backends.map(({ conditions, node, ports }, at) => ({
              ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: `${at}` } },
              addressType: 'IPv4',
              ports: ports.map((name, port) => ({ name, port })),
              endpoints: [{ addresses: [`${at}`], conditions, nodeName: node }],
            })),
          ),
        }));
        const said = selectBackends(told, 'mesh-0', { node: 'node-1', port: HTTP }).map(
          ({ cluster, backend: { address } }) => `${cluster}/${address}`,
        );
        const known = services.flatMap((one, index) => {
          const cluster = `mesh-${index}`;
          const all = one.backends.flatMap(({ conditions, node, ports }, at) => {
            const listens = ports.includes(HTTP.name);
            return listens ? [{ cluster, conditions, nodeName: node, name: `${cluster}/${at}` }] : [];
          });
          if (index === 0) return all;
          const isPublished = one.namespaceGlobal && isShared(one.annotations);
          return isPublished ? all.filter(isOffered).map(({ name }) => ({ cluster, name })) : [];
        });
        const policy = services[0].nodeLocal ? 'Local' : 'Cluster';
        const near = inReachOf('node-1', policy, known);
        const used = usedBackends('mesh-0', services[0].annotations, near).map(({ name }) => name);
        expect(said.sort()).toEqual(used.sort());
      }),
      { numRuns: 2000 },
    );
  });
});

describe('values that Cilium does not know', () => {
  it.each([
    [{}, []],
    [
      {
        'service.cilium.io/global': 'True',
        'service.cilium.io/shared': 'FALSE',
        'service.cilium.io/affinity': 'local',
      },
      [],
    ],
    [{ 'service.cilium.io/global': 'yes' }, ['service.cilium.io/global=yes']],
    [{ 'io.cilium/global-service': '1' }, ['io.cilium/global-service=1']],
    // The newer name counts.
    [{ 'io.cilium/global-service': '1', 'service.cilium.io/global': 'true' }, []],
    [{ 'service.cilium.io/global': 'true', 'service.cilium.io/shared': '' }, ['service.cilium.io/shared=']],
    [
      { 'service.cilium.io/global': 'yes', 'service.cilium.io/affinity': 'locall' },
      ['service.cilium.io/global=yes', 'service.cilium.io/affinity=locall'],
    ],
    // That of a global Service has a warning of its own.
    [{ 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': 'locall' }, []],
  ])('%o: %o', (annotations, stray) => {
    expect(strayValues(annotations).map((pair) => pair.join('='))).toEqual(stray);
  });
});

it('takes an endpoint of which nothing is said for a ready one, as Kubernetes does', () => {
  const conditions = [{}, { ready: true }, { ready: false }, { ready: false, serving: true }];
  expect([{}, ...conditions.map((one) => ({ conditions: one }))].map(isOffered)).toEqual([
    true,
    true,
    true,
    false,
    true,
  ]);
  const annotations = { 'service.cilium.io/global': 'true' };
  expect(
    usedBackends('mesh-1', annotations, [{ cluster: 'mesh-1' }, { cluster: 'mesh-1', conditions: {} }]),
  ).toHaveLength(2);
});
