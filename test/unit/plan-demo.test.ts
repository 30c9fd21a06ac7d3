import { expect, it } from 'vitest';
import {
  type DemoCluster,
  doubtfulConnection,
  planDemo,
  recordFor,
  requireNoneShared,
  requireOwnPlace,
} from '../../src/mesh/demo/plan-demo.ts';
import type { DemoRecord } from '../../src/mesh/demo/record.ts';

const NAMESPACE = 'meshctl-demo';
const JOINED = { deployment: 'uid-1' };
const DIALS = { dials: ['mesh-2'], knows: ['mesh-2'] };
const DIALLED = { dials: ['mesh-1'], knows: ['mesh-1'] };
const KEPT = { uid: 'uid-ca', object: 'Secret kube-system/cilium-ca' };
const LEFT: DemoRecord = { peer: 'mesh-2', enabled: { made: 'uid-1' }, connected: 'made' };

const clusterOf = (name: string, facts: Partial<DemoCluster> = {}): DemoCluster => ({
  context: `c-${name}`,
  name,
  deployment: undefined,
  parts: [],
  dials: [],
  knows: [],
  others: [],
  ...facts,
});

const planOf = (one: Partial<DemoCluster>, other: Partial<DemoCluster>) =>
  planDemo([clusterOf('mesh-1', one), clusterOf('mesh-2', other)], NAMESPACE);

it.each<
  [string, Partial<DemoCluster>, Partial<DemoCluster>, { enable: string[]; connect: boolean; formerly: boolean }]
>([
  ['all of it where nothing is there', {}, {}, { enable: ['c-mesh-1', 'c-mesh-2'], connect: true, formerly: false }],
  ['only the other cluster', JOINED, {}, { enable: ['c-mesh-2'], connect: true, formerly: false }],
  ['only the connection', JOINED, JOINED, { enable: [], connect: true, formerly: false }],
  [
    'nothing where they are connected',
    { ...JOINED, ...DIALS },
    { ...JOINED, ...DIALLED },
    { enable: [], connect: false, formerly: false },
  ],
  [
    'what a former demo made, as if it were not there',
    { ...JOINED, ...DIALS, taken: { record: LEFT } },
    { ...JOINED, ...DIALLED, taken: { record: { peer: 'mesh-1', enabled: 'no', connected: 'made' } } },
    { enable: ['c-mesh-1'], connect: true, formerly: true },
  ],
  [
    'what a former demo was interrupted in the middle of enabling',
    { parts: [{ ...KEPT, uid: 'uid-1' }], taken: { record: { ...LEFT, connected: 'planned' } } },
    JOINED,
    { enable: ['c-mesh-1'], connect: true, formerly: true },
  ],
  [
    'what a former demo was interrupted in the middle of connecting',
    { ...JOINED, knows: ['mesh-2'], taken: { record: LEFT } },
    JOINED,
    { enable: ['c-mesh-1'], connect: true, formerly: true },
  ],
  [
    'nothing of what others have made since a demo ended that was to make it',
    { ...JOINED, ...DIALS, taken: { record: { peer: 'mesh-2', enabled: 'planned', connected: 'planned' } } },
    { ...JOINED, ...DIALLED, taken: { record: { peer: 'mesh-1', enabled: { made: 'uid-0' }, connected: 'planned' } } },
    { enable: [], connect: false, formerly: true },
  ],
])('makes %s', (_what, one, other, expected) => {
  const plan = planOf(one, other);
  expect(plan).toMatchObject(expected);
  expect(recordFor(plan, plan.clusters[0])).toEqual({
    peer: 'mesh-2',
    enabled: expected.enable.includes('c-mesh-1') ? 'planned' : 'no',
    connected: expected.connect ? 'planned' : 'no',
  });
});

it.each<[string, Partial<DemoCluster>, Partial<DemoCluster>, { code: string; hint: string }]>([
  [
    'a connection one way, which it could not put back',
    { ...JOINED, ...DIALS },
    { ...JOINED, knows: ['mesh-1'] },
    {
      code: 'Incompatible',
      hint: 'meshctl clustermesh connect --context c-mesh-1 --destination-context c-mesh-2 --connection-mode bidirectional',
    },
  ],
  [
    'a connection that one side has parted with',
    JOINED,
    { ...JOINED, ...DIALLED },
    {
      code: 'Incompatible',
      hint: 'Connect them again: meshctl clustermesh connect --context c-mesh-2 --destination-context c-mesh-1; or disconnect that side too: meshctl clustermesh disconnect --context c-mesh-2 --peer mesh-1',
    },
  ],
  [
    'certificates that were kept, which would go with the demo',
    JOINED,
    { parts: [KEPT] },
    {
      code: 'Conflict',
      hint: 'Enable it, which the demo leaves as it is: meshctl clustermesh enable --context c-mesh-2',
    },
  ],
  [
    'an enable that stopped, of which nothing says that a demo has begun it',
    { parts: [KEPT], taken: { record: { ...LEFT, enabled: 'planned', connected: 'no' } } },
    {},
    {
      code: 'Conflict',
      hint: 'Enable it, which the demo leaves as it is: meshctl clustermesh enable --context c-mesh-1',
    },
  ],
  [
    "somebody's namespace",
    {},
    { taken: { record: undefined } },
    { code: 'Conflict', hint: 'Name another one with --namespace.' },
  ],
  [
    'the namespace of a demo with a third cluster',
    { taken: { record: { ...LEFT, peer: 'mesh-3' } } },
    {},
    { code: 'Conflict', hint: "meshctl demo --context 'c-mesh-1,<context of mesh-3>' --clean-up" },
  ],
  [
    'what a demo left in another namespace',
    {},
    { others: ['show'] },
    { code: 'Conflict', hint: 'meshctl demo --context c-mesh-2,c-mesh-1 --namespace show --clean-up' },
  ],
])('refuses %s', (_what, one, other, expected) => {
  expect(() => planOf(one, other)).toThrow(expect.objectContaining(expected));
});

it('does not take a connection that it was to make for one that it has made, and says how to end it', () => {
  const PLANNED: DemoRecord = { ...LEFT, connected: 'planned' };
  const pair = (record: DemoRecord, other: Partial<DemoCluster> = {}) =>
    [clusterOf('mesh-1', { ...DIALS, taken: { record } }), clusterOf('mesh-2', other)] as const;
  const parting = 'meshctl clustermesh disconnect --context c-mesh-1 --destination-context c-mesh-2';
  expect(doubtfulConnection(pair(PLANNED))).toBe(parting);
  expect(doubtfulConnection(pair(LEFT))).toBeUndefined();
  expect(
    doubtfulConnection([clusterOf('mesh-1', { taken: { record: PLANNED } }), clusterOf('mesh-2')]),
  ).toBeUndefined();
  // Half connected or not, it can be cleaned up.
  expect(() => requireOwnPlace(pair(PLANNED), NAMESPACE)).not.toThrow();
});

it.each<[string, Partial<DemoCluster>[], string[], string | undefined]>([
  ['are none', [{}, {}], [], undefined],
  ["are a former demo's", [{}, {}], [`${NAMESPACE}/echo`], undefined],
  [
    'are shared already',
    [
      { ...JOINED, ...DIALS },
      { ...JOINED, ...DIALLED },
    ],
    ['shop/api'],
    undefined,
  ],
  [
    'would be shared by its connection',
    [JOINED, {}],
    [`${NAMESPACE}-2/echo`, 'shop/api'],
    'meshctl clustermesh enable --context c-mesh-2 && meshctl clustermesh connect --context c-mesh-1 --destination-context c-mesh-2',
  ],
])('where global services %s', (_what, [one = {}, other = {}], shared, mend) => {
  const plan = planOf(one, other);
  const see = () => requireNoneShared(plan, shared);
  if (mend === undefined) expect(see).not.toThrow();
  else {
    const hint = expect.stringMatching(new RegExp(`: ${mend}$`));
    expect(see).toThrow(expect.objectContaining({ code: 'Conflict', hint }));
  }
});
