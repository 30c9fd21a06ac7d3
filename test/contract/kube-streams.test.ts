import { createServer, type Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { ExecOptions } from '../../src/kube/exec.ts';
import { fakeRuntime, type SandboxServer, startTestServer } from '../support/apiserver.ts';
import {
  failure,
  kubeconfigFor,
  makeServerIdentity,
  openClient,
  type ScriptedServer,
  type ServerIdentity,
  startScriptedServer,
} from '../support/kube-server.ts';

const EXEC: ExecOptions = {
  namespace: 'n',
  pod: 'p',
  container: 'c',
  command: ['echo', 'a b', 'ü'],
  timeoutMs: 60_000,
};
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

describe('against the sandbox', () => {
  let api: SandboxServer;
  let client: ClusterClient;

  beforeAll(async () => {
    api = await startTestServer({ runtime: fakeRuntime() });
    api.server.store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'n' },
      spec: { nodeName: 'node', containers: [{ name: 'c', image: 'i' }] },
      status: { phase: 'Running' },
    });
  });

  afterAll(() => api.close());

  beforeEach(() => {
    client = open();
  });

  function open(cluster: Record<string, unknown> = {}, options: Parameters<typeof openClient>[1] = {}): ClusterClient {
    const base64 = (pem: string) => Buffer.from(pem).toString('base64');
    const user = { certData: base64(api.admin.certificate), keyData: base64(api.admin.privateKey) };
    const one = openClient(kubeconfigFor(api.server.url, { ca: api.ca, user, cluster }), options);
    opened.push(one);
    return one;
  }

  test('exec gives output and exit code', async () => {
    expect(await client.exec(EXEC)).toEqual({ stdout: 'echo a b ü\n'.slice(5), stderr: '', exitCode: 0 });
    expect(await client.exec({ ...EXEC, command: ['fail', '7'] })).toEqual({
      stdout: '',
      stderr: 'it failed\n',
      exitCode: 7,
    });
  });

  test('exec of a program that is missing', async () => {
    await expect(client.exec({ ...EXEC, command: ['nothing'] })).rejects.toMatchObject({
      code: 'ExecFailed',
      message: expect.stringMatching(
        /^context "c1": nothing in container c of Pod n\/p could not run: .*executable file not found/,
      ),
    });
  });

  test('exec in a pod that is gone', async () => {
    await expect(client.exec({ ...EXEC, pod: 'gone' })).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('exec ends in time', async () => {
    await expect(client.exec({ ...EXEC, command: ['sleep'], timeoutMs: 100 })).rejects.toMatchObject({
      code: 'Timeout',
      message: 'context "c1": sleep in container c of Pod n/p did not end within 0.1 s',
    });
  });

  test('exec ends with Ctrl-C', async () => {
    const stop = new AbortController();
    const running = client.exec({ ...EXEC, command: ['sleep'], signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await expect(running).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('a port of a pod, both ways', async () => {
    const stream = await client.portForward({ namespace: 'n', pod: 'p', port: 2379 });
    stream.write('hello');
    const [first] = (await Promise.race([stream.take(1).toArray()])) as Buffer[];
    expect(first?.toString()).toBe('2379:hello');
    expect(stream.destroyed).toBe(true);
  });

  test('a port that nobody listens on', async () => {
    const stream = await client.portForward({ namespace: 'n', pod: 'p', port: 1 });
    await expect(text(stream)).rejects.toMatchObject({
      code: 'PortForwardFailed',
      message: expect.stringMatching(/^context "c1": cannot forward port 1 of Pod n\/p: .*connection refused/),
    });
  });

  test('a port of a pod that is gone', async () => {
    await expect(client.portForward({ namespace: 'n', pod: 'gone', port: 1 })).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  test('Ctrl-C ends a forwarded port', async () => {
    const stop = new AbortController();
    const stream = await client.portForward({ namespace: 'n', pod: 'p', port: 2379, signal: stop.signal });
    stop.abort();
    await expect(text(stream)).rejects.toMatchObject({ code: 'PortForwardFailed' });
  });

  test('exec and ports go through a proxy too', async () => {
    const proxy = await startConnectProxy();
    opened.push({ close: () => proxy.server.close() });
    const proxied = open({ proxyUrl: proxy.url });
    expect(await proxied.exec(EXEC)).toMatchObject({ stdout: 'a b ü\n' });
    const stream = await proxied.portForward({ namespace: 'n', pod: 'p', port: 5 });
    stream.write('x');
    expect(String((await stream.take(1).toArray())[0])).toBe('5:x');
    expect(proxy.targets.length).toBeGreaterThan(0);
  });

  test('exec as somebody else', async () => {
    const impersonating = open({}, { as: 'bob' });
    await expect(impersonating.exec(EXEC)).rejects.toMatchObject({
      code: 'Forbidden',
      message: expect.stringMatching(/user "bob" may not (get|create) pods\/exec in namespace n/),
    });
  });
});

describe('against a scripted server', () => {
  let identity: ServerIdentity;
  let onSocket: (socket: WebSocket) => void;
  let protocols: string[] = [];
  let server: ScriptedServer;
  let client: ClusterClient;

  beforeAll(async () => {
    identity = await makeServerIdentity();
  });

  beforeEach(async () => {
    protocols = [];
    const sockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => {
        protocols = [...offered];
        return 'v4.channel.k8s.io';
      },
    });
    server = await startScriptedServer(
      identity,
      () => undefined,
      (request, socket, head) => sockets.handleUpgrade(request, socket, head, (one) => onSocket(one)),
    );
    client = openClient(kubeconfigFor(server.url, { ca: identity.authority.certificate }));
    opened.push(client, server);
  });

  const frame = (channel: number, payload: string) => Buffer.concat([Buffer.of(channel), Buffer.from(payload)]);
  const success = JSON.stringify({ metadata: {}, status: 'Success' });

  test('offers v5 and takes v4', async () => {
    onSocket = (socket) => {
      socket.send(frame(1, 'out'));
      socket.send(frame(2, 'err'));
      socket.send(frame(3, success));
    };
    expect(await client.exec(EXEC)).toEqual({ stdout: 'out', stderr: 'err', exitCode: 0 });
    expect(protocols).toEqual(['v5.channel.k8s.io', 'v4.channel.k8s.io']);
  });

  test('output is not torn where frames are', async () => {
    const bytes = Buffer.from('ü');
    onSocket = (socket) => {
      socket.send(frame(1, ''));
      for (const byte of bytes) socket.send(Buffer.of(1, byte));
      socket.send(frame(3, success));
    };
    expect((await client.exec(EXEC)).stdout).toBe('ü');
  });

  test('a connection that closes without a status is no success', async () => {
    onSocket = (socket) => {
      socket.send(frame(1, 'half'));
      socket.close();
    };
    await expect(client.exec(EXEC)).rejects.toMatchObject({
      code: 'ExecFailed',
      message: expect.stringContaining('broke off: the connection closed before its exit status came'),
    });
  });

  test('what was written is told where a program does not end in time, and not after Ctrl-C', async () => {
    onSocket = (socket) => socket.send(frame(1, 'half'));
    const heard: string[] = [];
    const onLate = (stdout: string) => void heard.push(stdout);
    await expect(client.exec({ ...EXEC, timeoutMs: 500, onLate })).rejects.toMatchObject({ code: 'Timeout' });
    expect(heard).toEqual(['half']);
    const stop = new AbortController();
    onSocket = (socket) => socket.send(frame(1, 'half'), () => stop.abort());
    await expect(client.exec({ ...EXEC, signal: stop.signal, onLate })).rejects.toMatchObject({ code: 'Interrupted' });
    expect(heard).toEqual(['half']);
  });

  test('nor is one that is cut', async () => {
    onSocket = (socket) => socket.terminate();
    await expect(client.exec(EXEC)).rejects.toMatchObject({ code: 'ExecFailed' });
  });

  test('an exit code comes from the causes; without one the command did not run', async () => {
    const causes = [{ reason: 'ExitCode', message: '126' }];
    onSocket = (socket) =>
      socket.send(frame(3, JSON.stringify(failure(500, 'NonZeroExitCode', 'exit 126', { causes }))));
    expect((await client.exec(EXEC)).exitCode).toBe(126);
    onSocket = (socket) =>
      socket.send(frame(3, JSON.stringify(failure(500, 'InternalError', 'container not found ("c")'))));
    await expect(client.exec(EXEC)).rejects.toMatchObject({
      code: 'ExecFailed',
      message: 'context "c1": echo a b ü in container c of Pod n/p could not run: container not found ("c")',
    });
  });

  test('an unreadable status', async () => {
    onSocket = (socket) => socket.send(frame(3, 'oops'));
    await expect(client.exec(EXEC)).rejects.toMatchObject({
      code: 'ExecFailed',
      message: expect.stringContaining('unreadable status'),
    });
  });

  test('endless output is cut off', async () => {
    onSocket = (socket) => {
      for (let count = 0; count < 20; count++) socket.send(frame(1, 'x'.repeat(100)));
    };
    await expect(client.exec({ ...EXEC, maxOutputBytes: 1000 })).rejects.toMatchObject({
      code: 'ExecFailed',
      message: expect.stringContaining('wrote more than 1000 bytes'),
    });
  });

  test('a forwarded port: the port number comes first on each channel, and may come with data', async () => {
    const received: string[] = [];
    onSocket = (socket) => {
      socket.on('message', (data: Buffer) => {
        received.push(data.toString('latin1'));
        socket.send(Buffer.from('\0end'));
        socket.close();
      });
      socket.send(Buffer.from([0, 0x4b, 0x09, 0x61]));
      socket.send(Buffer.from([1, 0x4b, 0x09]));
    };
    const stream = await client.portForward({ namespace: 'n', pod: 'p', port: 2379 });
    stream.write('go');
    expect(await text(stream)).toBe('aend');
    expect(received).toEqual(['\0go']);
    await expect.poll(() => stream.destroyed).toBe(true);
  });

  test('a slow reader holds the sender back and loses nothing', async () => {
    const size = 4 * 1024 * 1024;
    onSocket = (socket) => {
      socket.send(Buffer.from([0, 1, 0]));
      for (let sent = 0; sent < size; sent += 65_536)
        socket.send(Buffer.concat([Buffer.of(0), Buffer.alloc(65_536, 1)]));
      socket.close();
    };
    const stream = await client.portForward({ namespace: 'n', pod: 'p', port: 1 });
    let length = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(length).toBe(size);
  });

  test('a server that does not open a WebSocket', async () => {
    const plain = await startScriptedServer(identity, (_request, response) => response.end('hello'));
    const other = openClient(kubeconfigFor(plain.url, { ca: identity.authority.certificate }));
    opened.push(other, plain);
    await expect(other.exec(EXEC)).rejects.toMatchObject({
      code: 'ApiFailure',
      message: expect.stringContaining('it answers 200 instead of opening a WebSocket'),
    });
  });
});

/** A proxy that knows CONNECT. */
async function startConnectProxy(): Promise<{ url: string; server: Server; targets: string[] }> {
  const targets: string[] = [];
  const server = createServer();
  server.on('connect', (request, downstream) => {
    targets.push(request.url ?? '');
    const [host, port] = (request.url ?? '').split(':');
    const upstream = net.connect(Number(port), host, () => {
      downstream.write('HTTP/1.1 200 Connection established\r\n\r\n');
      downstream.pipe(upstream).pipe(downstream);
    });
    upstream.on('error', () => downstream.destroy());
    downstream.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, targets };
}
