import { describe, expect, it } from 'vitest';
import { type Loss, lossesIn } from '../../src/mesh/probe/failures.ts';
import type { ProbePlace } from '../../src/mesh/probe/places.ts';
import type { ProbeTest } from '../../src/mesh/probe/tests.ts';
import { type Evidence, isNeeded, judgeAll, type TestResult } from '../../src/mesh/probe/verdict.ts';
import { readSaid, readSightings, readWatchStart, testWord, withMtus } from '../../src/mesh/probe/words.ts';

const place = (cluster: string, node = `${cluster}1`): ProbePlace => ({
  ...{ cluster, node, kind: 'node', addresses: [node], deviceMtu: 1500 },
});
const HERE = place('a');
const THERE = place('b');
const LB = '10.0.0.100';

const KINDS: Readonly<Record<string, Partial<ProbeTest>>> = {
  tunnel: { via: 'udp', port: 8472 },
  health: { via: 'tcp', port: 4240, sourcePort: 61000 },
  ping: { via: 'icmp', required: false },
  ipsec: { via: 'esp' },
  'pod-to-pod': { via: 'tcp', port: 61999, sourcePort: 61001 },
  apiserver: { via: 'tcp', port: 2379, sourcePort: 61002, host: LB, to: undefined },
  mtu: { via: 'mtu', port: 8472, sizes: [1500, 1400, 1280], enough: 1500 },
};

function testOf(kind: string, more: Partial<ProbeTest> = {}): ProbeTest {
  const from = more.from ?? HERE;
  const to = from === HERE ? THERE : HERE;
  const base = { id: `${kind}-${from.cluster}`, kind: kind as ProbeTest['kind'], from, to, toCluster: to.cluster };
  return {
    ...base,
    via: 'udp',
    host: to.addresses[0] ?? '',
    required: true,
    why: 'it is needed',
    ...KINDS[kind],
    ...more,
  };
}

/** @param seen lines of the destination; `undefined`: it did not tell */
function evidenceOf(said: string, seen: string | undefined, more: Partial<Evidence> = {}): Evidence {
  const sightings = seen === undefined ? undefined : readSightings(`${seen}\ncollected\n`);
  return {
    said: readSaid(said),
    sightings: new Map(sightings ? [[THERE, sightings]] : []),
    unseen: new Map(),
    unsent: new Map(),
    ...more,
  };
}

/** `one-way answer`, of one test from a to b. */
function verdictOf(kind: string, said: string, seen: string | undefined): string {
  const test = testOf(kind);
  const [result] = judgeAll([test], evidenceOf(`${test.id} ${said}`, seen?.replaceAll('ID', test.id)));
  return [result?.verdict, result?.lostAt].filter(Boolean).join(' ');
}

const SYN = { device: 'syn a1 61000 4240 device', in: 'syn a1 61000 4240 device\nsyn a1 61000 4240' };
const SEEN = { device: 'seen ID a1 68 device', in: 'seen ID a1 68 device\nseen ID a1 68' };
const POD = 'syn a1 61001 61999 device\nsyn a1 61001 61999';

describe('a verdict, by what the sender says and the destination saw', () => {
  it.each([
    ['tunnel', 'sent', SEEN.in, 'open'],
    ['tunnel', 'sent', SEEN.device, 'path-blocked destination'],
    ['tunnel', 'sent', '', 'path-blocked way'],
    ['tunnel', 'sent', undefined, 'not-tested'],
    ['tunnel', 'refused', SEEN.in, 'service-unreachable'],
    ['tunnel', 'refused', '', 'path-blocked rejected'],
    ['tunnel', 'unreachable Operation not permitted', '', 'path-blocked sender'],
    ['tunnel', 'unreachable Network is unreachable', '', 'path-blocked route'],
    ['tunnel', 'unreachable No route to host', '', 'path-blocked rejected'],
    ['tunnel', 'unreachable Temporary failure in name resolution', '', 'path-blocked name'],
    ['ipsec', 'sent', SEEN.in, 'open'],
    ['ipsec', 'sent', '', 'path-blocked way'],
    ['ping', 'answered 0.40', '', 'open'],
    ['ping', 'silent', SEEN.in, 'one-way answer'],
    ['ping', 'silent', SEEN.device, 'path-blocked destination'],
    ['ping', 'silent', '', 'path-blocked way'],
    ['health', 'open 0.40', undefined, 'open'],
    ['health', 'refused', SYN.in, 'service-unreachable'],
    ['health', 'refused', SYN.device, 'path-blocked destination'],
    ['health', 'refused', '', 'path-blocked rejected'],
    ['health', 'silent', SYN.in, 'one-way answer'],
    ['health', 'silent', '', 'path-blocked way'],
    ['health', 'silent', undefined, 'not-tested'],
    // Another connection is no evidence.
    ['health', 'silent', 'syn a1 61000 4241', 'path-blocked way'],
    ['pod-to-pod', 'refused', POD, 'open'],
    ['pod-to-pod', 'refused', '', 'path-blocked rejected'],
    ['pod-to-pod', 'silent', POD, 'one-way answer'],
  ])('%s: %s, %j: %s', (kind, said, seen, expected) => {
    expect(verdictOf(kind, said, seen)).toBe(expected);
  });

  it.each([
    // From a, from the apiserver's own cluster, what its nodes saw.
    ['open 1.00', 'open 0.10', '', 'open'],
    ['silent', 'open 0.10', '', 'path-blocked way'],
    ['silent', 'open 0.10', 'syn a1 61002 2379 device', 'path-blocked destination'],
    ['silent', 'silent', '', 'path-blocked way'],
    ['silent', 'silent', 'syn a1 61002 2379 device', 'service-unreachable'],
    ['silent', 'refused', '', 'service-unreachable'],
    ['refused', 'refused', '', 'service-unreachable'],
    ['refused', 'open 0.10', '', 'path-blocked rejected'],
    ['refused', 'silent', '', 'service-unreachable'],
    // As agents say of a Service without a backend; the rest is that node's own.
    ['silent', 'unreachable No route to host', '', 'service-unreachable'],
    ['silent', 'unreachable Network is unreachable', '', 'path-blocked way'],
    ['silent', 'unreachable Operation not permitted', '', 'path-blocked way'],
    ['silent', 'unreachable Temporary failure in name resolution', '', 'path-blocked way'],
  ])('an apiserver: %s, from home %s, seen %j: %s', (said, home, seen, expected) => {
    const test = testOf('apiserver');
    const control: ProbeTest = { ...test, id: 'home', from: THERE, isControl: true };
    const results = judgeAll([test, control], evidenceOf(`${test.id} ${said}\nhome ${home}`, seen));
    expect(results.map(({ verdict, lostAt }) => [verdict, lostAt].filter(Boolean).join(' '))).toEqual([expected]);
  });

  it.each<[string, Partial<ProbeTest>, said: string, verdict: string]>([
    ['its Service has that address, and no other answers', {}, 'silent', 'service-unreachable'],
    ['its Service does not have that address', { isElsewhere: true }, 'silent', 'path-blocked'],
    ['it answers at another address', {}, 'open 0.40', 'path-blocked'],
  ])('an apiserver whose own nodes are refused, where %s', (_what, more, other, verdict) => {
    const test = testOf('apiserver');
    const control: ProbeTest = { ...test, id: 'home', from: THERE, isControl: true, ...more };
    const beside: ProbeTest = { ...test, id: 'beside', from: THERE, host: '10.0.0.101', isControl: true };
    const said = `${test.id} silent\nhome refused\nbeside ${other}`;
    expect(judgeAll([test, control, beside], evidenceOf(said, ''))[0]?.verdict).toBe(verdict);
  });

  it.each([
    ['seen ID a1 1500 device\nseen ID a1 1500', 'open', 1500, true],
    // Of a VLAN's tag more than the device's MTU gets in.
    ['seen ID a1 1504 device\nseen ID a1 1504', 'open', 1500, true],
    ['seen ID a1 1400 device\nseen ID a1 1400\nseen ID a1 1280', 'mtu-too-small', 1400, true],
    ['seen ID a1 1280 device', 'not-tested', undefined, true],
    ['', 'not-tested', undefined, true],
  ])('sizes %j: %s', (seen, verdict, pathMtu, isRequired) => {
    const test = testOf('mtu');
    const [result] = judgeAll([test], evidenceOf(`${test.id} sent 1500,1400,1280`, seen.replaceAll('ID', test.id)));
    expect(result).toMatchObject({ verdict, ...(pathMtu === undefined ? {} : { pathMtu }) });
    expect(isNeeded(result as TestResult)).toBe(isRequired && !(pathMtu === 1500));
  });

  it('larger packets than the other end ever sends are not needed', () => {
    const result: TestResult = { test: testOf('mtu', { enough: 1400 }), verdict: 'mtu-too-small', pathMtu: 1400 };
    expect(isNeeded(result)).toBe(false);
    expect(isNeeded({ ...result, pathMtu: 1396 })).toBe(true);
  });

  it.each([
    // At the addresses of IPv4, of IPv6, and of IPv6 from a pod.
    [
      ['open 1.00', 'silent', 'open 1.00'],
      ['', '?', ''],
    ],
    [
      ['silent', 'open 1.00', 'open 1.00'],
      ['?', '', ''],
    ],
    [
      ['open 1.00', 'unreachable Network is unreachable', 'open 1.00'],
      ['', '?', ''],
    ],
    [
      ['open 1.00', '', 'open 1.00'],
      ['', '?', ''],
    ],
    [
      ['silent', 'silent', 'open 1.00'],
      ['!', '!', ''],
    ],
    // What a node reaches, the pod beside it need not.
    [
      ['open 1.00', 'open 1.00', 'silent'],
      ['', '', '!'],
    ],
  ])('one address of an apiserver is enough, from the very place that dials: %j', (said, expected) => {
    const pod = { ...HERE, kind: 'pod' } as const;
    const of = (id: string, host: string, from: ProbePlace) =>
      testOf('apiserver', { id, host, from, to: undefined, toCluster: 'b' });
    const tests = [of('four', LB, HERE), of('six', 'fd00::1', HERE), of('pod', 'fd00::1', pod)];
    const lines = tests.flatMap(({ id }, index) => (said[index] ? `${id} ${said[index]}` : []));
    const marks = judgeAll(tests, evidenceOf(lines.join('\n'), '')).map((result) =>
      result.verdict === 'open' ? '' : isNeeded(result) ? '!' : '?',
    );
    expect(marks).toEqual(expected);
  });

  it('another cluster’s apiserver, or another port of the nodes, is no such address', () => {
    const tests = [
      testOf('apiserver'),
      testOf('apiserver', { id: 'of-c', toCluster: 'c', host: '10.0.0.200' }),
      testOf('health', { id: 'health' }),
    ];
    const results = judgeAll(tests, evidenceOf('apiserver-a silent\nof-c open 1.00\nhealth open 1.00', ''));
    expect(isNeeded(results[0] as TestResult)).toBe(true);
  });

  it('a connection that the own firewall drops is silent; the datagrams tell where it is', () => {
    const tests = [testOf('tunnel'), testOf('ping'), testOf('health'), testOf('apiserver')];
    const refused = 'unreachable Operation not permitted';
    const lostAt = (ping: string) => {
      const said = `tunnel-a ${refused}\nping-a ${ping}\nhealth-a silent\napiserver-a silent`;
      return judgeAll(tests, evidenceOf(said, '')).map((result) => result.lostAt);
    };
    expect(lostAt(refused)).toEqual(['sender', 'sender', 'sender', 'sender']);
    expect(lostAt('answered 0.10')).toEqual(['sender', undefined, 'way', 'way']);
  });

  it('a pod has no answer of an apiserver where its node has none of anybody', () => {
    const pod = { ...HERE, kind: 'pod', addresses: ['pod'] } as const;
    const tests = [
      testOf('health'),
      testOf('ping'),
      testOf('apiserver', { id: 'of-pod', from: pod, to: undefined, toCluster: 'b' }),
    ];
    const verdictOfPod = (health: string) => {
      const said = `health-a ${health}\nping-a silent\nof-pod silent`;
      return judgeAll(tests, evidenceOf(said, `${SYN.in}\nseen ping-a a1 60`))[2]?.verdict;
    };
    expect(verdictOfPod('silent')).toBe('one-way');
    expect(verdictOfPod('open 0.10')).toBe('path-blocked');
  });

  it('what could not be tried is not tested, with the reason', () => {
    const failed = { ...HERE, failed: 'its pod does not run' };
    const tests = [testOf('tunnel', { from: failed, to: THERE, toCluster: 'b' }), testOf('health'), testOf('ping')];
    const unsent = new Map([[HERE, 'the exec broke off']]);
    const results = judgeAll(tests.slice(0, 2), evidenceOf('', '', { unsent }));
    expect(results.map(({ verdict, why }) => [verdict, why])).toEqual([
      ['not-tested', 'its pod does not run'],
      ['not-tested', 'the exec broke off'],
    ]);
    expect(judgeAll(tests.slice(2), evidenceOf('', ''))).toMatchObject([
      { verdict: 'not-tested', why: 'a1 reported nothing about it' },
    ]);
  });
});

describe('the program’s words', () => {
  it('a test in one word', () => {
    expect(testWord(testOf('health', { id: 'x' }))).toBe('x/tcp/b1/4240/61000/');
    expect(testWord(testOf('mtu', { id: 'y' }))).toBe('y/mtu/b1/8472//1500,1400,1280');
    expect(testWord(testOf('ping', { id: 'z' }))).toBe('z/icmp/b1///');
  });

  it('a watch that began has its MTUs; one that did not, is none', () => {
    const start = readWatchStart('mtu eth0 1500\naddress a1 eth0\nmtu cilium_host 1400\nwatching\n');
    expect(start && withMtus(HERE, start)).toMatchObject({ deviceMtu: 1500, ciliumMtu: 1400 });
    const elsewhere = readWatchStart('mtu eth0 1500\naddress a2 eth0\nwatching\n');
    expect(elsewhere && withMtus(HERE, elsewhere).deviceMtu).toBeUndefined();
    expect(readWatchStart('no packet socket: Operation not permitted\n')).toBeUndefined();
  });

  it('what was cut off is no evidence, and lines of others are none', () => {
    expect(readSightings('seen x a1 68\n')).toBeUndefined();
    expect([...readSaid('perl: warning: Setting locale failed.\nx sent\n').keys()]).toEqual(['x']);
  });
});

/** `path-blocked a>b tunnel+health`, each thing once. */
function inShort(results: readonly Omit<TestResult, 'test'>[], tests: readonly ProbeTest[]): string[] {
  const losses = lossesIn(tests.map((test, index) => ({ test, ...(results[index] as Omit<TestResult, 'test'>) })));
  return losses.map(({ verdict, from, to, isMutual, isEverything, packets, fromNodes, required }: Loss) =>
    [
      `${verdict}${required ? '' : '?'}`,
      `${from}${isMutual ? '<>' : '>'}${to}`,
      isEverything ? 'everything' : packets.map(({ kind }) => kind).join('+'),
      fromNodes.join('+'),
    ].join(' '),
  );
}

describe('each thing that is wrong, once', () => {
  const OPEN = { verdict: 'open' } as const;
  const LOST = { verdict: 'path-blocked', lostAt: 'way' } as const;
  const ANSWER = { verdict: 'one-way', lostAt: 'answer' } as const;
  const THERE_AND_BACK = ['tunnel', 'health', 'ping'].flatMap((kind) => [
    testOf(kind),
    testOf(kind, { from: THERE, to: HERE, toCluster: 'a', host: 'a1' }),
  ]);

  it.each([
    ['nothing', [OPEN, OPEN, OPEN, OPEN, OPEN, OPEN], []],
    ['one kind one way', [LOST, OPEN, OPEN, OPEN, OPEN, OPEN], ['path-blocked a>b tunnel a1']],
    ['one kind both ways', [LOST, LOST, OPEN, OPEN, OPEN, OPEN], ['path-blocked a<>b tunnel a1']],
    ['two kinds', [LOST, OPEN, LOST, OPEN, OPEN, OPEN], ['path-blocked a>b tunnel+health a1']],
    ['what is not needed', [OPEN, OPEN, OPEN, OPEN, LOST, LOST], ['path-blocked? a<>b ping a1']],
    ['everything one way, with the answers', [LOST, OPEN, LOST, ANSWER, LOST, ANSWER], ['one-way a>b everything a1']],
    ['everything', [LOST, LOST, LOST, LOST, LOST, LOST], ['path-blocked a<>b everything a1']],
    // The echo that is lost at a is also the answer to b's.
    ['pings, which answer each other', [OPEN, OPEN, OPEN, OPEN, LOST, ANSWER], ['path-blocked? a>b ping a1']],
    ['answers alone', [OPEN, OPEN, OPEN, ANSWER, OPEN, OPEN], ['one-way a>b health a1']],
    [
      'a node without a route',
      [1, 0, 1, 0, 1, 0].map((isLost) => (isLost ? { verdict: 'path-blocked', lostAt: 'route', why: 'x' } : ANSWER)),
      ['path-blocked a>b everything a1'],
    ],
    [
      'different things',
      [LOST, OPEN, { verdict: 'service-unreachable' }, OPEN, OPEN, OPEN],
      ['path-blocked a>b tunnel a1', 'service-unreachable a>b health a1'],
    ],
  ] as [string, Omit<TestResult, 'test'>[], string[]][])('%s', (_what, results, expected) => {
    expect(inShort(results, THERE_AND_BACK)).toEqual(expected);
  });

  it.each([true, false])('lost both ways, and needed one way alone: it is needed (there: %s)', (required) => {
    const there = testOf('health', { required });
    const back = testOf('health', { from: THERE, to: HERE, toCluster: 'a', host: 'a1', required: !required });
    expect(inShort([LOST, LOST], [there, back])).toEqual([expect.stringMatching(/^path-blocked a<>b /)]);
  });

  it('no apiserver is reached either where nothing is', () => {
    const tests = [...THERE_AND_BACK, testOf('apiserver')];
    expect(inShort([LOST, OPEN, LOST, OPEN, LOST, OPEN, LOST], tests)).toEqual(['path-blocked a>b everything a1']);
    expect(inShort([OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, LOST], tests)).toEqual(['path-blocked a>b apiserver a1']);
  });

  it('no pod is reached either from a node that reaches nothing; a pod alone is a thing of its own', () => {
    const pod = (one: ProbePlace): ProbePlace => ({ ...one, kind: 'pod' });
    const between = { from: pod(HERE), to: pod(THERE), toCluster: 'b' };
    const tests = [...THERE_AND_BACK, ...['1', '2'].map((id) => testOf('pod-to-pod', { ...between, id }))];
    expect(inShort([LOST, OPEN, LOST, OPEN, LOST, OPEN, LOST, LOST], tests)).toEqual([
      'path-blocked a>b everything a1',
    ]);
    expect(inShort([OPEN, OPEN, OPEN, OPEN, OPEN, OPEN, LOST, LOST], tests)).toEqual([
      'path-blocked a>b everything a pod on a1',
    ]);
  });

  it('a port that nobody has is one thing, on however many nodes and whoever asks', () => {
    const nodes = ['b1', 'b2'].map((node) => place('b', node));
    const tests = nodes.flatMap((to) =>
      ['a', 'c'].map((from) => testOf('health', { id: from + to.node, from: place(from), to, toCluster: 'b' })),
    );
    const [loss, ...others] = lossesIn(tests.map((test) => ({ test, verdict: 'service-unreachable' as const })));
    expect(loss).toMatchObject({ fromNodes: ['a1', 'c1'], toNodes: ['b1', 'b2'], pairs: 4, pairsTried: 4 });
    expect(others).toEqual([]);
  });

  it('a path has one MTU, the smallest that was found', () => {
    const small = (pathMtu: number) => ({ verdict: 'mtu-too-small', pathMtu }) as const;
    const tests = [testOf('mtu'), testOf('mtu', { from: THERE, to: HERE, toCluster: 'a' })];
    const [loss, ...others] = lossesIn(tests.map((test, index) => ({ test, ...small(1400 + 4 * index) })));
    expect(loss).toMatchObject({ pathMtu: 1400, isMutual: true, fromNodes: ['a1'], toNodes: ['b1'] });
    expect(others).toEqual([]);
  });
});
