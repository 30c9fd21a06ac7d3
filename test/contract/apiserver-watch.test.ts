import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type TestServer, tlsOptions } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

describe.each(API_SERVERS)('$name', ({ start }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
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
      const url = `${server.url}${CONFIGS}?watch=true&${query}`;
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

  const CONFIGS = '/api/v1/namespaces/default/configmaps';
  const create = (name: string, labels: Record<string, string> = {}) =>
    call(server, CONFIGS, { method: 'POST', body: { metadata: { name, labels } } });
  const update = (name: string, labels: Record<string, string>) =>
    call(server, `${CONFIGS}/${name}`, { method: 'PUT', body: { metadata: { name, labels } } });
  const remove = (name: string) => call(server, `${CONFIGS}/${name}`, { method: 'DELETE' });

  const summary = (event: WatchEvent | undefined): unknown[] => [event?.type, event?.object.metadata.name];

  test('without a resourceVersion: first what is there, then what happens', async () => {
    await create('one', { a: 'b' });
    const events = await watch('labelSelector=a%3Db');
    expect(summary(await events.next())).toEqual(['ADDED', 'one']);
    await create('two', { a: 'b' });
    expect(summary(await events.next())).toEqual(['ADDED', 'two']);
    await update('two', { a: 'b', c: 'd' });
    expect(summary(await events.next())).toEqual(['MODIFIED', 'two']);
    await create('other');
    await update('two', { a: 'x' });
    expect(summary(await events.next())).toEqual(['DELETED', 'two']);
    const { body: last } = await update('two', { a: 'b' });
    expect(summary(await events.next())).toEqual(['ADDED', 'two']);
    await remove('two');
    const gone = await events.next();
    expect(summary(gone)).toEqual(['DELETED', 'two']);
    expect(Number(gone?.object.metadata.resourceVersion)).toBeGreaterThan(Number(last.metadata.resourceVersion));
    events.stop();
  });

  test('from a resourceVersion: nothing is lost between list and watch', async () => {
    const { resourceVersion } = (await call(server, '/api/v1/namespaces/default/configmaps')).body.metadata;
    await create('between');
    await remove('between');
    const events = await watch(`resourceVersion=${resourceVersion}`);
    expect(summary(await events.next())).toEqual(['ADDED', 'between']);
    expect(summary(await events.next())).toEqual(['DELETED', 'between']);
    events.stop();
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
    await create('table');
    const first = await events.next();
    expect(first?.object.columnDefinitions).toHaveLength(3);
    expect(first?.object.rows[0].cells.slice(0, 2)).toEqual(['table', 0]);
    await update('table', { a: 'b' });
    expect((await events.next())?.object.columnDefinitions).toBeNull();
    events.stop();
  });
});
