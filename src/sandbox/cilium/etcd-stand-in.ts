/** Stands in for the etcd of a clustermesh-apiserver: real TLS with client certificates, gRPC Range, users and roles. */
import type { X509Certificate } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  decodeRangeRequest,
  encodeRangeResponse,
  encodeUserListResponse,
  frameMessage,
  RANGE_PATH,
  readMessages,
  USER_LIST_PATH,
} from '../../etcd/wire.ts';
import { alertFor, commonNameOf, parseCertificates, verifyCertificate } from './certificate-verification.ts';
import { etcdIdAt } from './etcd-id.ts';
import { builtInUsers, mayRead, rangeEndOf } from './etcd-permissions.ts';
import { ANYWHERE, changedPing } from './etcd-session.ts';

/** What it says that it is. */
export const ETCD_VERSION = '3.6.0-sandbox';

/** gRPC status codes. */
const OK = 0;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/** Where clients watch values: of canaries and heartbeats, which hold times, only that they are there. */
const WATCHED = /^cilium\/(state|cache)\//;

export interface EtcdOptions {
  clusterName: string;
  /** PEM as mounted. Client certificates must chain to the CA; as in etcd it is read only here, at the start. */
  ca: string;
  certificate: string;
  privateKey: string;
  now(): Date;
  /** Hears why a client was refused, with its port, where etcd would send a TLS alert. */
  onRefused(clientPort: number, alert: string): void;
  log(line: string): void;
}

/** A connection that is open. */
interface Client {
  /** The common name of its certificate. */
  user: string;
  /**
   * The prefixes that it was allowed to read. Cilium reads a prefix once and then watches it, which here is reading it
   * again; etcd asks for permission when a watch begins, and no more.
   */
  watches: Set<string>;
}

export interface EtcdStandIn {
  /** Resolves with the port on 127.0.0.1 once it listens. */
  listening: Promise<number>;
  /** For the next handshakes. Throws an Error for a key that does not fit. */
  setServerCertificate(certificate: string, privateKey: string): void;
  /**
   * Name to role. Reads of a user that is gone are refused from now on, also over connections that are open; what such a
   * connection watches it goes on hearing of until it ends (as etcd does: measured with 3.5.30 and 3.6's v3rpc/watch.go).
   */
  setUsers(users: ReadonlyMap<string, string>): void;
  put(key: string, value: string): void;
  /** Replaces all keys with the prefix. */
  replacePrefix(prefix: string, entries: ReadonlyMap<string, string>): void;
  /** All keys with the prefix, in order. */
  list(prefix: string): [string, string][];
  close(): void;
}

/** Starts listening at once. Throws an Error for a certificate, key or CA that etcd could not load. */
export function startEtcd(options: EtcdOptions): EtcdStandIn {
  const { clusterName } = options;
  const roots = parseCertificates(options.ca);
  if (roots.length === 0) throw new Error('tls: failed to find any PEM data in the trusted CA file');
  const entries = new Map<string, string>();
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  let users: ReadonlyMap<string, string> = builtInUsers(clusterName);
  let telling: NodeJS.Immediate | undefined;
  /** Below which prefixes something has changed since clients were told. */
  const changed = new Set<string>();

  /** Stands in for etcd's watches: every connected client hears where the state has changed, and reads that again. */
  function tellClients(prefix: string) {
    changed.add(WATCHED.test(prefix) ? prefix : ANYWHERE);
    telling ??= setImmediate(() => {
      telling = undefined;
      const pings = (changed.has(ANYWHERE) ? [ANYWHERE] : [...changed]).map(changedPing);
      changed.clear();
      for (const session of sessions)
        for (const ping of pings) if (!session.destroyed) session.ping(ping, () => undefined);
    });
  }

  function put(key: string, value: string, prefix = ANYWHERE) {
    const isNews = WATCHED.test(key) ? entries.get(key) !== value : !entries.has(key);
    entries.set(key, value);
    if (isNews) tellClients(prefix);
  }

  const server: Server = createServer({
    cert: options.certificate,
    key: options.privateKey,
    ca: options.ca,
    requestCert: true,
    // Verified in `admit`, against the sandbox's clock.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
    noDelay: true,
  });
  const http1 = createHttpServer((request, response) => {
    if (request.url !== '/version') response.writeHead(404).end();
    else response.end(`{"etcdserver":"${ETCD_VERSION}","etcdcluster":"3.6.0"}`);
  });

  function keep(socket: Socket) {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }

  function admit(socket: TLSSocket) {
    keep(socket);
    socket.on('error', () => socket.destroy());
    const peer = socket.getPeerX509Certificate();
    const alert = peer ? clientFailure(peer) : 'remote error: tls: certificate required';
    if (alert !== undefined || !peer) {
      options.log(
        `level=warning msg="rejected connection" remote-addr=127.0.0.1:${socket.remotePort} error="${alert}"`,
      );
      if (socket.remotePort !== undefined && alert !== undefined) options.onRefused(socket.remotePort, alert);
      socket.destroy();
      return;
    }
    if (socket.alpnProtocol !== 'h2') {
      http1.emit('connection', socket);
      return;
    }
    const session = performServerHandshake(socket);
    const client: Client = { user: commonNameOf(peer), watches: new Set() };
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.on('stream', (stream, headers) => serve(stream, String(headers[':path']), client));
  }

  function clientFailure(certificate: X509Certificate): string | undefined {
    const failure = verifyCertificate(certificate, { roots, now: options.now(), usage: 'client' });
    return failure === undefined ? undefined : alertFor(failure);
  }

  function serve(stream: ServerHttp2Stream, path: string, client: Client) {
    const chunks: Buffer[] = [];
    stream.on('error', () => stream.destroy());
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      if (path === RANGE_PATH) range(stream, Buffer.concat(chunks), client);
      else if (path === USER_LIST_PATH) listUsers(stream, client);
      else answer(stream, UNIMPLEMENTED, `unknown method ${path}`);
    });
  }

  function range(stream: ServerHttp2Stream, body: Buffer, { user, watches }: Client) {
    const [message = new Uint8Array()] = readMessages(body);
    const request = decodeRangeRequest(message);
    const key = Buffer.from(request.key).toString();
    const end = rangeEndOf(request.rangeEnd);
    const watch = end === undefined ? undefined : `${key}\n${end}`;
    const isOpen = watch !== undefined && watches.has(watch);
    const role = users.get(user);
    if (!isOpen && (role === undefined || !mayRead(role, clusterName)(key, end))) {
      options.log(`level=warning msg="permission denied" user-name="${user}" key="${key}"`);
      answer(stream, PERMISSION_DENIED, 'etcdserver: permission denied');
      return;
    }
    if (watch !== undefined) watches.add(watch);
    const found = [...entries.keys()].filter((entry) =>
      end === undefined ? entry === key : entry >= key && entry < end,
    );
    const kvs = found
      .sort()
      .map((entry) => ({ key: Buffer.from(entry), value: Buffer.from(entries.get(entry) ?? '') }));
    answer(
      stream,
      OK,
      '',
      encodeRangeResponse({ kvs, clusterId: etcdIdAt((server.address() as AddressInfo | null)?.port) }),
    );
  }

  function listUsers(stream: ServerHttp2Stream, { user }: Client) {
    if (users.get(user) === 'root') answer(stream, OK, '', encodeUserListResponse([...users.keys()].sort()));
    else answer(stream, PERMISSION_DENIED, 'etcdserver: permission denied');
  }

  // Also those whose handshake is under way when it ends: they would go on with an etcd that is no more.
  server.on('connection', keep);
  server.on('secureConnection', admit);
  // A handshake that failed: the client gave up on our certificate, or spoke no TLS.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const listening = new Promise<number>((done) => {
    server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
  });

  return {
    listening,
    setServerCertificate: (cert, key) => server.setSecureContext({ cert, key, ca: options.ca }),
    setUsers(next) {
      users = next;
    },
    put: (key, value) => put(key, value),
    replacePrefix(prefix, next) {
      const gone = [...entries.keys()].filter((entry) => entry.startsWith(prefix) && !next.has(entry));
      for (const key of gone) entries.delete(key);
      if (gone.length > 0) tellClients(prefix);
      for (const [key, value] of next) put(key, value, prefix);
    },
    list: (prefix) => [...entries].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1)),
    close() {
      if (telling) clearImmediate(telling);
      server.close();
      http1.close();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(stream: ServerHttp2Stream, code: number, message: string, body?: Uint8Array) {
  if (stream.destroyed) return;
  const status = {
    'grpc-status': String(code),
    ...(message && { 'grpc-message': message }),
  };
  const headers = { ':status': 200, 'content-type': 'application/grpc' };
  if (!body) {
    // Trailers only.
    stream.respond({ ...headers, ...status }, { endStream: true });
    return;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(status));
  stream.end(frameMessage(body));
}
