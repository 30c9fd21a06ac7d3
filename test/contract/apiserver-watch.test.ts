import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';
import { call, startTestServer, type TestServer, tlsOptions } from '../support/apiserver.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ store: createStore({ rememberedChanges: 100 }) });
});
afterAll(() => server.close());

interface WatchEvent {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: events carry objects of all kinds
  object: any;
}

interface Watch {
  /** The next event; undefined once the server ended the watch. */
  next(): Promise<WatchEvent | undefined>;
  stop(): void;
}

function watch(query: string, accept = 'application/json'): Promise<Watch> {
  return new Promise((resolve, reject) => {
    const url = `${server.server.url}/api/v1/namespaces/default/configmaps?watch=true&${query}`;
    const request = httpsRequest(
      url,
      { ...tlsOptions(server), agent: false, headers: { accept } },
      async (response) => {
        const lines = readLines(response);
        resolve({
          next: async () => {
            const { value, done } = await lines.next();
            return done ? undefined : (JSON.parse(value) as WatchEvent);
          },
          stop: () => request.destroy(),
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

async function* readLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

const { create, update, remove } = {
  create: (name: string, labels: Record<string, string> = {}) =>
    server.server.store.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default', labels },
    }),
  update: (name: string, labels: Record<string, string>) =>
    server.server.store.update({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name }, (object) => {
      object.metadata.labels = labels;
    }),
  remove: (name: string) =>
    server.server.store.delete({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name }),
};

const summary = (event: WatchEvent | undefined): unknown[] => [event?.type, event?.object.metadata.name];

test('without a resourceVersion: first what is there, then what happens', async () => {
  create('one', { a: 'b' });
  const events = await watch('labelSelector=a%3Db');
  expect(summary(await events.next())).toEqual(['ADDED', 'one']);
  create('two', { a: 'b' });
  expect(summary(await events.next())).toEqual(['ADDED', 'two']);
  update('two', { a: 'b', c: 'd' });
  expect(summary(await events.next())).toEqual(['MODIFIED', 'two']);
  create('other');
  update('two', { a: 'x' });
  expect(summary(await events.next())).toEqual(['DELETED', 'two']);
  update('two', { a: 'b' });
  expect(summary(await events.next())).toEqual(['ADDED', 'two']);
  remove('two');
  const gone = await events.next();
  expect(summary(gone)).toEqual(['DELETED', 'two']);
  expect(Number(gone?.object.metadata.resourceVersion)).toBe(server.server.store.state.log.revision());
  events.stop();
});

test('from a resourceVersion: nothing is lost between list and watch', async () => {
  const { resourceVersion } = (await call(server, '/api/v1/namespaces/default/configmaps')).body.metadata;
  create('between');
  remove('between');
  const events = await watch(`resourceVersion=${resourceVersion}`);
  expect(summary(await events.next())).toEqual(['ADDED', 'between']);
  expect(summary(await events.next())).toEqual(['DELETED', 'between']);
  events.stop();
});

test('a forgotten resourceVersion is 410 Gone, in an event', async () => {
  create('busy');
  for (let index = 0; index < 200; index += 1) update('busy', { index: String(index) });
  const events = await watch('resourceVersion=2');
  expect(await events.next()).toMatchObject({
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired' },
  });
  expect(await events.next()).toBeUndefined();
});

test('initial events end with a bookmark', async () => {
  const events = await watch(
    'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Done',
  );
  expect(summary(await events.next())).toEqual(['ADDED', 'one']);
  expect(await events.next()).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  events.stop();
});

test('ends after timeoutSeconds', async () => {
  const { resourceVersion } = (await call(server, '/api/v1/namespaces/default/configmaps')).body.metadata;
  const events = await watch(`resourceVersion=${resourceVersion}&timeoutSeconds=1`);
  expect(await events.next()).toBeUndefined();
});

test('tables: the first event has the columns', async () => {
  const events = await watch('fieldSelector=metadata.name%3Dtable', 'application/json;as=Table;v=v1;g=meta.k8s.io');
  create('table');
  const first = await events.next();
  expect(first?.object.columnDefinitions).toHaveLength(3);
  expect(first?.object.rows[0].cells.slice(0, 2)).toEqual(['table', '0']);
  update('table', { a: 'b' });
  expect((await events.next())?.object.columnDefinitions).toBeNull();
  events.stop();
});

test('a closing server ends its watches', async () => {
  const own = await startTestServer();
  const request = httpsRequest(`${own.server.url}/api/v1/pods?watch=true`, { ...tlsOptions(own), agent: false });
  const ended = new Promise((resolve) => {
    request.on('error', resolve);
    request.on('response', (response) => {
      response.resume();
      response.on('close', resolve);
      void own.close();
    });
  });
  request.end();
  await ended;
});
