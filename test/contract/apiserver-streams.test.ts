import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createHeaderCoder } from '../../src/sandbox/apiserver/streams/spdy-headers.ts';
import { call, fakeRuntime, startTestServer, type TestServer, tlsOptions } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

let server: TestServer;
const runtime = fakeRuntime();
const POD = '/api/v1/namespaces/default/pods/p';

/** Pod `p` with one container, `q` with two. */
async function createPods(at: TestServer): Promise<void> {
  const container = (name: string) => ({ name, image: 'i:1' });
  for (const [name, containers] of [
    ['p', [container('only')]],
    ['q', [container('a'), container('b')]],
  ] as const) {
    const body = { metadata: { name }, spec: { containers } };
    await call(at, '/api/v1/namespaces/default/pods', { method: 'POST', body });
  }
}

// Programs run only in the sandbox's pods: a real server would need a kubelet.
beforeAll(async () => {
  server = await startTestServer({ runtime });
  await createPods(server);
});
afterAll(() => server.close());
beforeEach(() => {
  runtime.execs.length = 0;
});

interface Session {
  socket: WebSocket;
  /** What came on each channel, once the server closed. */
  ended: Promise<Map<number, string>>;
}

function open(path: string, protocols: string[], at = server, identity = at.admin): Promise<Session> {
  const { ca, cert, key } = tlsOptions(at, identity);
  const socket = new WebSocket(at.url.replace('https', 'wss') + path, protocols, {
    ca,
    cert,
    key,
  } as object);
  const channels = new Map<number, string>();
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    channels.set(channel, (channels.get(channel) ?? '') + data.subarray(1).toString('latin1'));
  });
  return new Promise((resolve, reject) => {
    const ended = once(socket, 'close').then(() => channels);
    socket.on('open', () => resolve({ socket, ended }));
    socket.on('error', reject);
    socket.on('unexpected-response', async (_, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      reject(new Error(`${response.statusCode}: ${JSON.parse(Buffer.concat(chunks).toString()).message}`));
    });
  });
}

const query = (...command: string[]): string => command.map((word) => `&command=${encodeURIComponent(word)}`).join('');
const message = (channel: number, text: string): Buffer => Buffer.concat([Buffer.of(channel), Buffer.from(text)]);

describe('exec over WebSocket', () => {
  test.each(['v5.channel.k8s.io', 'v4.channel.k8s.io'])('%s: output, then the status', async (protocol) => {
    const { socket, ended } = await open(`${POD}/exec?stdout=true&stderr=true${query('echo', 'hello', 'you')}`, [
      protocol,
    ]);
    expect(socket.protocol).toBe(protocol);
    const channels = await ended;
    expect(channels.get(1)).toBe('hello you\n');
    expect(JSON.parse(channels.get(3) ?? '')).toEqual({ metadata: {}, status: 'Success' });
    expect(runtime.execs[0]).toMatchObject({
      namespace: 'default',
      pod: 'p',
      container: 'only',
      command: ['echo', 'hello', 'you'],
      tty: false,
    });
  });

  test('the exit code comes as a cause, stderr on its channel', async () => {
    const { ended } = await open(`${POD}/exec?stdout=true&stderr=true${query('fail', '42')}`, ['v5.channel.k8s.io']);
    const channels = await ended;
    expect(channels.get(2)).toBe('it failed\n');
    expect(JSON.parse(channels.get(3) ?? '')).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '42' }] },
    });
  });

  test('a command that cannot run is an internal error', async () => {
    const { ended } = await open(`${POD}/exec?stdout=true${query('nope')}`, ['v4.channel.k8s.io']);
    expect(JSON.parse((await ended).get(3) ?? '')).toMatchObject({
      status: 'Failure',
      reason: 'InternalError',
      code: 500,
    });
  });

  test('stdin, closed by v5', async () => {
    const { socket, ended } = await open(`${POD}/exec?stdin=true&stdout=true${query('cat')}`, [
      'v5.channel.k8s.io',
      'v4.channel.k8s.io',
    ]);
    socket.send(message(0, 'some '));
    socket.send(message(0, 'input'));
    socket.send(Buffer.of(255, 0));
    expect((await ended).get(1)).toBe('some input');
  });

  test('a client that goes aborts the command', async () => {
    const { socket, ended } = await open(`${POD}/exec?stdout=true${query('sleep')}`, ['v5.channel.k8s.io']);
    await expect.poll(() => runtime.execs.length).toBe(1);
    socket.close();
    await ended;
    await expect.poll(() => runtime.execs[0]?.signal.aborted).toBe(true);
  });
});

describe.each(API_SERVERS)('$name refuses before the upgrade', ({ start }) => {
  let asked: TestServer;
  beforeAll(async () => {
    asked = await start();
    await createPods(asked);
  });
  afterAll(() => asked.close());

  test.each([
    ['/api/v1/namespaces/default/pods/nope/exec?stdout=true&command=x', '404: pods "nope" not found'],
    [
      '/api/v1/namespaces/default/pods/q/exec?stdout=true&command=x',
      '400: a container name must be specified for pod q, choose one of: [a b]',
    ],
    [`${POD}/exec?stdout=true&command=x&container=nope`, '400: container nope is not valid for pod p'],
  ])('%s', async (path, expected) => {
    await expect(open(path, ['v5.channel.k8s.io'], asked)).rejects.toThrow(expected);
  });

  test('needs a permitted user', async () => {
    await expect(open(`${POD}/exec?stdout=true&command=x`, ['v5.channel.k8s.io'], asked, asked.nobody)).rejects.toThrow(
      '403: pods "p" is forbidden: User "nobody" cannot get resource "pods/exec" in API group "" in the namespace "default"',
    );
  });
});

describe('a kubelet refuses', () => {
  test.each([
    [`${POD}/exec?stdout=true`, '400: you must specify at least 1 command for the container'],
    [`${POD}/portforward`, '400: query parameter "ports" is required'],
  ])('%s', async (path, expected) => {
    await expect(open(path, ['v5.channel.k8s.io'])).rejects.toThrow(expected);
  });
});

describe('port-forward over WebSocket', () => {
  test('data both ways, each channel begins with its port', async () => {
    const { socket, ended } = await open(`${POD}/portforward?ports=2379`, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    socket.send(message(0, 'ping'));
    const port = Buffer.of(2379 & 255, 2379 >> 8).toString('latin1');
    const received: Buffer[] = [];
    socket.on('message', (data: Buffer) => received.push(data));
    await expect.poll(() => Buffer.concat(received).includes('2379:ping')).toBe(true);
    socket.close();
    const channels = await ended;
    expect(channels.get(0)).toBe(`${port}2379:ping`);
    expect(channels.get(1)).toBe(port);
  });

  test('a refused connection is told on the error channel', async () => {
    const { ended } = await open(`${POD}/portforward?ports=1`, ['v4.channel.k8s.io']);
    expect((await ended).get(1)).toContain(
      'error forwarding port 1 to pod p: dial tcp p:1: connect: connection refused',
    );
  });
});

describe('SPDY', () => {
  const frame = (type: number, payload: Buffer): Buffer => {
    const header = Buffer.from([0x80, 3, 0, type, 0, 0, 0, 0]);
    header.writeUInt32BE(payload.length, 4);
    return Buffer.concat([header, payload]);
  };
  const data = (id: number, text: string, flags = 0): Buffer => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(id, 0);
    header.writeUInt32BE(text.length, 4);
    header.writeUInt8(flags, 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };

  function upgrade(path: string, protocol: string): Promise<{ socket: Duplex; protocol: unknown }> {
    return new Promise((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol };
      const request = httpsRequest(server.url + path, {
        ...tlsOptions(server),
        method: 'POST',
        agent: false,
        headers,
      });
      request.on('upgrade', (response, socket) =>
        resolve({ socket, protocol: response.headers['x-stream-protocol-version'] }),
      );
      request.on('response', (response) => reject(new Error(String(response.statusCode))));
      request.on('error', reject);
      request.end();
    });
  }

  /** The data of each stream until the server closes. */
  async function collect(socket: Duplex): Promise<Map<number, string>> {
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    const streams = new Map<number, string>();
    let rest = Buffer.concat(chunks);
    while (rest.length > 0) {
      const length = rest.readUIntBE(5, 3);
      const id = rest.readUInt32BE(0);
      if (id < 0x80000000) streams.set(id, (streams.get(id) ?? '') + rest.toString('latin1', 8, 8 + length));
      rest = rest.subarray(8 + length);
    }
    return streams;
  }

  async function openStreams(socket: Duplex, streams: Record<string, string>[]): Promise<void> {
    const coder = createHeaderCoder();
    for (const [index, headers] of streams.entries()) {
      const start = Buffer.alloc(10);
      start.writeUInt32BE(2 * index + 1, 0);
      socket.write(frame(1, Buffer.concat([start, await coder.encode(new Map(Object.entries(headers)))])));
    }
    coder.close();
  }

  test('exec as cilium-cli does it', async () => {
    const { socket, protocol } = await upgrade(
      `${POD}/exec?stdin=true&stdout=true&stderr=true${query('cat')}`,
      'v5.channel.k8s.io, v4.channel.k8s.io',
    );
    expect(protocol).toBe('v4.channel.k8s.io');
    await openStreams(
      socket,
      ['error', 'stdin', 'stdout', 'stderr'].map((streamtype) => ({ streamtype })),
    );
    socket.write(data(3, 'typed in', 1));
    const streams = await collect(socket);
    expect(streams.get(5)).toBe('typed in');
    expect(JSON.parse(streams.get(1) ?? '')).toEqual({ metadata: {}, status: 'Success' });
  });

  test('port-forward: a pair of streams for each connection', async () => {
    const { socket, protocol } = await upgrade(`${POD}/portforward`, 'portforward.k8s.io');
    expect(protocol).toBe('portforward.k8s.io');
    const pair = (port: string, requestid: string) => [
      { streamtype: 'error', port, requestid },
      { streamtype: 'data', port, requestid },
    ];
    await openStreams(socket, [...pair('80', '0'), ...pair('81', '1')]);
    socket.write(data(3, 'first', 1));
    socket.write(data(7, 'second', 1));
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    await expect.poll(() => received.includes('80:first') && received.includes('81:second')).toBe(true);
    socket.destroy();
  });

  test('other protocols are refused', async () => {
    await expect(upgrade(`${POD}/exec?stdout=true&command=x`, 'v9.channel.k8s.io')).rejects.toThrow('403');
  });
});

test('logs', async () => {
  expect((await call(server, `${POD}/log`)).text).toBe('first line of p\nsecond line of only\n');
  expect((await call(server, `${POD}/log?tailLines=1`)).text).toBe('second line of only\n');
  expect((await call(server, '/api/v1/namespaces/default/pods/q/log')).status).toBe(400);
});
