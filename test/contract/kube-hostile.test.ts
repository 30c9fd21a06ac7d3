import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { hostileValue } from '../support/hostile.ts';
import { answer, type Handle, SECRET, secretNamed, useScriptedCluster } from '../support/kube-scripted.ts';
import { failure, sendJson } from '../support/kube-server.ts';
import { startTcpServer } from '../support/tcp-server.ts';

const { answering, closeLater, open, serve } = useScriptedCluster();

/** The error that a client gets, which is one of a cluster's and never a bug's. */
async function errorOf(work: Promise<unknown>): Promise<MeshctlError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof MeshctlError) return error;
  throw new Error(`no MeshctlError: ${String(error)}`);
}

describe('an answer that is something else', () => {
  test.each<[string, Handle, RegExp]>([
    ['an empty object', answer(200, {}), /the answer is not an object of that kind/],
    ['null', answer(200, null), /the answer is not an object of that kind/],
    ['a list', answer(200, []), /the answer is not an object of that kind/],
    [
      'nothing (204)',
      (_request, response) => response.writeHead(204).end(),
      /the answer is not an object of that kind/,
    ],
    [
      'an object of another kind',
      answer(200, { ...secretNamed('cilium-ca'), kind: 'Namespace' }),
      /the answer is Namespace kube-system\/cilium-ca/,
    ],
    ['an object of another name', answer(200, secretNamed('other')), /the answer is Secret kube-system\/other/],
    [
      'a redirect to a login page, whose query is a secret',
      answer(302, '', { location: 'https://login.example.com/sso?token=s3cret' }),
      /it redirects to https:\/\/login\.example\.com\/sso$/,
    ],
    ['HTML', (_request, response) => response.end('<html>log in</html>'), /the answer is not JSON/],
  ])('%s', async (_what, handle, words) => {
    const { client } = await answering(handle);
    const error = await errorOf(client.get(SECRET));
    expect(error).toMatchObject({ code: 'ApiFailure', message: expect.stringMatching(words) });
    expect(error.hint).toMatch(/Is https:\S+ a Kubernetes API server\?/);
  });

  test('101 and another protocol', async () => {
    const server = await serve(({ socket }) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tls/1.9\r\n\r\n');
    });
    expect(await errorOf(open(server.url).get(SECRET))).toMatchObject({
      code: 'ApiFailure',
      message: expect.stringContaining('it answers 101 and another protocol'),
    });
  });

  test('a Status whose fields have other types', async () => {
    const status = { ...failure(422, 'Invalid', 'no'), message: { a: 1 }, reason: 7, details: { causes: 'many' } };
    const { client } = await answering(answer(422, status));
    expect(await errorOf(client.get(SECRET))).toMatchObject({ code: 'Rejected' });
  });

  test('fields of another type are as good as absent', async () => {
    const config = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cilium-config', namespace: 'kube-system', labels: 'none', annotations: { a: 1, b: 'two' } },
      data: { 'cluster-name': {}, 'cluster-id': '1' },
    };
    const { client } = await answering(answer(200, config));
    expect(await client.get({ ...SECRET, kind: 'ConfigMap', name: 'cilium-config' })).toEqual({
      ...config,
      metadata: { name: 'cilium-config', namespace: 'kube-system', annotations: { b: 'two' } },
      data: { 'cluster-id': '1' },
    });
  });

  test('no base64 in a Secret', async () => {
    const { client } = await answering(answer(200, { ...secretNamed('cilium-ca'), data: { a: '%%%', b: 'Yg==' } }));
    expect(await client.get(SECRET)).toMatchObject({ data: { b: 'Yg==' } });
  });

  test('any JSON at all: an object that can be relied on, or one error of the cluster', async () => {
    let next: unknown;
    const { client } = await answering((_request, response) => sendJson(response, 200, next));
    const lifelike = hostileValue.map((value) => ({ ...secretNamed('cilium-ca'), data: value, metadata: value }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(hostileValue, lifelike), async (value) => {
        next = value;
        for (const ask of [
          () => client.get(SECRET),
          () => client.listAll({ apiVersion: 'v1', kind: 'Secret' }),
          () => client.version(),
          () => client.apiGroups(),
        ]) {
          await ask().catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'ApiFailure' });
          });
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a name that is none', () => {
  test.each(['..', '.', '', 'a/b', '..%2f'])('%j never becomes part of a path', async (name) => {
    const { client, server } = await answering(answer(200, secretNamed('cilium-ca')));
    expect(await errorOf(client.get({ ...SECRET, name }))).toMatchObject({ code: 'Rejected' });
    await errorOf(client.exec({ namespace: name || '..', pod: 'p', container: 'c', command: ['x'], timeoutMs: 1000 }));
    expect(server.seen).toEqual([]);
  });
});

describe('warnings of an API server', () => {
  test('reach the operator, each once', async () => {
    const said: string[] = [];
    const server = await serve(
      answer(200, secretNamed('cilium-ca'), { warning: '299 - "unknown field \\"spec.foo\\"", 299 - "deprecated"' }),
    );
    const client = open(server.url, {}, { warn: (text) => said.push(text) });
    await client.get(SECRET);
    await client.get(SECRET);
    expect(said).toEqual(['context "c1": unknown field "spec.foo"', 'context "c1": deprecated']);
  });
});

describe('what never answers is named, and ends by its time and by Ctrl-C', () => {
  test.each(['http', 'socks5'])('a %s proxy', async (scheme) => {
    const server = await startTcpServer();
    closeLater(server);
    const silent = server.port;
    const settings = { cluster: { proxyUrl: `${scheme}://jane:s3cret@127.0.0.1:${silent}` } };
    const inTime = await errorOf(open('https://10.0.0.1', settings, { requestTimeoutMs: 150 }).get(SECRET));
    expect(inTime).toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining(
        `through the proxy ${scheme}://127.0.0.1:${silent} (proxy-url in the kubeconfig)`,
      ),
      hint: expect.stringContaining('Is the proxy up'),
    });
    expect(JSON.stringify({ ...inTime, message: inTime.message })).not.toContain('s3cret');
    const controller = new AbortController();
    const asked = errorOf(open('https://10.0.0.1', settings, { signal: controller.signal }).get(SECRET));
    setImmediate(() => controller.abort());
    expect(await asked).toMatchObject({ code: 'Interrupted' });
  });

  test.each([
    ['tokenFile', (pipe: string) => ({ user: { tokenFile: pipe } })],
    ['certificate-authority', (pipe: string) => ({ cluster: { caData: undefined, caFile: pipe } })],
    ['client-certificate', (pipe: string) => ({ user: { certFile: pipe, keyFile: pipe } })],
  ])('a pipe for a %s', async (_what, settings) => {
    const folder = await mkdtemp(join(tmpdir(), 'meshctl-hostile-'));
    closeLater({ close: () => rm(folder, { recursive: true }) });
    const pipe = join(folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    const asking = (options: object) => errorOf(open('https://127.0.0.1:1', settings(pipe), options).get(SECRET));
    expect(await asking({ requestTimeoutMs: 100 })).toMatchObject({
      code: 'KubeconfigInvalid',
      message: `cannot read file ${pipe} of kubeconfig kubeconfig: nothing could be read from it within 0.1 s`,
    });
    const controller = new AbortController();
    const interrupted = asking({ signal: controller.signal });
    controller.abort();
    expect(await interrupted).toMatchObject({ code: 'Interrupted' });
  });

  test('a credential plugin', async () => {
    const user = { plugin: { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] } };
    const error = await errorOf(open('https://127.0.0.1:1', { user }, { requestTimeoutMs: 300 }).get(SECRET));
    expect(error).toMatchObject({
      code: 'Unauthenticated',
      message: expect.stringContaining(`credential plugin "${process.execPath}" failed: it did not end within 0.3 s`),
      hint: expect.stringContaining('--request-timeout'),
    });
  });

  test('a credential plugin that ended, and left a process with its stdout', async () => {
    const script =
      `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'inherit' }).unref();
      console.log(JSON.stringify({ status: { token: 't0' } }), process.pid);`.replace(', process.pid', '');
    const server = await serve(answer(200, secretNamed('cilium-ca')));
    const user = { plugin: { command: process.execPath, args: ['-e', script] } };
    await open(server.url, { user }).get(SECRET);
    expect(server.seen[0]?.headers.authorization).toBe('Bearer t0');
  });
});

describe('a credential plugin', () => {
  const user = (script: string) => ({ user: { plugin: { command: process.execPath, args: ['-e', script] } } });

  test('that writes without end', async () => {
    const script =
      'const w = () => { while (process.stdout.write("x".repeat(65536))); process.stdout.once("drain", w); }; w();';
    expect(await errorOf(open('https://127.0.0.1:1', user(script)).get(SECRET))).toMatchObject({
      code: 'Unauthenticated',
      message: expect.stringMatching(/it writes more than \d+ bytes$/),
    });
  });

  test('reads nothing from the terminal', async () => {
    const server = await serve(answer(200, secretNamed('cilium-ca')));
    const script = `process.stdin.on('data', () => {}).on('end', () => console.log('{"status":{"token":"at-end"}}'))`;
    await open(server.url, user(script)).get(SECRET);
    expect(server.seen[0]?.headers.authorization).toBe('Bearer at-end');
  });

  test('that answers anything: one error, and nothing of the answer in it', async () => {
    await fc.assert(
      fc.asyncProperty(hostileValue, async (value) => {
        const text = JSON.stringify({ kind: 'ExecCredential', s3cret: 's3cret', status: value });
        const error = await errorOf(
          open('https://127.0.0.1:1', user(`process.stdout.write(${JSON.stringify(text)})`)).get(SECRET),
        );
        expect(['Unauthenticated', 'ClusterUnreachable']).toContain(error.code);
        expect(error.message).not.toContain('s3cret');
      }),
      { numRuns: 4 },
    );
  });
});

describe('a kubeconfig that no request can be made with is at fault itself', () => {
  test.each([
    ['a token with a line break', { user: { token: 's3\ncr3t' } }, 'the token of user "jane"'],
    [
      'a user to impersonate with one',
      { user: { token: 't', impersonateUser: 'a\nb' } },
      'the Impersonate-User of user',
    ],
    [
      'a certificate that is none',
      { user: { certData: btoa('s3cret'), keyData: btoa('s3cret') } },
      'the client certificate or key of user "jane"',
    ],
  ])('%s', async (_what, settings, words) => {
    const error = await errorOf(open('https://127.0.0.1:1', settings).get(SECRET));
    expect(error).toMatchObject({ code: 'KubeconfigInvalid', message: expect.stringContaining(words) });
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toMatch(/s3|cr3t/);
  });
});

describe('a kubeconfig server with a password', () => {
  test('is shown without it', async () => {
    const lines: string[] = [];
    const client = open('https://jane:s3cret@127.0.0.1:1', {}, { debug: (line) => lines.push(line) });
    const error = await errorOf(client.get(SECRET));
    expect(client.server).toBe('https://127.0.0.1:1');
    expect(JSON.stringify([error.message, error.hint, error.details, lines])).not.toContain('s3cret');
  });
});

test('a token file that is a folder is the kubeconfig’s fault', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meshctl-hostile-'));
  closeLater({ close: () => rm(folder, { recursive: true }) });
  await writeFile(join(folder, 'token'), 't');
  const error = await errorOf(open('https://127.0.0.1:1', { user: { tokenFile: folder } }).get(SECRET));
  expect(error).toMatchObject({ code: 'KubeconfigInvalid' });
});
