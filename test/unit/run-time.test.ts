import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createRunTime } from '../../src/cli/run-time.ts';
import { loadKubeconfig } from '../../src/kube/access/kubeconfig.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { DATED_BACK_MS } from '../../src/mesh/certificates/certificate.ts';
import { meshFolder } from '../support/mesh-files.ts';

const HOUR_MS = 3_600_000;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const DAY_MS = 24 * HOUR_MS;
const MACHINE = new Date('2026-11-28T12:00:00Z');

/** A run's time on a machine that is so far ahead of the API server of each context, in milliseconds. */
function timeOn(clocks: Record<string, number>) {
  const said: string[] = [];
  const time = createRunTime(
    () => MACHINE,
    (text) => said.push(text),
  );
  const see = (seen: Record<string, number>) => {
    for (const [context, aheadMs] of Object.entries(seen)) {
      time.sawClock(context, new Date(MACHINE.getTime() - aheadMs));
    }
  };
  see(clocks);
  const behindMs = (date: Date) => MACHINE.getTime() - date.getTime();
  return { time, said, see, now: () => behindMs(time.now()), issuing: () => behindMs(time.issuing()) };
}

/** @param now by how much the run's time is behind the machine's, in milliseconds, and `issuing` that by which it dates */
it.each<[string, Record<string, number>, now: number, issuing: number]>([
  ['this machine beside one cluster, an hour behind', { one: HOUR_MS }, 0, HOUR_MS],
  ['this machine beside one cluster, five hours behind', { one: 5 * HOUR_MS }, 0, 5 * HOUR_MS],
  ['this machine beside one cluster, a day ahead', { one: -24 * HOUR_MS }, 0, 0],
  ['this machine beside one cluster, a year ahead', { one: -400 * DAY_MS }, 0, 0],
  [
    'two that agree, whatever a third one shows',
    { one: -49 * HOUR_MS, two: -49 * HOUR_MS, three: HOUR_MS },
    -49 * HOUR_MS,
    -49 * HOUR_MS,
  ],
  ['all of them, by a time zone', { one: 9 * HOUR_MS, two: 9 * HOUR_MS + 900 }, 9 * HOUR_MS, 9 * HOUR_MS],
  [
    'all of them, where this machine lags by two days',
    { one: -49 * HOUR_MS, two: -49 * HOUR_MS },
    -49 * HOUR_MS,
    -49 * HOUR_MS,
  ],
  [
    'all of them, where this machine lags by a year',
    { one: -400 * DAY_MS, two: -400 * DAY_MS },
    -400 * DAY_MS,
    -400 * DAY_MS,
  ],
  // What it proves, this machine verifies, so nothing is from its future, as far as that costs nobody anything.
  ['all of them, where this machine lags by an hour', { one: -HOUR_MS, two: -HOUR_MS }, -HOUR_MS, 0],
  ['this machine where one is an hour behind the others', { one: 1500, two: HOUR_MS }, 0, HOUR_MS],
  ['this machine where one is a month behind the others', { one: 1500, two: 30 * DAY_MS }, 0, 0],
  ['this machine where no two agree', { one: HOUR_MS, two: 30 * DAY_MS }, 0, HOUR_MS],
  ['this machine where the only one begins in 1970', { one: 20_000 * DAY_MS }, 0, 0],
  ['this machine where one is ahead', { one: -HOUR_MS, two: 0 }, 0, 0],
  ['this machine between those ahead and behind', { one: -30 * HOUR_MS, two: HOUR_MS }, 0, HOUR_MS],
])('goes by the clocks of clusters, within reason: %s', (_whose, clocks, now, issuing) => {
  const run = timeOn(clocks);
  run.see(Object.fromEntries(Object.entries(clocks).map(([context, aheadMs]) => [context, aheadMs + 1])));
  expect([run.now(), run.issuing()]).toEqual([now, issuing]);
  // What is dated by the one is valid by the other.
  expect(issuing).toBeGreaterThanOrEqual(now);
});

/** How far this machine is ahead of both clusters. */
it.each([-400 * DAY_MS, -49 * HOUR_MS, -HOUR_MS, 0, HOUR_MS, 30 * HOUR_MS, 400 * DAY_MS])(
  'dates what is valid on the clock of a cluster, however wrong that of the machine is: %d',
  (aheadMs) => {
    const { issuing } = timeOn({ one: aheadMs, two: aheadMs });
    const lifetimeMs = DAY_MS;
    const clusterMs = MACHINE.getTime() - aheadMs;
    const notBeforeMs = MACHINE.getTime() - issuing() - DATED_BACK_MS;
    expect(notBeforeMs).toBeLessThan(clusterMs);
    expect(notBeforeMs + lifetimeMs).toBeGreaterThan(clusterMs + lifetimeMs / 2);
  },
);

describe('once it was used', () => {
  it.each<[string, Record<string, number>, Record<string, number>, number]>([
    ['one in time, after one that is three hours behind', { one: 3 * HOUR_MS }, { two: 0 }, 3 * HOUR_MS],
    ['one that is behind', { one: 0 }, { two: HOUR_MS }, 0],
    ['the same one, whose clock is set right', { one: HOUR_MS }, { one: 0 }, HOUR_MS],
    ['one that is further behind', { one: HOUR_MS }, { two: 90 * 60_000 }, HOUR_MS],
    ['the first of all', {}, { one: HOUR_MS }, 0],
  ])('stays as it is, whoever answers later: %s', (_who, before, later, correctedMs) => {
    const { now, issuing, see } = timeOn(before);
    expect([now(), issuing()]).toEqual([0, correctedMs]);
    see(later);
    expect([now(), issuing()]).toEqual([0, correctedMs]);
  });

  it('dates by whoever has answered when it first does, also where the time was asked for before', () => {
    const { now, issuing, see } = timeOn({ one: 0 });
    expect(now()).toBe(0);
    see({ two: HOUR_MS });
    expect([now(), issuing()]).toEqual([0, HOUR_MS]);
  });

  const OF_BOTH = 'by which certificates are judged and dated; set';
  const BY_TWO = `those of the API servers of contexts "one", "two", ${OF_BOTH} it right`;
  const REFUSED =
    'and certificates are not dated by it: that cluster refuses new ones until its clock has come there; set it right';
  const WHICH = 'set right which is wrong';
  const CLUSTER = (context: string) => `context "${context}": its API server's clock is`;
  it.each<[Record<string, number>, Record<string, number>, string[]]>([
    [{ one: 0, two: 90_000 }, { three: -90_000 }, []],
    [{ one: HOUR_MS }, {}, [`${CLUSTER('one')} 60 minutes behind this machine's; ${WHICH}`]],
    [{ one: -24 * HOUR_MS }, { two: 0 }, [`${CLUSTER('one')} 24 hours ahead of this machine's; ${WHICH}`]],
    [{ one: -49 * HOUR_MS, two: -49 * HOUR_MS }, {}, [`this machine's clock is 49 hours behind ${BY_TWO}`]],
    [{ one: 20_420 * DAY_MS }, {}, [`${CLUSTER('one')} 20420 days behind this machine's, ${REFUSED}`]],
    [
      { one: 0, two: HOUR_MS, three: 5 * HOUR_MS, four: -30 * HOUR_MS },
      {},
      [
        `${CLUSTER('two')} 60 minutes behind this machine's; ${WHICH}`,
        `${CLUSTER('three')} 5 hours behind this machine's, ${REFUSED}`,
        `${CLUSTER('four')} 30 hours ahead of this machine's; ${WHICH}`,
      ],
    ],
    [
      { one: HOUR_MS, two: HOUR_MS, three: 5 * HOUR_MS },
      {},
      [
        `this machine's clock is 60 minutes ahead of ${BY_TWO}`,
        `${CLUSTER('three')} 4 hours behind the other clusters', ${REFUSED}`,
      ],
    ],
    [{ one: 0 }, { two: 600_000 }, [`${CLUSTER('two')} 10 minutes behind this machine's; ${WHICH}`]],
    [{ one: 0 }, { two: HOUR_MS }, [`${CLUSTER('two')} 60 minutes behind this machine's, ${REFUSED}`]],
    [
      { one: HOUR_MS },
      { one: HOUR_MS, two: HOUR_MS },
      [
        `${CLUSTER('one')} 60 minutes behind this machine's; ${WHICH}`,
        `this machine's clock is 60 minutes ahead of those of the API servers of contexts "one", "two"; set it right`,
      ],
    ],
    [
      { one: HOUR_MS },
      { two: -HOUR_MS },
      [
        `${CLUSTER('one')} 60 minutes behind this machine's; ${WHICH}`,
        `${CLUSTER('two')} 60 minutes ahead of this machine's; ${WHICH}`,
      ],
    ],
    [
      { one: HOUR_MS },
      { two: 0, three: HOUR_MS },
      [
        `${CLUSTER('one')} 60 minutes behind this machine's; ${WHICH}`,
        `${CLUSTER('three')} 60 minutes behind this machine's; ${WHICH}`,
      ],
    ],
  ])('says of each clock that is apart what comes of it: %j, later %j', (before, later, words) => {
    const { time, said, see } = timeOn(before);
    expect(said).toEqual([]);
    time.issuing();
    see(later);
    time.now();
    expect(said).toEqual(words);
  });

  it('tells how far each cluster is ahead of it, whichever clock it goes by', () => {
    const { time } = timeOn({ one: HOUR_MS, two: HOUR_MS + 900, three: 5 * HOUR_MS, four: 60_000 + HOUR_MS });
    const ahead = ['one', 'two', 'three', 'four', 'unseen'].map((context) => time.aheadMs(context));
    expect(ahead).toEqual([0, 0, -4 * HOUR_MS, 0, undefined]);
  });
});

it("knows an API server's clock by its answers", async () => {
  const server = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() - HOUR_MS).toUTCString());
    response.setHeader('content-type', 'application/json');
    response.end('{"gitVersion":"v1.36.2"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const folder = await meshFolder();
  closing.push(() => folder.remove());
  const path = await folder.write(
    'kubeconfig',
    JSON.stringify({
      clusters: [{ name: 'a', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }],
      users: [{ name: 'a', user: {} }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    }),
  );
  const seen: number[] = [];
  const client = openCluster(await loadKubeconfig({ path, env: {}, cwd: '/' }), {
    context: 'a',
    requestTimeoutMs: 60_000,
    userAgent: 'test',
    signal: new AbortController().signal,
    onClock: (date) => seen.push(Date.now() - date.getTime()),
  });
  closing.push(() => client.close());
  await client.version();
  expect(seen).toHaveLength(1);
  // A header has whole seconds, and a busy machine takes its time.
  expect(seen[0]).toBeGreaterThanOrEqual(HOUR_MS);
  expect(seen[0]).toBeLessThan(HOUR_MS + 600_000);
  // By it, what is written there for others to read is dated.
  expect(Date.now() - client.now().getTime()).toBeGreaterThanOrEqual(HOUR_MS);
});
