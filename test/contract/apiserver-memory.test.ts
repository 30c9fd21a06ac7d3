import { request as httpsRequest } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';
import { call, type SandboxServer, startTestServer, tlsOptions } from '../support/apiserver.ts';

/** A real server forgets after minutes, and closes when its process does: here only the sandbox is asked. */
const CONFIGS = '/api/v1/namespaces/default/configmaps';
let server: SandboxServer;

beforeAll(async () => {
  server = await startTestServer({ store: createStore({ rememberedChanges: 100 }) });
});
afterAll(() => server.close());

function makeManyChanges(name: string): void {
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name };
  for (let index = 0; index < 200; index += 1) {
    server.server.store.update(ref, (object) => {
      object.metadata.labels = { index: String(index) };
    });
  }
}

test('a forgotten resourceVersion is 410 Gone, in an event, and the watch ends', async () => {
  await call(server, CONFIGS, { method: 'POST', body: { metadata: { name: 'busy' } } });
  makeManyChanges('busy');
  const { text } = await call(server, `${CONFIGS}?watch=true&resourceVersion=2`);
  expect(JSON.parse(text)).toMatchObject({
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired' },
  });
});

test('a continue token of forgotten times is expired', async () => {
  for (const name of ['one', 'two']) await call(server, CONFIGS, { method: 'POST', body: { metadata: { name } } });
  const { continue: token } = (await call(server, `${CONFIGS}?limit=1`)).body.metadata;
  makeManyChanges('one');
  expect((await call(server, `${CONFIGS}?limit=1&continue=${token}`)).body).toMatchObject({
    code: 410,
    reason: 'Expired',
  });
});

test('a closing server ends its watches', async () => {
  const own = await startTestServer();
  const request = httpsRequest(`${own.url}/api/v1/pods?watch=true`, { ...tlsOptions(own), agent: false });
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
