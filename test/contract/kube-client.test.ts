import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http, { type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
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

const SECRET = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-ca' };
const object = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' } });

let identity: ServerIdentity;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  identity = await makeServerIdentity();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

type Handle = (request: SeenRequest, response: ServerResponse) => void;

async function serve(handle: Handle, by = identity): Promise<ScriptedServer> {
  const server = await startScriptedServer(by, handle);
  opened.push(server);
  return server;
}

function open(
  url: string,
  settings: Parameters<typeof kubeconfigFor>[1] = {},
  options: Parameters<typeof openClient>[1] = {},
): ClusterClient {
  const client = openClient(kubeconfigFor(url, { ca: identity.authority.certificate, ...settings }), options);
  opened.push(client);
  return client;
}

/** A server that gives these answers in turn, the last one for ever, and a client of it. */
async function answering(...answers: Handle[]): Promise<{ client: ClusterClient; server: ScriptedServer }> {
  let next = 0;
  const server = await serve((request, response) => answers[Math.min(next++, answers.length - 1)]?.(request, response));
  return { client: open(server.url), server };
}

const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handle =>
  (_request, response) =>
    sendJson(response, status, body, headers);
const drop: Handle = ({ socket }) => socket.destroy();
const good = answer(200, object('cilium-ca'));

describe('requests', () => {
  test('get, create, apply, patch and delete say what the API server expects', async () => {
    const { client, server } = await answering(good);
    await client.get(SECRET);
    await client.create(object('new'), { dryRun: true });
    await client.apply(object('cilium-ca'), { force: true });
    await client.patch(SECRET, { data: { a: null } }, { resourceVersion: '7', subresource: 'status' });
    await client.delete(SECRET, { uid: 'u', resourceVersion: '7', dryRun: true });
    const path = '/api/v1/namespaces/kube-system/secrets';
    expect(
      server.seen.map(({ method, path, query, headers, body }) => [
        `${method} ${path}?${query}`,
        headers['content-type'],
        body === '' ? undefined : JSON.parse(body),
      ]),
    ).toEqual([
      [`GET ${path}/cilium-ca?`, undefined, undefined],
      [`POST ${path}?fieldManager=meshctl&dryRun=All`, 'application/json', object('new')],
      [`PATCH ${path}/cilium-ca?fieldManager=meshctl&force=true`, 'application/apply-patch+yaml', object('cilium-ca')],
      [
        `PATCH ${path}/cilium-ca/status?fieldManager=meshctl`,
        'application/merge-patch+json',
        { data: { a: null }, metadata: { resourceVersion: '7' } },
      ],
      [
        `DELETE ${path}/cilium-ca?`,
        'application/json',
        {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          preconditions: { uid: 'u', resourceVersion: '7' },
          dryRun: ['All'],
        },
      ],
    ]);
    expect(server.seen[0]?.headers).toMatchObject({ accept: 'application/json', 'user-agent': 'meshctl/test' });
  });

  test('requests in a row share a connection', async () => {
    const { client, server } = await answering(good);
    for (let count = 0; count < 3; count++) await client.get(SECRET);
    expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1);
  });

  test('what is not there is undefined to get and false to delete', async () => {
    const { client } = await answering(answer(404, failure(404, 'NotFound', 'secrets "cilium-ca" not found')));
    expect(await client.get(SECRET)).toBeUndefined();
    expect(await client.delete(SECRET)).toBe(false);
  });

  test('lists come in pages, their objects complete', async () => {
    const { client, server } = await answering(
      answer(200, { metadata: { resourceVersion: '5', continue: 'more' }, items: [{ metadata: { name: 'a' } }] }),
      answer(200, { metadata: { resourceVersion: '5' }, items: [{ metadata: { name: 'b' } }] }),
    );
    expect(await client.listAll({ apiVersion: 'v1', kind: 'Node', labelSelector: 'a=b', pageSize: 1 })).toEqual([
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } },
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'b' } },
    ]);
    expect(server.seen.map(({ path, query }) => `${path}?${query}`)).toEqual([
      '/api/v1/nodes?labelSelector=a%3Db&limit=1',
      '/api/v1/nodes?labelSelector=a%3Db&limit=1&continue=more',
    ]);
  });

  test('a list that expires half-way goes on with the token offered instead', async () => {
    const { client, server } = await answering(
      answer(200, { metadata: { resourceVersion: '5', continue: 'old' }, items: [{ metadata: { name: 'a' } }] }),
      answer(410, { ...failure(410, 'Expired', 'too old'), metadata: { continue: 'inconsistent' } }),
      answer(200, { metadata: { resourceVersion: '9' }, items: [{ metadata: { name: 'b' } }] }),
    );
    const nodes = await client.listAll({ apiVersion: 'v1', kind: 'Node' });
    expect(nodes.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(server.seen.at(-1)?.query.get('continue')).toBe('inconsistent');
  });

  test('version and API groups', async () => {
    const { client } = await answering(
      answer(200, { gitVersion: 'v1.36.1' }),
      answer(200, { kind: 'APIGroupList', groups: [{ name: 'apps' }, { name: 'metallb.io' }] }),
    );
    expect(await client.version()).toBe('v1.36.1');
    expect(await client.apiGroups()).toEqual(['apps', 'metallb.io']);
  });

  test('a conflict with what meshctl itself patched is no conflict', async () => {
    const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "meshctl" using v1', field: '.data.a' }];
    const { client, server } = await answering(answer(409, failure(409, 'Conflict', 'conflict', { causes })), good);
    await client.apply(object('cilium-ca'));
    expect(server.seen.map(({ query }) => query.get('force'))).toEqual(['false', 'true']);
  });

  test('debug lines hold no bodies and no credentials', async () => {
    const server = await serve(good);
    const lines: string[] = [];
    const client = open(server.url, { user: { token: 's3cret' } }, { debug: (line) => lines.push(line) });
    await client.apply({ ...object('cilium-ca'), data: { key: 'c2VjcmV0' } });
    expect(lines).toEqual([
      expect.stringMatching(
        /^PATCH https:\/\/127\.0\.0\.1:\d+\/api\/v1\/namespaces\/kube-system\/secrets\/cilium-ca\?fieldManager=meshctl&force=false 200 \d+ ms$/,
      ),
    ]);
  });
});

describe('trying again', () => {
  test('a server that stumbles is asked again', async () => {
    const { client, server } = await answering(answer(500, {}), drop, good);
    expect(await client.get(SECRET)).toMatchObject({ kind: 'Secret' });
    expect(server.seen).toHaveLength(3);
  });

  test('not for ever', async () => {
    const { client, server } = await answering(answer(500, failure(500, 'InternalError', 'etcd is away')));
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ApiFailure',
      message: 'context "c1": cannot get Secret kube-system/cilium-ca: the API server answers 500: etcd is away',
    });
    expect(server.seen).toHaveLength(3);
  });

  test('a creation is sent once, whatever happened to it', async () => {
    const broken = await answering(drop);
    await expect(broken.client.create(object('a'))).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    const failed = await answering(answer(500, failure(500, 'InternalError', 'no')));
    await expect(failed.client.create(object('a'))).rejects.toMatchObject({ code: 'ApiFailure' });
    expect([broken.server.seen.length, failed.server.seen.length]).toEqual([1, 1]);
  });

  test('unless the server declined it for now', async () => {
    const { client, server } = await answering(
      answer(429, failure(429, 'TooManyRequests', 'slow'), { 'retry-after': '0' }),
      good,
    );
    await client.create(object('a'));
    expect(server.seen).toHaveLength(2);
  });

  test('a request without an answer ends in time', async () => {
    const server = await serve(() => undefined);
    const client = open(server.url, {}, { requestTimeoutMs: 100 });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringMatching(
        /^context "c1": the API server https:\S+ did not answer within 0.1 s \(get Secret kube-system\/cilium-ca\)$/,
      ),
    });
  });

  test('Ctrl-C ends it at once, also between attempts', async () => {
    const stop = new AbortController();
    const server = await serve((_request, response) => {
      sendJson(response, 429, {}, { 'retry-after': '60' });
      setImmediate(() => stop.abort());
    });
    const client = open(
      server.url,
      {},
      { signal: stop.signal, retry: { attempts: 9, baseDelayMs: 60_000, maxDelayMs: 60_000 } },
    );
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test("a call's own signal replaces the client's", async () => {
    const server = await serve(good);
    const client = open(server.url, {}, { signal: AbortSignal.abort() });
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
    expect(await client.get(SECRET, { signal: new AbortController().signal })).toBeDefined();
  });
});

describe('credentials', () => {
  test('a client certificate', async () => {
    const jane = await issueCertificate(identity.authority, {
      commonName: 'jane',
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
    });
    const server = await serve(good);
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    await open(server.url, { user: { certData: base64(jane.certificate), keyData: base64(jane.privateKey) } }).get(
      SECRET,
    );
    expect(server.seen[0]?.clientName).toBe('jane');
  });

  test('token, password, impersonation', async () => {
    const server = await serve(good);
    const headersOf = async (...settings: Parameters<typeof open> extends [string, ...infer Rest] ? Rest : never) => {
      await open(server.url, ...settings).get(SECRET);
      const { authorization, 'impersonate-user': as, 'impersonate-group': groups } = server.seen.at(-1)?.headers ?? {};
      return { authorization, as, groups };
    };
    expect(await headersOf({ user: { token: 't0' } })).toEqual({ authorization: 'Bearer t0' });
    expect(await headersOf({ user: { username: 'u', password: 'p' } })).toEqual({
      authorization: `Basic ${btoa('u:p')}`,
    });
    const inConfig = { user: { token: 't0', impersonateUser: 'ann', impersonateGroups: ['g'] } };
    expect(await headersOf(inConfig)).toMatchObject({ as: 'ann', groups: 'g' });
    expect(await headersOf(inConfig, { as: 'bob', asGroup: ['a', 'b'] })).toMatchObject({ as: 'bob', groups: 'a, b' });
    expect(await headersOf(inConfig, { as: 'bob' })).toEqual({ authorization: 'Bearer t0', as: 'bob' });
  });

  test('a group without a user is a mistake', () => {
    expect(() => open('https://127.0.0.1:1', {}, { asGroup: ['g'] })).toThrow(
      expect.objectContaining({ code: 'Usage' }),
    );
  });

  test('a token file is read, and read again when its token is refused', async () => {
    const folder = await mkdtemp(joinPath(tmpdir(), 'meshctl-token-'));
    opened.push({ close: () => rm(folder, { recursive: true }) });
    const tokenFile = joinPath(folder, 'token');
    await writeFile(tokenFile, 'old\n');
    const server = await serve(({ headers }, response) => {
      if (headers.authorization === 'Bearer new') return sendJson(response, 200, object('a'));
      return writeFile(tokenFile, 'new\n').then(() =>
        sendJson(response, 401, failure(401, 'Unauthorized', 'Unauthorized')),
      );
    });
    await open(server.url, { user: { tokenFile } }).get(SECRET);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  describe('credential plugins', () => {
    const plugin = (script: string, more: Record<string, unknown> = {}) => ({
      user: {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: process.execPath,
          args: ['-e', script],
          ...more,
        },
      },
    });

    test('one is run, told what it is for, and asked again when its token is refused', async () => {
      const server = await serve(({ headers }, response) => {
        const expected = server.seen.length > 1;
        sendJson(
          response,
          expected ? 200 : 401,
          expected ? object('a') : failure(401, 'Unauthorized', String(headers.accept)),
        );
      });
      const script = `const {apiVersion, spec} = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
        const token = [process.pid, spec.cluster.server, spec.interactive].join(' ');
        console.log(JSON.stringify({apiVersion, kind: 'ExecCredential', status: {token}}))`;
      const client = open(server.url, plugin(script, { provideClusterInfo: true }));
      await Promise.all([client.get(SECRET)]);
      const [first, second] = server.seen.map(({ headers }) => headers.authorization);
      expect(first).toMatch(new RegExp(`^Bearer \\d+ ${server.url} false$`));
      expect(second).toMatch(/^Bearer \d+ /);
      expect(second).not.toBe(first);
    });

    test('one is run once for requests at the same time', async () => {
      const server = await serve(good);
      const client = open(server.url, plugin(`console.log(JSON.stringify({status: {token: String(process.pid)}}))`));
      await Promise.all([client.get(SECRET), client.get(SECRET), client.get(SECRET)]);
      expect(new Set(server.seen.map(({ headers }) => headers.authorization)).size).toBe(1);
    });

    test('one that is not installed', async () => {
      const user = { exec: { command: 'no-such-plugin', installHint: 'install it from example.com' } };
      await expect(open('https://127.0.0.1:1', { user }).get(SECRET)).rejects.toMatchObject({
        code: 'Unauthenticated',
        message: 'context "c1": credential plugin "no-such-plugin" is not installed or not in PATH',
        hint: 'install it from example.com',
      });
    });

    test('one that fails: its own words', async () => {
      const client = open(
        'https://127.0.0.1:1',
        plugin(`console.error('trace\\nthe SSO session has expired'); process.exit(3)`),
      );
      await expect(client.get(SECRET)).rejects.toMatchObject({
        code: 'Unauthenticated',
        message: expect.stringMatching(
          /^context "c1": credential plugin ".*node" failed: the SSO session has expired$/,
        ),
      });
    });

    test('one whose answer is no credential, which might yet be secret', async () => {
      const error = await open('https://127.0.0.1:1', plugin(`console.log('s3cret')`))
        .get(SECRET)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'Unauthenticated',
        message: expect.stringContaining('its answer is not an ExecCredential'),
      });
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
    });

    test('one that hangs does not outlast Ctrl-C', async () => {
      const stop = new AbortController();
      const client = open('https://127.0.0.1:1', plugin('setTimeout(() => {}, 2000)'), { signal: stop.signal });
      const getting = client.get(SECRET);
      setImmediate(() => stop.abort());
      await expect(getting).rejects.toMatchObject({ code: 'Interrupted' });
    });
  });

  test('a file that the kubeconfig names but that is missing', async () => {
    const client = open('https://127.0.0.1:1', {
      user: { certFile: '/nowhere/jane.crt', keyFile: '/nowhere/jane.key' },
    });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'KubeconfigInvalid',
      message: 'context "c1": file /nowhere/jane.crt, named in kubeconfig kubeconfig, does not exist',
    });
  });
});

describe('ways to the server', () => {
  test('through an HTTP proxy', async () => {
    const server = await serve(good);
    const asked: string[] = [];
    const proxy = await listen((downstream) => {
      downstream.once('data', (head) => {
        asked.push(head.toString('latin1').split('\r\n')[0] ?? '');
        join(downstream, server.port, 'HTTP/1.1 200 OK\r\n\r\n');
      });
    });
    const client = open(server.url, { cluster: { proxyUrl: `http://127.0.0.1:${proxy}` } });
    expect(await client.get(SECRET)).toBeDefined();
    expect(await client.get(SECRET)).toBeDefined();
    expect(asked).toEqual([`CONNECT 127.0.0.1:${server.port} HTTP/1.1`]);
  });

  test('through a SOCKS proxy', async () => {
    const server = await serve(good);
    const asked: string[] = [];
    const proxy = await listen((downstream) => {
      // RFC 1928: methods, then one request with an IPv4 address.
      downstream.once('data', () => {
        downstream.write(Buffer.of(5, 0));
        downstream.once('data', (request) => {
          asked.push(`${request.subarray(4, 8).join('.')}:${request.readUInt16BE(8)}`);
          join(downstream, server.port, Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
        });
      });
    });
    const client = open(server.url, { cluster: { proxyUrl: `socks5://127.0.0.1:${proxy}` } });
    expect(await client.get(SECRET)).toBeDefined();
    expect(await client.get(SECRET)).toBeDefined();
    expect(asked).toEqual([`127.0.0.1:${server.port}`]);
  });

  test('over plain HTTP, as to kubectl proxy', async () => {
    const plain = http.createServer((_request, response) => sendJson(response, 200, object('a')));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    opened.push({ close: () => new Promise<void>((resolve) => plain.close(() => resolve())) });
    const client = open(`http://127.0.0.1:${(plain.address() as AddressInfo).port}`);
    expect(await client.get(SECRET)).toBeDefined();
    client.close();
  });

  test('tls-server-name is what the certificate is checked for', async () => {
    const server = await serve(good);
    await open(server.url, { cluster: { tlsServerName: 'localhost' } }).get(SECRET);
    const client = open(server.url, { cluster: { tlsServerName: 'other.test' } });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate is for other names'),
    });
  });

  test('insecure-skip-tls-verify trusts anybody', async () => {
    const server = await serve(good);
    const kubeconfig = kubeconfigFor(server.url, { cluster: { skipTLSVerify: true } });
    const client = openClient(kubeconfig);
    opened.push(client);
    expect(await client.get(SECRET)).toBeDefined();
  });
});

describe('a server that cannot be reached', () => {
  test('nobody listens', async () => {
    const server = await serve(good);
    await server.close();
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: `context "c1": cannot reach the API server ${server.url}: connection refused`,
      hint: 'is the cluster up, and reachable from here? try: kubectl --context c1 get ns',
      details: { context: 'c1', server: server.url },
    });
  });

  test('its CA is not the one of the kubeconfig', async () => {
    const other = await makeServerIdentity();
    const server = await serve(good, other);
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate is from an unknown CA'),
    });
  });

  test('its certificate has expired', async () => {
    const old = await makeServerIdentity({ now: new Date(Date.now() - 864_000_000), validityMs: 1000 });
    const server = await serve(good, old);
    await expect(open(server.url, { ca: old.authority.certificate }).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate has expired'),
    });
  });

  test('it does not speak TLS', async () => {
    const port = await listen((socket) => socket.resume().end('HTTP/1.0 400 Bad Request\r\n\r\n'));
    const client = open(`https://127.0.0.1:${port}`);
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('it does not speak TLS'),
    });
  });

  test('it is no API server', async () => {
    const server = await serve((_request, response) => response.end('<html>hello</html>'));
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ApiFailure',
      message: expect.stringContaining('not JSON'),
    });
  });
});

/** A TCP server; gives its port. */
async function listen(onConnection: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
  return (server.address() as AddressInfo).port;
}

/** Joins a proxied connection to a port, after an answer of the proxy. */
function join(downstream: net.Socket, port: number, answer: string | Buffer): void {
  const upstream = net.connect(port, '127.0.0.1', () => downstream.write(answer));
  downstream.pipe(upstream).pipe(downstream);
  upstream.on('error', () => downstream.destroy());
}
