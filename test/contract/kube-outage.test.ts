import net, { type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { untilSettled } from '../../src/flows/etcd/ask-etcd.ts';
import { applySteps, asPlanned } from '../../src/kube/apply.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { RunWork } from '../../src/kube/http/lasting-transport.ts';
import { linkSignals } from '../../src/kube/http/linked-signal.ts';
import { withoutPatience, withPatience } from '../../src/kube/patience.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { SECRET, secretNamed, useScriptedCluster } from '../support/kube-scripted.ts';
import { sendJson } from '../support/kube-server.ts';

/** An API server that takes no connection for a while, and a run that has begun to write, or has not. */
const { closeLater, open, serve } = useScriptedCluster();

const OUTAGES = {
  'takes no connection': 'refuse',
  'is forwarded to by what resets connections meanwhile': 'reset',
} as const;
type Outage = (typeof OUTAGES)[keyof typeof OUTAGES];

/** A port before a server, which is open, refuses connections, or ends them once they are there. */
async function frontOf(upstream: number) {
  let resets = false;
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    if (resets) {
      socket.resetAndDestroy();
      return;
    }
    const server = net.connect(upstream, '127.0.0.1').on('error', () => socket.destroy());
    socket.pipe(server).pipe(socket);
  });
  const listen = (port: number) => new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = listener.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const front = {
    port,
    async goAway(how: Outage) {
      resets = how === 'reset';
      if (how === 'refuse') listener.close();
      cut();
    },
    async comeBack() {
      resets = false;
      if (!listener.listening) await listen(port);
    },
    close() {
      listener.close();
      cut();
    },
  };
  closeLater(front);
  return front;
}

/** @param looks waits after which the server is back; its clock is wound on by waits alone */
async function beginRun(looks: number, { hasAnswered = true, work = { hasBegun: true } as RunWork } = {}) {
  const onRequest: { each?: (() => Promise<void>) | undefined } = {};
  const server = await serve(async ({ method, query }, response) => {
    const { each } = onRequest;
    onRequest.each = undefined;
    await each?.();
    const body = query.has('limit') ? { kind: 'SecretList', metadata: {}, items: [] } : secretNamed('cilium-ca');
    // A connection that is kept may be found to be closed only once something was sent over it.
    sendJson(response, method === 'POST' ? 201 : 200, body, { connection: 'close' });
  });
  const front = await frontOf(server.port);
  const stop = new AbortController();
  let [ms, left] = [0, looks];
  const outages: string[] = [];
  const onSleep = { each: () => {} };
  const clock = {
    ms: () => ms,
    async sleep(waitMs: number) {
      ms += waitMs;
      // Waits between the attempts of one request are shorter.
      if (waitMs < 2000) return;
      onSleep.each();
      left -= 1;
      if (left === 0) await front.comeBack();
    },
  };
  const options = { clock, work, signal: stop.signal, onOutage: (context: string) => outages.push(context) };
  const client = open(`https://127.0.0.1:${front.port}`, {}, options);
  if (hasAnswered) await client.get(SECRET);
  server.seen.length = 0;
  return { client, clock, front, outages, server, stop, onRequest, onSleep, ms: () => ms };
}

const REQUESTS: Record<string, (client: ClusterClient) => Promise<unknown>> = {
  get: (client) => client.get(SECRET),
  list: (client) => client.listAll({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system' }),
  patch: (client) => client.patch(SECRET, { data: {} }),
  create: (client) => client.create(secretNamed('cilium-ca')),
  delete: (client) => client.delete(SECRET),
};

describe.each(Object.entries(OUTAGES))('an API server that %s', (_what, how) => {
  test.each(Object.entries(REQUESTS))('%s: is waited for, and asked once', async (_verb, ask) => {
    const { client, front, outages, server } = await beginRun(3);
    await front.goAway(how);
    await ask(client);
    expect({ outages, seen: server.seen.length }).toEqual({ outages: ['c1'], seen: 1 });
  });

  test('is waited for up to a minute, by all that is asked together', async () => {
    const { client, front, ms } = await beginRun(1000);
    await front.goAway(how);
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      details: { outlasted: true },
    });
    expect(ms()).toBeGreaterThanOrEqual(60_000);
    expect(ms()).toBeLessThan(70_000);
    const before = ms();
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(ms() - before).toBeLessThan(2000);
  });

  test('Ctrl-C ends the wait', async () => {
    const { client, front, stop, onSleep } = await beginRun(1000);
    onSleep.each = () => stop.abort();
    await front.goAway(how);
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('whose own time is up before hears that it is away', async () => {
    const { client, front, onSleep, stop } = await beginRun(1000);
    const limit = linkSignals(stop.signal);
    onSleep.each = () => limit.abort(new MeshctlError('Timeout', 'timed out'));
    await front.goAway(how);
    await expect(client.get(SECRET, { signal: limit.signal })).rejects.toMatchObject({ code: 'ClusterUnreachable' });
  });

  test.each<[string, number, string[], (run: Awaited<ReturnType<typeof beginRun>>) => Promise<unknown>]>([
    [
      'as long as what has so much time',
      5000,
      ['c1'],
      ({ client, clock }) => withPatience(clock, 5000, () => client.get(SECRET)),
    ],
    [
      'as long as the shorter one of two times, whichever is around the other',
      5000,
      ['c1'],
      ({ client, clock }) => withPatience(clock, 5000, () => withPatience(clock, 50_000, () => client.get(SECRET))),
    ],
    [
      'not at all by what comes after a run that does not wait',
      0,
      [],
      ({ client, clock }) => withPatience(clock, undefined, () => client.get(SECRET)),
    ],
    ['not at all by what goes on without it', 0, [], ({ client }) => withoutPatience(() => client.get(SECRET))],
    [
      'until its deadline by what looks again and again',
      5000,
      [],
      ({ client, clock, stop: { signal } }) =>
        untilSettled({ clock, signal }, { deadline: clock.ms() + 5000, intervalMs: 500 }, async () => {
          await client.get(SECRET);
          return undefined;
        }),
    ],
  ])('is waited for %s', async (_how, forMs, told, ask) => {
    const run = await beginRun(1000);
    await run.front.goAway(how);
    const begunMs = run.ms();
    await expect(ask(run)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    // Attempts of one request are waited between, too.
    expect(run.ms() - begunMs).toBeGreaterThanOrEqual(forMs - 500);
    expect(run.ms() - begunMs).toBeLessThan(forMs + 2000);
    expect(run.outages).toEqual(told);
  });

  test.each<[string, Parameters<typeof beginRun>[1], ((client: ClusterClient) => Promise<unknown>)?]>([
    ['before the run has written anything', { work: { hasBegun: false } }],
    ['where it has never answered', { hasAnswered: false }],
    ['by who has a signal of its own', {}, (client) => client.get(SECRET, { signal: new AbortController().signal })],
    [
      'for a dry run',
      { work: { hasBegun: false } },
      (client) => client.create(secretNamed('cilium-ca'), { dryRun: true }),
    ],
  ])('is not waited for %s', async (_when, begun, ask = (client) => client.get(SECRET)) => {
    const { client, front, outages } = await beginRun(1, begun);
    await front.goAway(how);
    await expect(ask(client)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(outages).toEqual([]);
  });
});

test('the first write of a run begins it, in all of its clusters', async () => {
  const work = { hasBegun: false };
  const one = await beginRun(0, { work });
  const other = await beginRun(2, { work });
  await one.client.patch(SECRET, { data: {} });
  await other.front.goAway('refuse');
  expect(await other.client.get(SECRET)).toBeDefined();
});

test.each<[string, (run: Awaited<ReturnType<typeof beginRun>>) => Promise<unknown>]>([
  ['says that it is at work', ({ client }) => client.patch(applyLeaseRef('kube-system'), { metadata: {} })],
  [
    'sends a write that finds no connection',
    async ({ client, front }) => {
      await front.goAway('refuse');
      await client.patch(SECRET, { data: {} });
    },
  ],
])('a run that only %s has not begun', async (_what, write) => {
  const work = { hasBegun: false };
  await write(await beginRun(0, { work })).catch(() => undefined);
  expect(work.hasBegun).toBe(false);
});

test.each([
  ['a read', (client: ClusterClient) => client.get(SECRET), true],
  ['a write that the client repeats by itself', (client: ClusterClient) => client.patch(SECRET, { data: {} }), true],
  ['one that may not come twice', (client: ClusterClient) => client.create(secretNamed('cilium-ca')), false],
])('what breaks off, and may have arrived: %s', async (_what, ask, isAnswered) => {
  const { client, front, server, onRequest } = await beginRun(2);
  onRequest.each = () => front.goAway('refuse');
  const asked = ask(client);
  if (isAnswered) await expect(asked).resolves.toBeDefined();
  else await expect(asked).rejects.toMatchObject({ code: 'ClusterUnreachable' });
  expect(server.seen).toHaveLength(isAnswered ? 2 : 1);
});

test.each([
  ['is sent again, and accounted for once', 2, { certain: true }, undefined],
  // Its first attempt may have arrived.
  ['stays in the account where no answer comes', 1000, { certain: false }, { details: { repeated: true } }],
])('a write of a plan that breaks off, and then finds no connection: %s', async (_what, looks, entry, error) => {
  const { client, front, server, onRequest } = await beginRun(looks);
  onRequest.each = () => front.goAway('refuse');
  const before = secretNamed('cilium-ca');
  const write = { method: 'patch' as const, patch: { data: {} } };
  const step = { cluster: 'c1', action: 'update' as const, object: SECRET, before, changes: [], why: '', write };
  const outcome = await applySteps(client, [step], { materialise: asPlanned });
  expect(outcome.journal.entries).toEqual([expect.objectContaining(entry)]);
  if (error) expect(outcome.error).toMatchObject(error);
  else expect(outcome.error).toBeUndefined();
  expect(server.seen).toHaveLength(error ? 1 : 2);
});
