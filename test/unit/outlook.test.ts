import { expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { apart, outlook, peersBesides, remarkWords } from '../../src/mesh/services/outlook.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { joinServices, serviceFacts } from '../../src/mesh/services/services.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

const GLOBAL = { 'service.cilium.io/global': 'true' };
const WITHHELD = { ...GLOBAL, 'service.cilium.io/shared': 'false' };

function service(annotations: Record<string, string>, spec: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }], ...spec },
  };
}

function cluster(
  name: string,
  annotations: Record<string, string>,
  seen: Partial<ClusterServices> = {},
): ClusterServices {
  return {
    context: name,
    cluster: `mesh-${name}`,
    globalByDefault: true,
    peers: [],
    namespaces: new Map([['shop', {}]]),
    services: new Map([['shop/web', serviceFacts(service(annotations))]]),
    ...seen,
  };
}

function step(action: Step['action'], before: Record<string, string> | undefined, wanted: KubeObject): Step {
  const object = { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web' };
  return {
    cluster: 'one',
    action,
    object,
    changes: [],
    why: '',
    ...(before ? { before: service(before) } : {}),
    wanted,
  };
}

const MAKE = step('update', {}, service(GLOBAL));
const NOT_THERE = 'namespace shop is not global there, so that other clusters get no backends of shop/web from it';
const apartNamespace = { namespaces: new Map([['shop', { 'clustermesh.cilium.io/global': 'false' }]]) };

it.each<[string, Step, own: Partial<ClusterServices>, others: ClusterServices[], says: string[]]>([
  ['nobody is dialled', MAKE, {}, [], []],
  ['its namespace says no', MAKE, apartNamespace, [], [NOT_THERE]],
  ['namespaces are not by default', MAKE, { globalByDefault: false }, [], [NOT_THERE]],
  ['it is kept at home there anyway', step('update', {}, service(WITHHELD)), apartNamespace, [], []],
  ['it was so before', step('keep', GLOBAL, service(GLOBAL)), apartNamespace, [], [NOT_THERE]],
  ['it goes out', step('update', GLOBAL, service({})), apartNamespace, [], []],
  [
    'a copy',
    step('create', undefined, service(GLOBAL)),
    { services: new Map() },
    [],
    ['pods there with app=web come to serve shop/web, for other clusters too'],
  ],
  [
    'a copy that is kept at home',
    step('create', undefined, service(WITHHELD)),
    { services: new Map() },
    [],
    ['pods there with app=web come to serve shop/web'],
  ],
  [
    'a copy without a selector',
    step('create', undefined, service(GLOBAL, { selector: {} })),
    { services: new Map() },
    [],
    [],
  ],
  [
    'a peer has it',
    MAKE,
    { peers: ['mesh-far'] },
    [cluster('far', GLOBAL)],
    ['requests for shop/web may go to mesh-far too'],
  ],
  ['a peer keeps it to itself', MAKE, { peers: ['mesh-far'] }, [cluster('far', WITHHELD)], []],
  ['a peer has none that is global', MAKE, { peers: ['mesh-far'] }, [cluster('far', {})], []],
  ['another that has it is no peer', MAKE, {}, [cluster('far', GLOBAL)], []],
  [
    'a peer was not read',
    MAKE,
    { peers: ['mesh-far'] },
    [],
    ['requests for shop/web may go to mesh-far too, if it is global there: that was not read'],
  ],
  [
    'it was global before',
    step('update', GLOBAL, service(WITHHELD)),
    { peers: ['mesh-far'] },
    [cluster('far', GLOBAL)],
    [],
  ],
  [
    'whom it dials may not be read',
    MAKE,
    { peers: undefined },
    [],
    ['whose backends requests for shop/web go to besides is not known: the peering files may not be read'],
  ],
])('what comes of a global Service is said: %s', (_what, one, seen, others, says) => {
  const own = cluster('one', {}, seen);
  expect(outlook([one], [own], others).map((remark) => remark.says)).toEqual(says);
});

it('a copy without a clusterIP balances nothing', () => {
  const made = step('create', undefined, service(GLOBAL, { clusterIP: 'None', selector: {} }));
  const [remark] = outlook([made], [cluster('one', {}, { services: new Map() })], []);
  expect(remark).toMatchObject({ isInVain: true, says: expect.stringContaining('shop/web is headless there') });
});

it.each<[what: string, seen: Partial<ClusterServices>, annotations: Record<string, string>, isMirrored: boolean]>([
  ['Cilium mirrors EndpointSlices', { mirrors: true }, {}, true],
  ['it does not', {}, {}, false],
  [
    'it does, and not of this one',
    { mirrors: true },
    { 'service.cilium.io/global-sync-endpoint-slices': 'false' },
    false,
  ],
])('a headless one has what DNS gives where %s', (_what, seen, annotations, isMirrored) => {
  const before = { ...cluster('one', {}, { ...seen, peers: ['mesh-far'] }) };
  const wanted = service(GLOBAL, { clusterIP: 'None' });
  const made = {
    ...wanted,
    metadata: { ...wanted.metadata, annotations: { ...wanted.metadata.annotations, ...annotations } },
  };
  const remarks = outlook(
    [step('create', undefined, made)],
    [{ ...before, services: new Map() }],
    [cluster('far', GLOBAL)],
  );
  const says = remarks.map((remark) => remark.says);
  expect(says.includes('requests for shop/web may go to mesh-far too')).toBe(isMirrored);
  expect(remarks.some(({ isInVain }) => isInVain)).toBe(!isMirrored);
});

it('asks only for peers of those that become global, which were not named', () => {
  const own = [
    cluster('one', {}, { peers: ['mesh-two', 'mesh-far'] }),
    cluster('two', GLOBAL, { peers: ['mesh-else'] }),
  ];
  const kept: Step = { ...step('keep', GLOBAL, service(GLOBAL)), cluster: 'two' };
  expect(peersBesides([MAKE, kept], own)).toEqual(['mesh-far']);
  expect(peersBesides([kept], own)).toEqual([]);
});

it.each<[string, (readonly string[] | undefined)[], string[]]>([
  [
    'two that are not connected',
    [[], []],
    ['these clusters are not connected with each other: each uses its own backends only'],
  ],
  ['one that dials', [['mesh-1'], []], []],
  ['a hub and its spokes', [['mesh-1', 'mesh-2'], ['mesh-0'], ['mesh-0']], []],
  [
    'three of which none dials another',
    [[], ['mesh-9'], []],
    ['none of these clusters is connected with another: each uses its own backends only'],
  ],
  ['nobody may see whom one dials', [undefined, []], []],
  ['one alone', [[]], []],
])('clusters that have nothing to do with each other share nothing: %s', (_what, peers, says) => {
  const clusters = peers.map((of, index) => cluster(String(index), {}, { peers: of }));
  expect(remarkWords(apart(clusters))).toEqual(says);
});

const DUAL = ['IPv4', 'IPv6'];

it.each<[string, one: object, two: object, isInVain: boolean, ids: string[]]>([
  ['are alike', { ipFamilies: ['IPv4'] }, { ipFamilies: ['IPv4'] }, false, []],
  ['have no family in common', { ipFamilies: ['IPv4'] }, { ipFamilies: ['IPv6'] }, true, ['families-differ']],
  ['have one in common', { ipFamilies: ['IPv4'] }, { ipFamilies: DUAL }, false, ['families-differ']],
  ['have other ports', {}, { ports: [{ name: 'grpc', port: 81 }] }, false, ['ports-differ']],
  ['have other port numbers', {}, { ports: [{ name: 'http', port: 81 }] }, false, ['port-numbers-differ']],
  ['have other selectors', {}, { selector: { app: 'www' } }, false, ['selectors-differ']],
])(
  'a write tells how definitions differ, as service list does afterwards: they %s',
  (_what, one, two, isInVain, ids) => {
    const specs = { one, two };
    const withSpec = (name: 'one' | 'two', annotations: Record<string, string>): ClusterServices =>
      cluster(name, {}, { services: new Map([['shop/web', serviceFacts(service(annotations, specs[name]))]]) });
    const steps = (['one', 'two'] as const).map((name) => ({
      ...step('update', {}, service(GLOBAL, specs[name])),
      cluster: name,
    }));
    const remarks = outlook(steps, [withSpec('one', {}), withSpec('two', {})], []);
    const [after] = joinServices([withSpec('one', GLOBAL), withSpec('two', GLOBAL)]);
    const told = after?.warnings.filter(({ id }) => id.endsWith('differ')) ?? [];
    expect(told.map(({ id }) => id)).toEqual(ids);
    const words = told.map((warning) => after && warningData(warning, after));
    expect(remarks).toMatchObject(words.map((one) => ({ says: `shop/web: ${one?.message}`, isInVain })));
    expect(remarks.map(({ hint }) => hint)).toEqual(words.map((one) => one?.hint));
  },
);

it.each<[string, (4 | 6)[], (4 | 6)[], string[]]>([
  ['both', [4, 6], [4, 6], ['one', 'two']],
  ['one of them', [4], [4, 6], ['two']],
  ['none', [4], [6], []],
])('addresses of both families are asked for where pods have them: in %s', (_what, ours, theirs, contexts) => {
  const of = (name: string, podFamilies: (4 | 6)[], family: string) =>
    cluster(
      name,
      {},
      { podFamilies, services: new Map([['shop/web', serviceFacts(service(GLOBAL, { ipFamilies: [family] }))]]) },
    );
  const clusters = [of('one', ours, 'IPv4'), of('two', theirs, 'IPv6')];
  const [remark] = outlook([step('keep', GLOBAL, service(GLOBAL, { ipFamilies: ['IPv4'] }))], clusters, []);
  expect(remark?.says).toContain('of other families');
  expect([...(remark?.hint ?? '').matchAll(/--context (\w+)/g)].map(([, name]) => name)).toEqual(contexts);
});
