import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createRunTime } from '../../src/cli/run-time.ts';
import { loadKubeconfig } from '../../src/kube/access/kubeconfig.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { meshFolder } from '../support/mesh-files.ts';

const HOUR_MS = 3_600_000;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const DAY_MS = 24 * HOUR_MS;

it.each<[string, Record<string, number>, number]>([
  ['the only cluster, an hour behind', { one: HOUR_MS }, HOUR_MS],
  ['all of them, by a time zone', { one: 9 * HOUR_MS, two: 9 * HOUR_MS + 900 }, 9 * HOUR_MS + 900],
  ['one that is an hour behind the others', { one: 1500, two: HOUR_MS }, HOUR_MS],
  ['nobody where one is a month behind the others', { one: 1500, two: 30 * DAY_MS }, 0],
  ['the others where one is a month behind all', { one: HOUR_MS, two: 30 * DAY_MS }, HOUR_MS],
  ['nobody where the only one begins in 1970', { one: 20_000 * DAY_MS }, 0],
  ['nobody where clusters are ahead', { one: -HOUR_MS, two: 0 }, 0],
])('goes by the clock that is behind within reason: %s', (_whose, clocks, behindMs) => {
  const said: string[] = [];
  const machine = new Date('2026-11-28T12:00:00Z');
  const time = createRunTime(
    () => machine,
    (text) => said.push(text),
  );
  for (let answer = 0; answer < 2; answer++) {
    for (const [context, aheadMs] of Object.entries(clocks)) time.sawClock(context, aheadMs + answer);
  }
  expect(machine.getTime() - time.now().getTime()).toBe(behindMs);
  // Each that is behind is named, once.
  const behind = Object.entries(clocks).filter(([, aheadMs]) => aheadMs >= HOUR_MS);
  expect(said).toEqual(
    behind.map(([context]) => expect.stringMatching(`^context "${context}": its API server's clock`)),
  );
});

describe('once it was used', () => {
  const MACHINE = new Date('2026-11-28T12:00:00Z');
  const used = (clocks: Record<string, number>) => {
    const said: string[] = [];
    const time = createRunTime(
      () => MACHINE,
      (text) => said.push(text),
    );
    for (const [context, aheadMs] of Object.entries(clocks)) time.sawClock(context, aheadMs);
    return { time, said, behindMs: () => MACHINE.getTime() - time.now().getTime() };
  };

  it.each<[string, Record<string, number>, Record<string, number>, number]>([
    ['one in time, after one that is three hours behind', { one: 3 * HOUR_MS }, { two: 0 }, 3 * HOUR_MS],
    ['one that is behind', { one: 0 }, { two: HOUR_MS }, 0],
    ['the same one, whose clock is set right', { one: HOUR_MS }, { one: 0 }, HOUR_MS],
    ['one that is further behind', { one: HOUR_MS }, { two: 90 * 60_000 }, HOUR_MS],
    ['the first of all', {}, { one: HOUR_MS }, 0],
  ])('stays as it is, whoever answers later: %s', (_who, before, later, correctedMs) => {
    const { time, behindMs } = used(before);
    expect(behindMs()).toBe(correctedMs);
    for (const [context, aheadMs] of Object.entries(later)) time.sawClock(context, aheadMs);
    expect(behindMs()).toBe(correctedMs);
  });

  const FOLLOWED =
    'and certificates are dated and judged by the clock that is furthest behind; set right which is wrong';
  const REFUSED =
    'and this run does not date certificates by it: that cluster refuses new ones until its clock has come there; set it right';
  it.each<[Record<string, number>, Record<string, number>, string[]]>([
    [{ one: HOUR_MS }, {}, [`60 minutes behind this machine's, ${FOLLOWED}`]],
    [{ one: 20_420 * DAY_MS }, {}, [`20420 days behind this machine's, ${REFUSED}`]],
    [
      { one: 0, two: HOUR_MS, three: 5 * HOUR_MS },
      {},
      [`60 minutes behind this machine's, ${FOLLOWED}`, `5 hours behind this machine's, ${REFUSED}`],
    ],
    [{ one: 0 }, { two: 600_000 }, ["10 minutes behind this machine's: set right which is wrong"]],
    [{ one: 0 }, { two: HOUR_MS }, [`60 minutes behind this machine's, ${REFUSED}`]],
    [{ one: HOUR_MS }, { one: HOUR_MS, two: HOUR_MS }, Array(2).fill(`60 minutes behind this machine's, ${FOLLOWED}`)],
  ])('says of each clock that is behind what comes of it: %j, later %j', (before, later, words) => {
    const { time, said } = used(before);
    expect(said).toEqual([]);
    time.now();
    for (const [context, aheadMs] of Object.entries(later)) time.sawClock(context, aheadMs);
    expect(said.map((text) => text.replace(/^context "\w+": its API server's clock is /, ''))).toEqual(words);
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
    onClock: (aheadMs) => seen.push(aheadMs),
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
