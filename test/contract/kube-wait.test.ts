import type { ServerResponse } from 'node:http';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { waitForList, waitForObject } from '../../src/kube/wait.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { startTestServer } from '../support/apiserver.ts';
import {
  failure,
  kubeconfigFor,
  makeServerIdentity,
  openClient,
  type ScriptedServer,
  type SeenRequest,
  type ServerIdentity,
  sendJson,
  startScriptedServer,
} from '../support/kube-server.ts';
import { woundClock } from '../support/wound-clock.ts';

const REF = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n', name: 'a' };
const opened: { close(): unknown }[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const stateOf = (object: KubeObject | undefined) => (object?.data as { state?: string } | undefined)?.state;
const isDone = (object: KubeObject | undefined) => (stateOf(object) === 'done' ? 'done' : undefined);
const options = (more = {}) => ({
  timeoutMs: 5000,
  signal: never,
  waitingFor: 'a to be done',
  pollIntervalMs: 10,
  ...more,
});

describe('against the sandbox', () => {
  test('sees what is there, what comes, changes and goes', async () => {
    const api = await startTestServer();
    const base64 = (pem: string) => Buffer.from(pem).toString('base64');
    const user = { certData: base64(api.admin.certificate), keyData: base64(api.admin.privateKey) };
    const client = openClient(kubeconfigFor(api.server.url, { ca: api.ca, user }));
    opened.push(client, api);
    const { store } = api.server;

    const seen: (string | undefined)[] = [];
    const created = waitForObject(
      client,
      REF,
      (object) => {
        seen.push(stateOf(object));
        if (!object)
          store.create({
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name: 'a', namespace: 'n' },
            data: { state: 'new' },
          });
        if (stateOf(object) === 'new') {
          store.update(REF, (live) => {
            live.data = { state: 'done' };
          });
        }
        return isDone(object);
      },
      options(),
    );
    expect(await created).toBe('done');
    expect(seen).toEqual([undefined, 'new', 'done']);

    const gone = waitForObject(
      client,
      REF,
      (object) => {
        if (object) store.delete(REF);
        return object ? undefined : 'gone';
      },
      options(),
    );
    expect(await gone).toBe('gone');
  });
});

describe('watches that do not last', () => {
  let identity: ServerIdentity;

  beforeAll(async () => {
    identity = await makeServerIdentity();
  });

  const configMap = (version: number, state: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'n', resourceVersion: String(version) },
    data: { state },
  });
  const event = (version: number, state: string, type = 'MODIFIED') =>
    `${JSON.stringify({ type, object: configMap(version, state) })}\n`;
  const list = (response: ServerResponse, version: number, ...states: string[]) =>
    sendJson(response, 200, {
      metadata: { resourceVersion: String(version) },
      items: states.map((state) => configMap(version, state)),
    });

  type Handle = (request: SeenRequest, response: ServerResponse) => void;

  /** Lists and watches answer in turn, each from its own row, the last answer for ever. */
  async function serve(
    lists: Handle[],
    watches: Handle[],
  ): Promise<{ client: ClusterClient; server: ScriptedServer; asked: () => string[] }> {
    const counts = { list: 0, watch: 0 };
    const server = await startScriptedServer(identity, (request, response) => {
      const isWatch = request.query.get('watch') === 'true';
      const row = isWatch ? watches : lists;
      const count = isWatch ? counts.watch++ : counts.list++;
      row[Math.min(count, row.length - 1)]?.(request, response);
    });
    const client = openClient(kubeconfigFor(server.url, { ca: identity.authority.certificate }));
    opened.push(client, server);
    const asked = () =>
      server.seen.map(({ query }) => (query.get('watch') ? `watch from ${query.get('resourceVersion')}` : 'list'));
    return { client, server, asked };
  }

  test('a watch that ends is taken up where it ended', async () => {
    const { client, asked } = await serve(
      [(_, response) => list(response, 5, 'new')],
      [
        (_, response) => response.end(event(6, 'starting')),
        (_, response) => response.end(event(7, 'almost')),
        (_, response) => response.write(event(8, 'done')),
      ],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
    expect(asked()).toEqual(['list', 'watch from 5', 'watch from 6', 'watch from 7']);
  });

  test('a watch from too long ago begins with a list', async () => {
    const gone = `${JSON.stringify({ type: 'ERROR', object: failure(410, 'Expired', 'too old resource version') })}\n`;
    const { client, asked } = await serve(
      [(_, response) => list(response, 5, 'new'), (_, response) => list(response, 9, 'done')],
      [(_, response) => response.end(gone)],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
    expect(asked()).toEqual(['list', 'watch from 5', 'list']);
  });

  test('a watch that is cut within an event begins with a list', async () => {
    const { client, asked } = await serve(
      [(_, response) => list(response, 5, 'new'), (_, response) => list(response, 9, 'done')],
      [(_, response) => response.end(event(6, 'half').slice(0, 40))],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
    expect(asked()).toEqual(['list', 'watch from 5', 'list']);
  });

  test('a connection that breaks begins with a list', async () => {
    const { client } = await serve(
      [(_, response) => list(response, 5, 'new'), (_, response) => list(response, 9, 'done')],
      [
        (request, response) => {
          response.write(event(6, 'starting'));
          setImmediate(() => request.socket.destroy());
        },
      ],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
  });

  test('an API server that goes away meanwhile is waited for', async () => {
    const away: Handle = (_, response) => sendJson(response, 503, failure(503, 'ServiceUnavailable', 'shutting down'));
    const { client } = await serve(
      [(_, response) => list(response, 5, 'new'), away, away, away, away, (_, response) => list(response, 9, 'done')],
      [(request) => request.socket.destroy()],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
  });

  test('also one that is away when the wait begins', async () => {
    const { client } = await serve(
      [
        ...Array(4).fill((request: SeenRequest) => request.socket.destroy()),
        (_, response) => list(response, 9, 'done'),
      ],
      [],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
  });

  test('but not for ever one that does not come, of which the failure is told', async () => {
    const { client } = await serve([(_, response) => sendJson(response, 500, failure(500, 'InternalError', 'no'))], []);
    const looking = options({ pollIntervalMs: 40_000, timeoutMs: 60_000 });
    const hurried = { ...client, clock: woundClock() };
    await expect(waitForObject(hurried, REF, isDone, looking)).rejects.toMatchObject({ code: 'ApiFailure' });
  });

  const refusedWith: Readonly<Record<string, Handle>> = {
    Unauthenticated: (_, response) => sendJson(response, 401, failure(401, 'Unauthorized', 'Unauthorized')),
    Forbidden: (_, response) => sendJson(response, 403, failure(403, 'Forbidden', 'configmaps is forbidden')),
  };
  test.each(Object.entries(refusedWith))(
    'what was let, and is refused once (%s), is asked once more',
    async (_, no) => {
      const { client } = await serve(
        [(_, response) => list(response, 5, 'new'), no, (_, response) => list(response, 9, 'done')],
        [no],
      );
      expect(await waitForObject(client, REF, isDone, options())).toBe('done');
    },
  );

  test.each(Object.entries(refusedWith))('and ends the wait where it is refused again (%s)', async (code, no) => {
    const { client, asked } = await serve([(_, response) => list(response, 5, 'new'), no], [no]);
    await expect(waitForObject(client, REF, isDone, options())).rejects.toMatchObject({ code });
    expect(asked().filter((what) => what === 'list').length).toBeLessThan(6);
  });

  test('a user who may list but not watch takes lists', async () => {
    const message =
      'configmaps is forbidden: User "jane" cannot watch resource "configmaps" in API group "" in the namespace "n"';
    const states = ['new', 'starting', 'done'];
    const { client, asked } = await serve(
      [(_, response) => list(response, 5, states.shift() ?? 'done')],
      [(_, response) => sendJson(response, 403, failure(403, 'Forbidden', message))],
    );
    expect(await waitForObject(client, REF, isDone, options())).toBe('done');
    expect(asked().filter((what) => what === 'list')).toHaveLength(3);
  });

  test('watches that end at once do not make a busy loop', async () => {
    const { client, server } = await serve(
      [(_, response) => list(response, 5, 'new')],
      [(_, response) => response.end()],
    );
    await expect(
      waitForObject(client, REF, isDone, options({ timeoutMs: 300, pollIntervalMs: 100 })),
    ).rejects.toMatchObject({
      code: 'Timeout',
      message: 'context "c1": waited 0.3 s for a to be done',
    });
    expect(server.seen.length).toBeLessThanOrEqual(8);
  });

  test('a list that is forbidden is the end', async () => {
    const message =
      'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "n"';
    const { client } = await serve([(_, response) => sendJson(response, 403, failure(403, 'Forbidden', message))], []);
    await expect(waitForObject(client, REF, isDone, options())).rejects.toMatchObject({ code: 'Forbidden' });
  });

  test('Ctrl-C ends a watch', async () => {
    const stop = new AbortController();
    const { client } = await serve(
      [(_, response) => list(response, 5, 'new')],
      [
        (_, response) => {
          response.write(event(6, 'starting'));
          setImmediate(() => stop.abort());
        },
      ],
    );
    await expect(waitForObject(client, REF, isDone, options({ signal: stop.signal }))).rejects.toMatchObject({
      code: 'Interrupted',
    });
  });

  test('several objects: the predicate sees all of them, after each change', async () => {
    const { client } = await serve(
      [(_, response) => sendJson(response, 200, { metadata: { resourceVersion: '5' }, items: [] })],
      [
        (_, response) => {
          const other = { ...configMap(7, 'new'), metadata: { name: 'b', namespace: 'n', resourceVersion: '7' } };
          response.write(event(6, 'new', 'ADDED'));
          response.write(`${JSON.stringify({ type: 'ADDED', object: other })}\n`);
          response.write(event(8, 'new', 'DELETED'));
        },
      ],
    );
    const seen: string[] = [];
    await waitForList(
      client,
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n' },
      (objects) => {
        seen.push(objects.map(({ metadata }) => metadata.name).join());
        return seen.length === 4 ? true : undefined;
      },
      options(),
    );
    expect(seen).toEqual(['', 'a', 'a,b', 'b']);
  });
});
