import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SandboxServer, startTestServer } from '../support/apiserver.ts';

let server: SandboxServer;
beforeAll(async () => {
  server = await startTestServer({
    proxiedAs: { user: 'jane', groups: ['system:masters'] },
    tokens: new Map([['robot-token', { user: 'robot', groups: ['robots'] }]]),
  });
});
afterAll(() => server.close());

async function whoAmI(headers: Record<string, string> = {}): Promise<unknown> {
  const url = `${server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`;
  const init = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...headers } };
  const review = (await (await fetch(url, init)).json()) as { status: { userInfo: unknown } };
  return review.status.userInfo;
}

test('behind a proxy, it serves HTTP and takes whoever comes for the user of the proxy', async () => {
  expect(server.url).toMatch(/^http:/);
  expect(await whoAmI()).toMatchObject({ username: 'jane', groups: ['system:masters', 'system:authenticated'] });
});

test('a token and an impersonation count as without the proxy', async () => {
  expect(await whoAmI({ authorization: 'Bearer robot-token' })).toMatchObject({ username: 'robot' });
  expect(await whoAmI({ 'impersonate-user': 'joe' })).toMatchObject({
    username: 'joe',
    groups: ['system:authenticated'],
  });
  const pods = await fetch(`${server.url}/api/v1/pods`, { headers: { 'impersonate-user': 'joe' } });
  expect(pods.status).toBe(403);
});
