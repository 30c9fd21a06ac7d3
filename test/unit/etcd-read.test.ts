import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EtcdRead } from '../../src/etcd/handshake.ts';
import { readKey } from '../../src/etcd/read.ts';
import { EtcdReadError } from '../../src/etcd/read-error.ts';
import {
  createMessageReader,
  decodeRangeRequest,
  encodeRangeResponse,
  frameMessage,
  RANGE_PATH,
} from '../../src/etcd/wire.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { type IssuedCertificate, issueCertificate } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';

const KEY = 'cilium/cluster-config/mesh-2';

let ca: Authority;
let otherCa: Authority;
let server: IssuedCertificate;
let client: IssuedCertificate;
let strange: IssuedCertificate;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const now = new Date(Date.now() - 30 * 24 * 3600 * 1000);
  [ca, otherCa] = await Promise.all([createAuthority({ now }), createAuthority()]);
  const leaf = { dnsNames: [], ipAddresses: [] };
  [server, client, strange] = await Promise.all([
    issueCertificate(ca, {
      commonName: 'etcd',
      usages: ['server'],
      dnsNames: ['etcd.test'],
      ipAddresses: ['127.0.0.1'],
    }),
    issueCertificate(ca, { commonName: 'remote-mesh-1', usages: ['client'], ...leaf }),
    issueCertificate(otherCa, { commonName: 'remote-mesh-1', usages: ['client'], ...leaf }),
  ]);
});

afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
});

type Answer = (stream: http2.ServerHttp2Stream, key: string, user: string) => void;

/** An etcd of one method. */
async function serve(answer: Answer, certificate = server): Promise<number> {
  const listener = http2.createSecureServer({
    cert: certificate.certificate,
    key: certificate.privateKey,
    ca: ca.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.on('sessionError', () => undefined);
  const sessions = new Set<http2.ServerHttp2Session>();
  listener.on('session', (session) => sessions.add(session));
  listener.on('stream', (stream, headers) => {
    expect(headers[':path']).toBe(RANGE_PATH);
    const reader = createMessageReader();
    const user = (stream.session?.socket as TLSSocket | undefined)?.getPeerCertificate().subject.CN as string;
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk))
        answer(stream, Buffer.from(decodeRangeRequest(message).key).toString(), user);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  return (listener.address() as AddressInfo).port;
}

function respond(stream: http2.ServerHttp2Stream, message: Uint8Array | undefined, status: number, text = '') {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': status, 'grpc-message': encodeURIComponent(text) }),
  );
  stream.end(message && frameMessage(message));
}

function read(port: number, options: Partial<EtcdRead> = {}): Promise<string | undefined> {
  return readKey({
    socket: options.socket ?? net.connect(port, '127.0.0.1'),
    ca: ca.certificate,
    certificate: client.certificate,
    privateKey: client.privateKey,
    serverName: 'etcd.test',
    key: KEY,
    timeoutMs: 5000,
    ...options,
  });
}

async function reasonOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof EtcdReadError) return error.reason;
  throw error ?? new Error('it was read');
}

const found: Answer = (stream, key, user) => {
  const value = Buffer.from(`value of ${key} for ${user}`);
  respond(stream, encodeRangeResponse({ kvs: [{ key: Buffer.from(key), value }] }), 0);
};

describe('readKey', () => {
  test('gives the value of the key, as the user of the certificate', async () => {
    expect(await read(await serve(found))).toBe(`value of ${KEY} for remote-mesh-1`);
  });

  test('checks an address as well as a name', async () => {
    expect(await read(await serve(found), { serverName: '127.0.0.1' })).toContain(KEY);
  });

  test('trusts any certificate of the bundle', async () => {
    const bundle = `${otherCa.certificate}${ca.certificate}`;
    expect(await read(await serve(found), { ca: bundle })).toContain(KEY);
  });

  test('gives undefined for a key that is missing', async () => {
    const port = await serve((stream) => respond(stream, encodeRangeResponse({ kvs: [] }), 0));
    expect(await read(port)).toBeUndefined();
  });

  test('reads an answer that comes in pieces', async () => {
    const message = frameMessage(
      encodeRangeResponse({ kvs: [{ key: Buffer.from(KEY), value: Buffer.from('x'.repeat(40_000)) }] }),
    );
    const port = await serve((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.write(message.subarray(0, 3));
      stream.write(message.subarray(3, 20_000));
      stream.end(message.subarray(20_000));
    });
    expect(await read(port)).toHaveLength(40_000);
  });

  test('leaves the socket destroyed', async () => {
    const port = await serve(found);
    const socket = net.connect(port, '127.0.0.1');
    await read(port, { socket });
    expect(socket.destroyed).toBe(true);
  });
});

describe('reasons of failure', () => {
  test("etcd's certificate is from a different CA", async () => {
    expect(await reasonOf(read(await serve(found), { ca: otherCa.certificate }))).toBe('tls-unknown-ca');
  });

  test("etcd's certificate has expired", async () => {
    const now = new Date(Date.now() - 10 * 24 * 3600 * 1000);
    const expired = await issueCertificate(
      ca,
      { commonName: 'etcd', usages: ['server'], dnsNames: ['etcd.test'], ipAddresses: [] },
      { now, validityMs: 1000 },
    );
    expect(await reasonOf(read(await serve(found, expired)))).toBe('tls-expired');
  });

  describe("etcd's certificate is out of time by this machine's clock, and not by the cluster's", () => {
    const HOUR_MS = 3_600_000;
    const from = (signer: Authority, hours: number, spec: Partial<Parameters<typeof issueCertificate>[1]> = {}) =>
      issueCertificate(
        signer,
        { commonName: 'etcd', usages: ['server'], dnsNames: ['etcd.test'], ipAddresses: [], ...spec },
        { now: new Date(Date.now() + hours * HOUR_MS), validityMs: 10 * HOUR_MS },
      );
    const at = (hours: number) => ({ at: new Date(Date.now() + hours * HOUR_MS) });

    test.each([49, -49])('it is taken: %d hours', async (hours) => {
      const port = () => from(ca, hours).then((certificate) => serve(found, certificate));
      expect(await read(await port(), at(hours))).toBeDefined();
      expect(await reasonOf(read(await port()))).toBe('tls-expired');
      expect(await reasonOf(read(await port(), at(hours - 1)))).toBe('tls-expired');
      expect(await reasonOf(read(await port(), at(hours + 11)))).toBe('tls-expired');
    });

    test('anything else that is wrong with it counts as ever', async () => {
      const refused = async (certificate: Promise<IssuedCertificate>, more: Partial<EtcdRead> = {}) =>
        reasonOf(read(await serve(found, await certificate), { ...at(49), ...more }));
      expect(await refused(from(otherCa, 49))).toMatch(/^tls-/);
      expect(await refused(from(ca, 49), { ca: otherCa.certificate })).toMatch(/^tls-/);
      expect(await refused(from(ca, 49), { serverName: 'other.test' })).toMatch(/^tls-/);
      expect(await refused(from(ca, 49, { usages: ['client'] }))).not.toBe('nothing');
      expect(await refused(from(ca, 49), { otherNames: ['other.test'] })).toBe('tls-name');
    });
  });

  test("etcd's certificate is for other names", async () => {
    const shown = { certificateSha256: readCertificate(server.certificate).sha256 };
    for (const names of [{ serverName: 'other.test' }, { otherNames: ['other.test'] }]) {
      await expect(read(await serve(found), names)).rejects.toMatchObject({ reason: 'tls-name', seen: shown });
    }
  });

  test('the client certificate is from a CA that etcd does not know', async () => {
    const port = await serve(found);
    const { certificate, privateKey } = strange;
    expect(await reasonOf(read(port, { certificate, privateKey }))).toBe('tls-client-rejected');
  });

  test('the user may not read the key', async () => {
    const port = await serve((stream) => respond(stream, undefined, 7, 'etcdserver: permission denied'));
    await expect(read(port)).rejects.toMatchObject({
      reason: 'permission-denied',
      message: 'etcdserver: permission denied',
    });
  });

  test('a status in the headers alone counts', async () => {
    const port = await serve((stream) => {
      const headers = {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '14',
        'grpc-message': 'no%20leader',
      };
      stream.respond(headers, { endStream: true });
    });
    await expect(read(port)).rejects.toMatchObject({ reason: 'unavailable', message: 'no leader' });
  });

  test('the connection breaks during the handshake', async () => {
    const listener = net.createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => listener.close(() => resolve())));
    expect(await reasonOf(read((listener.address() as AddressInfo).port))).toBe('unavailable');
  });

  test('the connection breaks while the answer is awaited', async () => {
    const port = await serve((stream) => stream.session?.destroy());
    expect(await reasonOf(read(port))).toBe('unavailable');
  });

  test('no answer comes', async () => {
    const port = await serve(() => undefined);
    expect(await reasonOf(read(port, { timeoutMs: 150 }))).toBe('timeout');
  });

  test('something else answers', async () => {
    const port = await serve((stream) => {
      stream.respond({ ':status': 404 });
      stream.end('no such page');
    });
    await expect(read(port)).rejects.toMatchObject({ reason: 'protocol', message: 'it answers HTTP 404, not gRPC' });
  });

  test('an answer that is not protobuf', async () => {
    const port = await serve((stream) => respond(stream, Buffer.from('ffff', 'hex'), 0));
    expect(await reasonOf(read(port))).toBe('protocol');
  });

  test('the signal is aborted', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const port = await serve(() => stop.abort(reason));
    await expect(read(port, { signal: stop.signal })).rejects.toBe(reason);
  });
});
