import { describe, expect, it } from 'vitest';
import { clockHazards } from '../../src/mesh/certificates/clock-hazards.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { CLOCK_CHECKS } from '../../src/mesh/checks/tls/clocks.ts';
import { apartWords, DoubtfulTime, timeIn } from '../../src/mesh/cluster-clocks.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { caFacts, certificateFacts, NOW, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (ms: number) => new Date(NOW.getTime() + ms);

/** mesh-1 and mesh-2 dial each other; what they have is valid from an hour ago for a day. mesh-3 has to do with nobody. */
function clusters(aheadMs: { [context in 'one' | 'two' | 'three']?: number | undefined } = {}): ClusterSnapshot[] {
  const validity = { notBefore: at(-HOUR_MS), notAfter: at(23 * HOUR_MS) };
  const of = (context: 'one' | 'two' | 'three', id: number, peer?: number) =>
    snapshotOf({
      context,
      ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
      clockAheadMs: context in aheadMs ? aheadMs[context] : 0,
      live: peer ? [secretObject('cilium-clustermesh', { [`mesh-${peer}`]: 'endpoints: []' })] : [],
      ca: {
        ...caFacts(`ca-${id}`),
        certificate: certificateFacts({ notBefore: at(-30 * DAY_MS), notAfter: at(300 * DAY_MS) }),
      },
      tlsSecrets: new Map([
        ['clustermesh-apiserver-server-cert', tlsFacts(`ca-${id}`, validity)],
        ['clustermesh-apiserver-remote-cert', tlsFacts(`ca-${id}`, validity)],
      ]),
      peerCertificates: new Map(peer ? [[`mesh-${peer}`, tlsFacts(`ca-${peer}`, validity)]] : []),
    });
  return [of('one', 1, 2), of('two', 2, 1), of('three', 3)];
}

const SERVER = 'Secret clustermesh-apiserver-server-cert';

describe('the check of clocks', () => {
  const check = (aheadMs: Parameters<typeof clusters>[0]) =>
    runChecks(CLOCK_CHECKS, { clusters: clusters(aheadMs), now: NOW }).map(({ severity, cluster, args }) => ({
      severity,
      ...(cluster ? { cluster, ...args } : {}),
    }));
  const ofTwo = (apart: string) => ({ cluster: 'two', context: 'two', apart });

  it.each<[string, Parameters<typeof clusters>[0], unknown[]]>([
    ['passes where they agree', {}, [{ severity: 'pass' }]],
    [
      'warns of one that is a little behind',
      { two: -HOUR_MS / 2 },
      [{ severity: 'warn', ...ofTwo('30 minutes behind that of context "one"') }],
    ],
    [
      'warns of one that is ahead',
      { two: 20 * HOUR_MS },
      [{ severity: 'warn', ...ofTwo('20 hours ahead of that of context "one"') }],
    ],
    [
      'names what one that is ahead takes for expired: what it verifies, and not what its peers do',
      { two: 30 * HOUR_MS },
      [
        {
          severity: 'fail',
          ...ofTwo('30 hours ahead of that of context "one"'),
          refused: [SERVER, `${SERVER} of context "one"`, 'the client certificate of context "one"'],
        },
      ],
    ],
    [
      'fails of one that refuses what is new, and names what it refuses by now',
      { two: -49 * HOUR_MS },
      [
        {
          severity: 'fail',
          ...ofTwo('49 hours behind that of context "one"'),
          refused: [SERVER, `${SERVER} of context "one"`, 'the client certificate of context "one"'],
          refusesNew: true,
        },
      ],
    ],
    [
      'names of one that has to do with nobody only what is its own',
      { three: -90 * 60_000 },
      [
        {
          severity: 'fail',
          cluster: 'three',
          context: 'three',
          apart: '90 minutes behind that of context "one"',
          refused: [SERVER],
        },
      ],
    ],
    [
      'compares with this machine where no cluster agrees with it',
      { one: -HOUR_MS / 2, two: HOUR_MS, three: HOUR_MS },
      [
        { severity: 'warn', cluster: 'one', context: 'one', apart: "30 minutes behind this machine's" },
        { severity: 'warn', ...ofTwo("60 minutes ahead of this machine's") },
        { severity: 'warn', cluster: 'three', context: 'three', apart: "60 minutes ahead of this machine's" },
      ],
    ],
  ])('%s', (_what, aheadMs, findings) => {
    expect(check(aheadMs)).toEqual(findings);
  });

  it('has nothing to compare one alone with, but for a clock that cannot be', () => {
    const alone = (clockAheadMs: number, now = NOW) =>
      runChecks(CLOCK_CHECKS, { clusters: [snapshotOf({ clockAheadMs })], now }).map(({ severity }) => severity);
    expect(alone(0)).toEqual(['skip']);
    expect(alone(-20_000 * DAY_MS)).toEqual(['fail']);
    // Who is new there is not refused: between the two, all is dated by the earlier.
    expect(alone(-5 * HOUR_MS, new DoubtfulTime(NOW, -5 * HOUR_MS))).toEqual(['warn']);
  });

  it('skips a cluster whose server does not tell the time', () => {
    expect(check({ two: undefined })).toMatchObject([{ severity: 'pass' }, { severity: 'skip', cluster: 'two' }]);
  });
});

describe('a plan that issues certificates', () => {
  const issuing = (cluster: string, validityMs?: number): Step =>
    ({
      cluster,
      action: 'update',
      object: { kind: 'Secret', name: 'x' },
      changes: [],
      write: { method: 'issue', certificates: [{ validityMs }] },
    }) as unknown as Step;
  const hazards = (
    aheadMs: Parameters<typeof clusters>[0],
    step: Step,
    more: Partial<Parameters<typeof clockHazards>[0]> = {},
  ) =>
    clockHazards({ snapshots: clusters(aheadMs), steps: [step], now: NOW, ...more }).map(({ cluster, says }) => [
      cluster,
      /refused|expired/.exec(says)?.[0],
    ]);

  it.each<[string, Parameters<typeof clusters>[0], Step, unknown[]]>([
    ['where clocks agree', {}, issuing('one'), []],
    ['where it is dated by the one that is behind', { two: -HOUR_MS }, issuing('two'), []],
    ['for one that is too far behind', { two: -3 * HOUR_MS }, issuing('two'), [['two', 'refused']]],
    ['for a peer of one that is too far behind', { two: -3 * HOUR_MS }, issuing('one'), [['two', 'refused']]],
    ['for a peer of none that is too far behind', { three: -400 * DAY_MS }, issuing('one'), []],
    ['for one that is far ahead of what lasts long', { two: 30 * HOUR_MS }, issuing('two'), []],
    [
      'for one that is further ahead than it lasts',
      { two: 30 * HOUR_MS },
      issuing('two', DAY_MS),
      [['two', 'expired']],
    ],
  ])('has to be agreed to where a cluster would refuse them: %s', (_what, aheadMs, step, expected) => {
    expect(hazards(aheadMs, step)).toEqual(expected);
  });

  it('knows whom it connects by it, and that nothing is issued where all stays', () => {
    const snapshots = clusters({ three: -3 * HOUR_MS });
    const [client, , server] = snapshots;
    if (!client || !server) throw new Error('three clusters');
    expect(hazards({ three: -3 * HOUR_MS }, issuing('one'), { snapshots, dials: [{ client, server }] })).toEqual([
      ['three', 'refused'],
    ]);
    expect(hazards({ two: -3 * HOUR_MS }, { ...issuing('two'), action: 'keep' })).toEqual([]);
  });

  it.each([-49, -24, 24, 49].map((hours) => hours * HOUR_MS))(
    'is refused where it is over by one of two clocks between which nobody can tell: %d ms ahead',
    (aheadMs) => {
      const plan = (validityMs: number) =>
        hazards({ two: aheadMs }, issuing('two', validityMs), { now: new DoubtfulTime(NOW, aheadMs) });
      expect(() => plan(DAY_MS)).toThrow(
        `${Math.abs(aheadMs / HOUR_MS)} hours apart, and new certificates do not last as long`,
      );
      expect(plan(90 * DAY_MS)).toEqual([]);
    },
  );

  it('is looked at too where all that is issued goes to another owner in a message', () => {
    const nothing = { ...issuing('two'), action: 'keep' } as Step;
    const handed = (aheadMs: number, handsOut?: string, now = NOW) =>
      hazards({ two: aheadMs }, nothing, { handsOut, now });
    expect(handed(-3 * HOUR_MS, 'two')).toEqual([['two', 'refused']]);
    expect(handed(-3 * HOUR_MS)).toEqual([]);
    const years = 4 * 365 * DAY_MS;
    expect(() => handed(years, 'two', new DoubtfulTime(NOW, years))).toThrow('new certificates do not last as long');
  });

  it('has to be agreed to where a cluster is behind the CA that signs', () => {
    const snapshots = clusters({ two: -HOUR_MS }).map((one) => ({
      ...one,
      ca: {
        ...caFacts('young'),
        certificate: certificateFacts({ notBefore: at(-60_000), notAfter: at(300 * DAY_MS) }),
      },
    }));
    expect(hazards({}, issuing('one'), { snapshots })).toEqual([['two', 'refused']]);
  });
});

it('tells the time of a cluster, and how far clocks are apart', () => {
  expect(timeIn({}, NOW)).toEqual(NOW);
  expect(timeIn({ clockAheadMs: -HOUR_MS }, NOW)).toEqual(at(-HOUR_MS));
  expect([150_000, -5 * HOUR_MS, 49 * HOUR_MS, -400 * DAY_MS].map(apartWords)).toEqual([
    '3 minutes',
    '5 hours',
    '49 hours',
    '400 days',
  ]);
});
