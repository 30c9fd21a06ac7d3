import { describe, expect, it } from 'vitest';
import { cleanUp, type TestCluster } from '../../src/flows/connectivity/connectivity-clusters.ts';
import { keepNamespaces, stayInNamespace, takeNamespace } from '../../src/flows/connectivity/connectivity-hold.ts';
import { judge } from '../../src/flows/connectivity/connectivity-judge.ts';
import { testPolicies } from '../../src/flows/connectivity/connectivity-policy.ts';
import type { Flow } from '../../src/flows/flow.ts';
import { beginRun } from '../../src/flows/run-mark.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { mergePatch } from '../../src/kube/merge-patch.ts';
import {
  describeMiss,
  describeTally,
  type Expectation,
  measureFailover,
  meets,
  percentiles,
  type Sample,
  type ScenarioResult,
  tally,
} from '../../src/mesh/connectivity/connectivity.ts';
import { echoPodsOf, endedAt, readSamples, requestCommand } from '../../src/mesh/connectivity/connectivity-requests.ts';
import type { TestedFamily } from '../../src/mesh/connectivity/tested-families.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { HOLD_MS, holdOf, otherRun, withHold } from '../../src/mesh/hold.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { CONNECTIVITY_TESTER } from '../../src/mesh/objects/package-roles.ts';

const by = (answeredBy: string, startMs = 0, totalMs = 10): Sample => ({ startMs, totalMs, answeredBy });
const lost = (startMs = 0, totalMs = 10, error = 'timed out'): Sample => ({ startMs, totalMs, error });

describe('expectations', () => {
  const only = (...clusters: string[]): Expectation => ({ kind: 'only', clusters });
  const each = (...clusters: string[]): Expectation => ({ kind: 'each', clusters });
  const anyButAlso = (...some: string[]): Expectation => ({ kind: 'only', clusters: ['a', 'b'], some });
  const none: Expectation = { kind: 'none' };

  it.each<[string, Sample[], Expectation, boolean]>([
    ['all by the one', [by('a'), by('a')], only('a'), true],
    ['some by another', [by('a'), by('b')], only('a'), false],
    ['one lost', [by('a'), lost()], only('a'), false],
    ['by either', [by('a'), by('b')], only('a', 'b'), true],
    ['by either, one is enough', [by('a')], only('a', 'b'), true],
    ['by either, but none by another', [by('a')], anyButAlso('b'), false],
    ['by either, one by another', [by('a'), by('b')], anyButAlso('b'), true],
    ['by either, all by another', [by('b')], anyButAlso('b'), true],
    ['by each', [by('a'), by('b')], each('a', 'b'), true],
    ['not by each', [by('a'), by('a')], each('a', 'b'), false],
    ['by each, one lost', [by('a'), by('b'), lost()], each('a', 'b'), false],
    ['by nobody', [lost(), lost()], none, true],
    ['by somebody', [lost(), by('a')], none, false],
    ['nothing sent: reached', [], only('a'), false],
    ['nothing sent: not reached', [], none, false],
  ])('%s', (_name, samples, expectation, met) => {
    expect(meets(tally(samples), expectation)).toBe(met);
  });

  it('are described with who answered and why others failed', () => {
    expect(describeTally(tally([by('b'), by('a'), by('b')]))).toBe('3 of 3 answered (a 1, b 2)');
    expect(describeTally(tally([by('a'), lost(), lost(0, 1, 'HTTP 503')]))).toBe(
      '1 of 3 answered (a 1); 1 failed: timed out; 1 failed: HTTP 503',
    );
    expect(describeTally(tally([lost()]))).toBe('0 of 1 answered; 1 failed: timed out');
  });
});

describe('what answers lack', () => {
  it.each<[Expectation, Sample[], string]>([
    [{ kind: 'each', clusters: ['a', 'b', 'c'] }, [by('a')], '; none by b, c'],
    [{ kind: 'only', clusters: ['a'] }, [by('a'), by('b')], '; expected only a'],
    [{ kind: 'only', clusters: ['a'] }, [by('a'), lost()], ''],
    [{ kind: 'only', clusters: ['a', 'b', 'c'], some: ['b', 'c'] }, [by('a')], '; none by b or c'],
    [{ kind: 'only', clusters: ['a', 'b', 'c'], some: ['b', 'c'] }, [by('c')], ''],
    [{ kind: 'only', clusters: ['a', 'b'], some: ['b'] }, [lost()], ''],
    [{ kind: 'none' }, [by('a')], ''],
  ])('%j', (expectation, samples, words) => {
    expect(describeMiss(tally(samples), expectation)).toBe(words);
  });
});

describe('a verdict', () => {
  const OTHERS = { scenario: 'pod-to-pod', names: ['a', 'b'], destinations: [{ host: '10.0.0.1', port: 80 }] } as const;
  const GOOD = '0|200|0.005|10.0.0.1|';
  const LOST = '28|000|2.000||Connection timed out after 2000 ms';

  /** A client whose requests are answered by echo pods of `b` as one round after the other says; the last one goes on. */
  async function judged(rounds: string[][], expected: Expectation, settleMs: number): Promise<ScenarioResult> {
    let now = 0;
    let round = 0;
    const pod = {
      metadata: { name: 'client' },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    };
    const exec = async () => {
      const lines = rounds[Math.min(round++, rounds.length - 1)] ?? [];
      const said = lines.map((line) => `${line === GOOD ? 'echo-b-6c9f-abcde' : ''}\nmeshctl-sample:${line}\n`);
      return { stdout: said.join(''), stderr: '', exitCode: 0 };
    };
    const client = { context: 'one', listAll: async () => [pod], exec };
    const clock = {
      ms: () => now,
      sleep: async (ms: number) => {
        now += ms;
      },
    };
    const flow = { clock, signal: new AbortController().signal } as unknown as Flow;
    const from = { name: 'a', namespace: 'tests', member: { client } } as unknown as TestCluster;
    return judge(flow, from, { ...OTHERS, expected, settleMs });
  }

  const BY_B: Expectation = { kind: 'only', clusters: ['b'] };
  const NONE: Expectation = { kind: 'none' };
  const good = [GOOD, GOOD];
  it.each<[string, string[][], Expectation, number, result: string, evidence: string]>([
    ['good at once', [good], BY_B, 1000, 'pass', '2 of 2 answered (b 2)'],
    ['good when it has settled', [[LOST], [LOST], good], BY_B, 5000, 'pass', '4 of 4 answered (b 4)'],
    [
      'bad, and what is asked for more evidence good',
      [[GOOD, LOST], good],
      BY_B,
      0,
      'fail',
      '3 of 4 answered (b 3); 1 failed: timed out',
    ],
    [
      'good once by luck',
      [[LOST], good, [GOOD, LOST]],
      BY_B,
      5000,
      'fail',
      '2 of 4 answered (b 2); 2 failed: timed out',
    ],
    [
      'good by luck, and later for good',
      [[LOST], good, [GOOD, LOST], good],
      BY_B,
      5000,
      'pass',
      '4 of 4 answered (b 4)',
    ],
    ['bad to the end', [[LOST]], BY_B, 1000, 'fail', '0 of 2 answered; 2 failed: timed out'],
    ['shut out when it has settled', [good, [LOST, LOST]], NONE, 5000, 'pass', '0 of 4 answered; 4 failed: timed out'],
    [
      'shut out once by luck',
      [good, [LOST, LOST], [LOST, GOOD]],
      NONE,
      5000,
      'fail',
      '2 of 4 answered (b 2); 2 failed: timed out',
    ],
    [
      'not shut out, and what is asked for more evidence is',
      [
        [GOOD, LOST],
        [LOST, LOST],
      ],
      NONE,
      0,
      'fail',
      '1 of 4 answered (b 1); 3 failed: timed out',
    ],
  ])('%s', async (_what, rounds, expected, settleMs, result, evidence) => {
    expect(await judged(rounds, expected, settleMs)).toMatchObject({ result, evidence });
  });
});

describe('what cannot be removed', () => {
  it.each<[string, Record<string, unknown>, unknown]>([
    [
      'the namespace',
      { delete: () => Promise.reject(new MeshctlError('Forbidden', 'not allowed')) },
      { context: 'one' },
    ],
    ['a cluster that does not answer', { get: () => Promise.reject(new Error('no answer')) }, { context: 'one' }],
    ['nothing', {}, 'namespace'],
    ['what is not there', { get: async () => undefined }, 'nothing'],
  ])('is told, with the command that removes it: %s', async (_what, refusing, outcome) => {
    const labels = { 'app.kubernetes.io/managed-by': 'meshctl', 'app.kubernetes.io/component': 'connectivity-test' };
    const named = (kind: string, name: string) => ({
      apiVersion: 'v1',
      kind,
      metadata: { name, namespace: 'tests', labels },
    });
    const namespace = named('Namespace', 'tests');
    const get = async ({ kind }: ObjectRef) => (kind === 'Namespace' ? namespace : undefined);
    const client = {
      context: 'one',
      now: () => new Date(0),
      get,
      delete: async () => {},
      collect: async () => [],
      ...refusing,
    };
    const objects = { namespace, workload: [named('Deployment', 'client')], policy: () => named('Policy', 'p') };
    const cluster = { name: 'a', namespace: 'tests', member: { client }, objects } as unknown as TestCluster;
    const warnings: string[] = [];
    const flow = { progress: { warn: (text: string) => warnings.push(text) } } as unknown as Flow;
    const removed = await cleanUp(flow, cluster, 'run');
    if (typeof outcome === 'string') expect([removed, warnings]).toEqual([outcome, []]);
    else {
      expect(removed).toMatchObject({
        context: 'one',
        message: expect.stringContaining('could not remove what the test put into namespace tests: '),
        hint: expect.stringMatching(
          /^kubectl --context one -n tests delete ciliumnetworkpolicies,deployments,services -l /,
        ),
      });
      expect(warnings).toHaveLength(1);
    }
  });
});

describe('percentiles', () => {
  it('are of the good answers, by the nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => by('a', 0, index + 1));
    expect(percentiles([...samples, lost(0, 5000)])).toEqual({ p50: 50, p90: 90, p99: 99, max: 100 });
    expect(percentiles([by('a', 0, 1.23456)])).toEqual({ p50: 1.235, p90: 1.235, p99: 1.235, max: 1.235 });
    expect(percentiles([lost()])).toBeUndefined();
  });
});

describe('a failover', () => {
  it('is measured from the scaling on', () => {
    const samples = [
      by('own', 0),
      by('own', 100),
      lost(200, 50),
      lost(300, 50),
      by('other', 400, 20),
      by('other', 500),
    ];
    expect(measureFailover(samples, { own: 'own', scaledAt: 150, goneAt: 250 })).toEqual({
      endpointsGoneMs: 100,
      firstRemoteAnswerMs: 270,
      outageMs: 220,
      sent: 6,
      lost: 2,
      lostAfterEndpointsGone: 1,
    });
  });

  it('is taken over by no answer from before', () => {
    const samples = [by('other', 0), by('own', 100), by('own', 200), by('other', 300, 20)];
    expect(measureFailover(samples, { own: 'own', scaledAt: 150, goneAt: 250 }).firstRemoteAnswerMs).toBe(170);
    const never = measureFailover(samples.slice(0, 3), { own: 'own', scaledAt: 150, goneAt: 250 });
    expect(never.firstRemoteAnswerMs).toBeUndefined();
  });

  it('without loss has no outage; what lasts to the end counts', () => {
    const about = { own: 'own', scaledAt: 50, goneAt: 60 };
    expect(measureFailover([by('own', 0), by('other', 100)], about)).toMatchObject({ lost: 0, outageMs: 0 });
    const never = measureFailover([by('own', 0), lost(100, 2000), lost(2100, 2000)], { ...about, goneAt: undefined });
    expect(never).toEqual({
      endpointsGoneMs: undefined,
      firstRemoteAnswerMs: undefined,
      outageMs: 4000,
      sent: 3,
      lost: 2,
      lostAfterEndpointsGone: 2,
    });
  });
});

describe('requests', () => {
  it('are one curl, with a connection for each', () => {
    const command = requestCommand({
      host: 'echo',
      port: 80,
      count: 20,
      timeoutMs: 1500,
      perSecond: 5,
      failEarly: true,
    });
    expect(command).toContain('http://echo:80/hostname?[1-20]');
    expect(command.join(' ')).toMatch(/^curl -s --fail-early --rate 5\/s -m 1\.5 -H Connection: close -w /);
    expect(requestCommand({ host: 'fd00::7', port: 8080, count: 1, timeoutMs: 1000 })).toContain(
      'http://[fd00::7]:8080/hostname?[1-1]',
    );
  });

  const output = (...answers: [body: string, line: string][]) =>
    answers.map(([body, line]) => `${body}\nmeshctl-sample:${line}\n`).join('');

  it('are read with who answered, when the pace is known', () => {
    const samples = readSamples(
      output(
        ['echo-mesh-1-6c9f-abcde', '0|200|0.005|10.96.0.9|'],
        ['{"Pod":"echo-mesh-1-b-6c9f-abcde"}\n', '0|200|0.300|10.96.0.9|'],
        ['', '28|000|2.000||Connection timed out after 2000 ms'],
        ['', '6|000|0.001||Could not resolve host: echo'],
        ['oops', '0|503|0.002|10.96.0.9|'],
        ['<html>', '0|200|0.002|10.96.0.9|'],
      ),
      { answererOf: echoPodsOf(['mesh-1', 'mesh-1-b']), perSecond: 10 },
    );
    expect(samples).toEqual([
      { startMs: 0, totalMs: 5, address: '10.96.0.9', answeredBy: 'mesh-1' },
      { startMs: 100, totalMs: 300, address: '10.96.0.9', answeredBy: 'mesh-1-b' },
      { startMs: 400, totalMs: 2000, error: 'timed out' },
      { startMs: 2400, totalMs: 1, error: 'name not resolved' },
      { startMs: 2500, totalMs: 2, address: '10.96.0.9', error: 'HTTP 503' },
      { startMs: 2600, totalMs: 2, address: '10.96.0.9', error: 'answered by no pod of this test' },
    ]);
  });

  it('whose name no server resolves in time have no address, and no timeout of a connection', () => {
    const said = output(['', '28|000|1.999||Resolving timed out after 2000 milliseconds']);
    const [sample] = readSamples(said, { answererOf: echoPodsOf(['a']) });
    expect(sample).toMatchObject({ error: 'name not resolved' });
  });

  it('are put on the clock by their end', () => {
    expect(endedAt([by('a', 0, 10), by('a', 100, 20)], 5020)).toEqual([by('a', 4900, 10), by('a', 5000, 20)]);
    expect(endedAt([], 5020)).toEqual([]);
  });

  it('that curl could not make give no sample', () => {
    expect(readSamples('', { answererOf: echoPodsOf(['a']) })).toEqual([]);
  });
});

describe('the mark of a run', () => {
  const NOW = new Date('2026-06-01T12:00:00Z');
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'client' } };
  const hold = {
    run: 'a',
    host: 'ci-1',
    since: new Date('2026-06-01T11:58:00Z'),
    until: new Date('2026-06-01T12:01:00Z'),
  };

  it('is read as it was written', () => {
    expect(holdOf('connectivity-test', withHold('connectivity-test', object, hold))).toEqual(hold);
  });

  it.each<[string, string | undefined, string, string | undefined]>([
    ['none', undefined, 'b', undefined],
    ['another run', JSON.stringify(hold), 'b', 'a'],
    ['this run', JSON.stringify(hold), 'a', undefined],
    ['a run that has died', JSON.stringify({ ...hold, until: NOW }), 'b', undefined],
    ['a time that no run names', JSON.stringify({ ...hold, until: '2999-01-01T00:00:00Z' }), 'b', undefined],
    ['no time', JSON.stringify({ ...hold, until: 'soon' }), 'b', undefined],
    ['no mark', '[1]', 'b', undefined],
    ['no JSON', '{', 'b', undefined],
  ])('%s', (_what, text, run, other) => {
    const annotations = text === undefined ? {} : { 'meshctl.io/connectivity-test-run': text };
    expect(otherRun('connectivity-test', { ...object, metadata: { name: 'client', annotations } }, run, NOW)?.run).toBe(
      other,
    );
  });
});

describe('a namespace that a run has taken', () => {
  const NOW = new Date('2026-06-01T12:00:00Z');
  const REF = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'tests', name: 'client' };
  const flowAt = (time: string) => ({ now: () => new Date(time), signal: new AbortController().signal }) as Flow;

  /** One cluster with its clock, and the client in it; `before` is called before each write. */
  function place() {
    const world = { now: NOW, live: undefined as KubeObject | undefined, writes: 0, before: (_write: number) => {} };
    const refuse = (code: 'Conflict' | 'NotFound') => Promise.reject(new MeshctlError(code, 'refused'));
    let version = 0;
    const store = (object: KubeObject) => {
      version += 1;
      world.live = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
      return Promise.resolve(world.live);
    };
    const client = {
      context: 'one',
      now: () => world.now,
      get: async ({ kind }: ObjectRef) => (kind === 'Namespace' ? { metadata: {} } : world.live),
      create: (object: KubeObject) => {
        world.before(++world.writes);
        return world.live ? refuse('Conflict') : store(object);
      },
      patch: (_ref: ObjectRef, patch: KubeObject, { resourceVersion }: { resourceVersion: string }) => {
        world.before(++world.writes);
        if (!world.live) return refuse('NotFound');
        if (world.live.metadata.resourceVersion !== resourceVersion) return refuse('Conflict');
        return store(mergePatch(world.live, patch as unknown as Record<string, unknown>) as KubeObject);
      },
    } as unknown as ClusterClient;
    const deployment = { ...REF, metadata: { name: REF.name, namespace: REF.namespace } };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: REF.namespace } };
    const objects = { namespace, workload: [deployment], policy: () => deployment };
    const cluster: TestCluster = {
      name: 'mesh-1',
      member: { client, cluster: 'mesh-1' } as TestCluster['member'],
      namespace: REF.namespace,
      objects,
      rights: {
        role: CONNECTIVITY_TESTER,
        installation: { folder: '/' },
        ...{ context: 'mesh-1', namespace: REF.namespace, ciliumNamespace: 'kube-system' },
      },
    };
    return { world, cluster };
  }
  const take = (cluster: TestCluster, flow: Flow) => {
    const mark = beginRun(flow);
    return takeNamespace(flow, cluster, mark, { waitMs: 1000, onMade: () => undefined }).then(() => mark);
  };
  const later = (world: { now: Date }, ms: number) => {
    world.now = new Date(world.now.getTime() + ms);
  };

  it.each(['2020-01-01T00:00:00Z', '2026-06-01T12:00:00Z', '2030-01-01T00:00:00Z'])(
    'is its own for a minute, by the clock of the cluster: a machine that says %s',
    async (time) => {
      const { world, cluster } = place();
      await take(cluster, flowAt(time));
      later(world, HOLD_MS - 1);
      for (const other of ['2020-01-01T00:00:00Z', '2030-01-01T00:00:00Z']) {
        await expect(take(cluster, flowAt(other))).rejects.toThrow('another connectivity test');
      }
      later(world, 1);
      const next = await take(cluster, flowAt('2020-01-01T00:00:00Z'));
      expect(holdOf('connectivity-test', world.live)?.run).toBe(next.run);
    },
  );

  it.each([
    ['made', false, true],
    ['removed', true, false],
    ['changed', true, true],
  ])('is taken although its client is %s just then', async (_how, wasThere, isThere) => {
    const { world, cluster } = place();
    const at = (resourceVersion: string) => ({
      ...REF,
      metadata: { name: 'client', namespace: 'tests', resourceVersion },
    });
    world.live = wasThere ? at('old') : undefined;
    world.before = (write) => {
      if (write === 1) world.live = isThere ? at('new') : undefined;
    };
    const mark = await take(cluster, flowAt('2026-06-01T12:00:00Z'));
    expect(holdOf('connectivity-test', world.live)?.run).toBe(mark.run);
  });

  it('stays its own for as long as it lives, however long it waits', async () => {
    const { world, cluster } = place();
    const mark = await take(cluster, flowAt('2026-06-01T12:00:00Z'));
    const renewed = new Promise<void>((done) => {
      world.before = (write) => {
        later(world, HOLD_MS / 2);
        if (write === 12) done();
      };
    });
    const leave = stayInNamespace(cluster, mark, 1);
    await renewed;
    await expect(take(cluster, flowAt('2026-06-01T12:00:00Z'))).rejects.toThrow('another connectivity test');
    await leave();
    world.before = () => {};
    later(world, HOLD_MS);
    // What another has taken it does not take back.
    const next = await take(cluster, flowAt('2026-06-01T12:00:00Z'));
    await expect(keepNamespaces([cluster], mark)).rejects.toThrow('another connectivity test');
    expect(holdOf('connectivity-test', world.live)?.run).toBe(next.run);
  });

  it('is missed where somebody has removed its client', async () => {
    const { world, cluster } = place();
    const mark = await take(cluster, flowAt('2026-06-01T12:00:00Z'));
    world.live = undefined;
    await expect(keepNamespaces([cluster], mark)).rejects.toThrow(
      'context "one": Deployment tests/client was removed while the test was at work',
    );
  });
});

it('a family that pods of the other cluster do not have is skipped by the policies too, and not left out', async () => {
  const families = {
    a: [
      { family: 4, clusters: ['a', 'b'] },
      { family: 6, clusters: ['a'] },
    ],
    b: [{ family: 4, clusters: ['a', 'b'] }],
  };
  const clusters = ['a', 'b'].map((name) => ({ name })) as unknown as TestCluster[];
  const results = await testPolicies({} as Flow, clusters, {
    before: [],
    settleMs: 0,
    familiesOf: ({ name }) => families[name as 'a' | 'b'] as TestedFamily[],
  });
  const six = results.filter(({ family }) => family === 6);
  expect(six.map(({ from, to, result, evidence }) => [from, to, result, evidence])).toEqual([
    ['a', 'a', 'skip', 'pods of b have no IPv6 addresses'],
    ['b', 'a', 'skip', 'pods of b have no IPv6 addresses'],
  ]);
  expect(results).toHaveLength(6);
});
