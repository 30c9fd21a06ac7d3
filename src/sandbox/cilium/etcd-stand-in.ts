/** Stands in for the etcd of a clustermesh-apiserver: real TLS with client certificates, gRPC Range, users and roles. */
import { createServer as createHttpServer } from 'node:http';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { frameMessage, readMessages } from '../../etcd/wire.ts';
import { answerEtcdCall, type EtcdCallAnswer } from './etcd-calls.ts';
import { etcdIdAt } from './etcd-id.ts';
import { changedPing } from './etcd-session.ts';
import { createEtcdState, type EtcdClient, type EtcdState, type EtcdStateOptions } from './etcd-state.ts';

/** What it says that it is. */
export const ETCD_VERSION = '3.6.0-sandbox';

/** What of its state others change and read. */
type KeptState = Pick<EtcdState, 'setUsers' | 'put' | 'replacePrefix' | 'list'>;

export interface EtcdOptions extends EtcdStateOptions {
  /** PEM as mounted. */
  certificate: string;
  privateKey: string;
}

export interface EtcdStandIn extends KeptState {
  /** Resolves with the port on 127.0.0.1 once it listens. */
  listening: Promise<number>;
  /** For the next handshakes. Throws an Error for a key that does not fit. */
  setServerCertificate(certificate: string, privateKey: string): void;
  close(): void;
}

/** Starts listening at once. Throws an Error for a certificate, key or CA that etcd could not load. */
export function startEtcd(options: EtcdOptions, state: EtcdState = createEtcdState(options)): EtcdStandIn {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();

  const server: Server = createServer({
    cert: options.certificate,
    key: options.privateKey,
    ca: options.ca,
    requestCert: true,
    // Verified by the state, against the sandbox's clock.
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
    const client = state.admit(socket.getPeerX509Certificate(), socket.remotePort);
    if (!client) {
      socket.destroy();
      return;
    }
    if (socket.alpnProtocol !== 'h2') {
      http1.emit('connection', socket);
      return;
    }
    const session = performServerHandshake(socket);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.on('stream', (stream, headers) => serve(stream, String(headers[':path']), client));
  }

  function serve(stream: ServerHttp2Stream, path: string, client: EtcdClient) {
    const chunks: Buffer[] = [];
    stream.on('error', () => stream.destroy());
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => {
      const [message = new Uint8Array()] = readMessages(Buffer.concat(chunks));
      const clusterId = etcdIdAt((server.address() as AddressInfo | null)?.port);
      answer(stream, answerEtcdCall(state, client, { path, message, clusterId }));
    });
  }

  state.onChange((prefixes) => {
    const pings = prefixes.map(changedPing);
    for (const session of sessions)
      for (const ping of pings) if (!session.destroyed) session.ping(ping, () => undefined);
  });
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
    setUsers: state.setUsers,
    put: state.put,
    replacePrefix: state.replacePrefix,
    list: state.list,
    close() {
      state.close();
      server.close();
      http1.close();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(stream: ServerHttp2Stream, { status: code, words, message }: EtcdCallAnswer) {
  if (stream.destroyed) return;
  const status = {
    'grpc-status': String(code),
    ...(words && { 'grpc-message': words }),
  };
  const headers = { ':status': 200, 'content-type': 'application/grpc' };
  if (!message) {
    // Trailers only.
    stream.respond({ ...headers, ...status }, { endStream: true });
    return;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(status));
  stream.end(frameMessage(message));
}
