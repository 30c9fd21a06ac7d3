import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AccessRequest } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { call, type SandboxServer, startTestServer } from '../support/apiserver.ts';

/** What only the sandbox's server has: a caller decides who may what, and breaks requests. */
let server: SandboxServer;
const seen: (AccessRequest & { httpMethod: string; path: string })[] = [];

beforeAll(async () => {
  server = await startTestServer({
    authorize: ({ user, verb, resource }) =>
      user === 'nobody' && verb === 'list' && resource === 'pods' ? undefined : 'not on the list',
    intercept: async (request) => {
      seen.push(request);
      if (request.path.endsWith('/drop-me')) return 'drop';
      if (request.path.endsWith('/break-me')) throw new ApiError(503, 'ServiceUnavailable', 'broken on purpose');
      return undefined;
    },
  });
});
afterAll(() => server.close());

test('the authorize hook decides instead of the roles, and its reason is told', async () => {
  expect((await call(server, '/api/v1/pods', { as: server.nobody })).status).toBe(200);
  const secrets = await call(server, '/api/v1/secrets', { as: server.nobody });
  expect(secrets.body.message).toBe(
    'secrets is forbidden: User "nobody" cannot list resource "secrets" in API group "" at the cluster scope: not on the list',
  );
  const body = { spec: { resourceAttributes: { verb: 'list', resource: 'secrets' } } };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const review = await call(server, path, { method: 'POST', body, as: server.nobody });
  expect(review.body.status).toEqual({ allowed: false, reason: 'not on the list' });
});

test('the intercept hook sees each request, can fail it, can drop it', async () => {
  await call(server, '/api/v1/namespaces/default/pods?labelSelector=a');
  expect(seen.at(-1)).toMatchObject({
    httpMethod: 'GET',
    verb: 'list',
    resource: 'pods',
    namespace: 'default',
    path: '/api/v1/namespaces/default/pods',
  });
  const broken = await call(server, '/api/v1/namespaces/break-me');
  expect([broken.status, broken.body.message]).toEqual([503, 'broken on purpose']);
  await expect(call(server, '/api/v1/namespaces/drop-me')).rejects.toThrow(/hang up|ECONNRESET/);
});
