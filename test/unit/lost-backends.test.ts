import { describe, expect, it } from 'vitest';
import { requireForeseen } from '../../src/mesh/plan/agreement.ts';
import type { Affinity } from '../../src/mesh/services/annotations.ts';
import { type LosingCluster, lostBackends, undecidedBy } from '../../src/mesh/services/lost-backends.ts';
import type { ClusterServices, ServiceFacts } from '../../src/mesh/services/service-facts.ts';

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP' },
  { name: 'grpc', port: 81, protocol: 'TCP' },
];

interface Made {
  /** At which ports there is a backend; default: all, none where it is empty. */
  at?: readonly string[];
  affinity?: Affinity;
  shared?: boolean;
  global?: boolean;
  headless?: boolean;
  /** Its EndpointSlices are mirrored, where the cluster does that. */
  mirrored?: true;
}

function service({
  at = ['http', 'grpc'],
  affinity,
  shared,
  global = true,
  headless = false,
  mirrored,
}: Made): ServiceFacts {
  const ports = PORTS.filter(({ name }) => at.includes(name));
  const backend = { address: '10.0.0.1', ready: true, serving: true, terminating: false, ports };
  return {
    ...{ namespace: 'shop', name: 'web', type: 'ClusterIP', headless, selector: {}, ports: PORTS },
    annotations: {
      ...(global ? { 'service.cilium.io/global': 'true' } : {}),
      ...(affinity ? { 'service.cilium.io/affinity': affinity } : {}),
      ...(shared === false ? { 'service.cilium.io/shared': 'false' } : {}),
    },
    ...(mirrored ? { mirrored } : {}),
    backends: at.length > 0 ? [backend] : [],
  };
}

function cluster(name: string, made: Made | undefined, peers: readonly string[] = []): ClusterServices {
  const services = new Map(made ? [['shop/web', service(made)]] : []);
  return {
    context: `of-${name}`,
    cluster: name,
    globalByDefault: true,
    peers,
    namespaces: new Map(),
    services,
    mirrors: true,
  };
}

/** `a` dials these, and does not dial `b` any more. */
function losing(own: Made, read: Record<string, Made | undefined>, more: Partial<LosingCluster> = {}): LosingCluster {
  return {
    of: cluster('a', own, ['b', 'c']),
    others: Object.entries(read).map(([name, made]) => cluster(name, made)),
    ...{ loses: ['b'], gains: [], untold: [], changed: 'of-a' },
    ...more,
  };
}

const NONE: Made = { at: [] };
const FAIL = 'requests from a for shop/web fail, which no other backends serve';
const UNREAD = 'requests from a for shop/web fail: only b, which was not read, may have backends for them';
const LOSES = 'a loses the backends of b for shop/web';

describe('what a cluster loses with a peer', () => {
  it.each<[what: string, of: LosingCluster, says: string[], undecided: string[]]>([
    ['its only backends', losing(NONE, { b: {}, c: undefined }), [FAIL], []],
    [
      'its only backends, with a peer that was not read',
      losing(NONE, { b: {} }),
      [`${FAIL}, as far as is known without c`],
      ['c'],
    ],
    ['some of them', losing({}, { b: {}, c: {} }), [LOSES], []],
    ['all but those of another peer', losing(NONE, { b: {}, c: {} }), [LOSES], []],
    [
      'what stands by',
      losing({ affinity: 'local' }, { b: {}, c: {} }),
      ['a loses the backends of b that stand by for shop/web'],
      [],
    ],
    ['what it prefers', losing({ affinity: 'remote' }, { b: {}, c: undefined }), [LOSES], []],
    ['a port of them', losing({ at: ['http'] }, { b: {}, c: undefined }), [FAIL], []],
    ['nothing: the peer has none', losing({}, { b: NONE, c: undefined }), [], []],
    ['nothing: the peer keeps them', losing({}, { b: { shared: false }, c: undefined }), [], []],
    ['nothing: it is not global here', losing({ global: false }, { b: {}, c: undefined }), [], []],
    ['nothing: nothing balances a headless one', losing({ headless: true }, { b: {}, c: undefined }), [], []],
    ['what DNS had of a headless one', losing({ headless: true, mirrored: true }, { b: {}, c: {} }), [LOSES], []],
    [
      'all that DNS had of a headless one',
      losing({ headless: true, mirrored: true, at: [] }, { b: { headless: true }, c: undefined }),
      [FAIL],
      [],
    ],
    ['nothing more: it failed before', losing(NONE, { b: NONE, c: undefined }), [], []],
    ['nothing: it does not dial it', losing(NONE, { b: {}, c: undefined, d: {} }, { loses: ['d'] }), [], []],
    ['perhaps its only backends, of one that was not read', losing(NONE, { c: NONE }), [UNREAD], ['b']],
    [
      'perhaps some, of one that was not read',
      losing({}, { c: {} }),
      ['a loses what backends b, which was not read, has for shop/web'],
      ['b'],
    ],
    [
      'perhaps a port, of one that was not read',
      losing({ at: ['http'] }, { c: NONE }),
      ['a loses what backends b, which was not read, has for shop/web'],
      ['b'],
    ],
    ['nothing of one that was not read: its own serve', losing({ affinity: 'local' }, { c: {} }), [], []],
    [
      'some, where it comes to dial another one',
      losing(NONE, { b: {}, c: undefined, d: {} }, { gains: ['d'] }),
      [LOSES],
      [],
    ],
    [
      'nothing of one that leaves untold',
      losing({}, { b: {}, c: {} }, { loses: [], untold: ['b'] }),
      ['requests from a for shop/web go on to what backends b had'],
      [],
    ],
  ])('%s', (_what, of, says, undecided) => {
    const told = lostBackends(of).map(({ cluster: changed, says: words }) => ({ cluster: changed, says: words }));
    expect(told).toEqual(says.map((words) => ({ cluster: 'of-a', says: words })));
    expect(undecidedBy(of)).toEqual(undecided);
  });
});

describe('what a cluster loses by now is within what it was to lose', () => {
  /** `a` loses `b` and `d`; with the Services that `b` and `d` have. */
  const lostOf = (own: Made, ofB: string[], ofD: string[]) => {
    const named = (name: string, made: Made, services: string[]) => ({
      ...cluster(name, undefined, name === 'a' ? ['b', 'd'] : []),
      services: new Map(services.map((one) => [`shop/${one}`, { ...service(made), name: one }])),
    });
    const others = [named('b', {}, ofB), named('d', {}, ofD)];
    const of = named('a', own, ['api', 'web']);
    return lostBackends({ of, others, loses: ['b', 'd'], gains: [], untold: [], changed: 'of-a' });
  };
  const BOTH = ['api', 'web'];
  it.each<[string, ofB: string[], ofD: string[], own?: Made]>([
    ['a Service is gone', ['web'], ['web']],
    ['a peer has none any more', BOTH, []],
    ['each peer has another one left', ['api'], ['web']],
    ['of those that fail one does not any more', ['web'], [], NONE],
  ])('%s', (_what, ofB, ofD, own = {}) => {
    const [agreed, now] = [lostOf(own, BOTH, BOTH), lostOf(own, ofB, ofD)];
    expect(now.map(({ says }) => says)).not.toEqual(agreed.map(({ says }) => says));
    expect(() => requireForeseen(agreed, now)).not.toThrow();
    expect(() => requireForeseen(now, agreed)).toThrow(/that was not so when the plan was shown/);
  });
});
