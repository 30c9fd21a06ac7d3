/** The stand-ins' etcd client: a connection as Cilium makes one, whose failures are worded as Go words them. */
import { createHash } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { decodeRangeResponse, encodeRangeRequest, frameMessage, RANGE_PATH, readMessages } from '../../etcd/wire.ts';
import { certificateBlocks, hasPrivateKey } from '../../mesh/certificates/pem.ts';
import { remembered } from '../../mesh/remembered.ts';
import { parseCertificates, verifyCertificate } from './certificate-verification.ts';
import { etcdIdAt } from './etcd-id.ts';
import { prefixEnd } from './etcd-permissions.ts';
import { ANYWHERE } from './etcd-state.ts';

/** What stands in the way, in the words that Go's libraries, etcd or the agent would use. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  readonly stage: 'config' | 'resolve' | 'tcp' | 'tls' | 'client-auth' | 'etcd';

  constructor(stage: ConnectionFailure['stage'], message: string, cause?: unknown) {
    super(message, { cause });
    this.stage = stage;
  }
}

/** Certificate files as text. */
export interface ClientFiles {
  ca: string;
  certificate: string;
  privateKey: string;
}

export interface SessionOptions {
  files: ClientFiles;
  /** Without TLS, which a server that wants it ends at once. */
  plain?: boolean;
  /** The host of the endpoint: what the server's certificate must be valid for. */
  host: string;
  now: Date;
  /** The TLS alert that the server would have sent to this local port. */
  takeAlert(localPort: number): string | undefined;
}

export interface EtcdSession {
  /** Identifies the etcd, as its cluster id does: 16 hexadecimal digits. */
  etcdId: string;
  /** Reads one key. Rejects with ConnectionFailure. */
  get(key: string): Promise<string | undefined>;
  /** Reads all keys with a prefix. Rejects with ConnectionFailure. */
  list(prefix: string): Promise<Map<string, string>>;
  /** Calls back each time that the etcd says that its state has changed, with whether that may be below a prefix. */
  onChange(listener: (concerns: (prefix: string) => boolean) => void): void;
  /** Resolves when the connection has ended, whoever ended it. */
  closed: Promise<void>;
  close(): void;
}

/**
 * What the etcd stand-in sends over each connection when its state has changed below a prefix, in place of the watches that it
 * does not have: an HTTP/2 ping, which any other client just answers.
 */
export const changedPing = remembered(
  (prefix: string): Buffer => createHash('sha256').update(prefix).digest().subarray(0, 8),
  1000,
);
/** What etcd says to a user that may not read what it asks for. */
export const REFUSED = 'etcdserver: permission denied';

/** How long an open connection may leave a call without an answer. */
const CALL_TIMEOUT_MS = 10_000;

/** Handshakes on an open TCP connection, verifies the server. Rejects with ConnectionFailure; then the socket is destroyed. */
export async function openEtcdSession(socket: Socket, options: SessionOptions): Promise<EtcdSession> {
  const localPort = socket.localPort ?? 0;
  if (options.plain) {
    socket.destroy();
    throw new ConnectionFailure('etcd', 'context deadline exceeded');
  }
  let secured: TLSSocket;
  try {
    secured = await shakeHands(socket, options);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const session = connectHttp2('https://etcd', { createConnection: () => secured });
  const closed = new Promise<void>((done) => {
    session.once('close', () => {
      secured.destroy();
      done();
    });
  });
  session.on('error', () => session.destroy());
  const lost = () => {
    const alert = options.takeAlert(localPort);
    return alert === undefined
      ? new ConnectionFailure('etcd', 'rpc error: code = Unavailable desc = error reading from server: EOF')
      : new ConnectionFailure('client-auth', alert);
  };
  const read = async (key: string, end?: string) => {
    const response = decodeRangeResponse(await call(session, encodeRequest(key, end), lost));
    return new Map(response.kvs.map((kv) => [Buffer.from(kv.key).toString(), Buffer.from(kv.value).toString()]));
  };
  return {
    etcdId: etcdIdAt(socket.remotePort),
    get: async (key) => (await read(key)).get(key),
    list: (prefix) => read(prefix, prefixEnd(prefix)),
    onChange(listener) {
      const isOf = (payload: Buffer, prefix: string) => payload.equals(changedPing(prefix));
      session.on('ping', (payload: Buffer) => listener((prefix) => isOf(payload, prefix) || isOf(payload, ANYWHERE)));
    },
    closed,
    close: () => session.destroy(),
  };
}

/** Many dial with the same files, again and again; OpenSSL takes longer to read them than for most of a handshake. */
const contextOf = remembered(
  // Without roots OpenSSL and Node verify nothing, which `shakeHands` does itself.
  ({ certificate, privateKey }: ClientFiles) => createSecureContext({ ca: [], cert: certificate, key: privateKey }),
  50,
  ({ certificate, privateKey }) => JSON.stringify([certificate, privateKey]),
);

/** The client side of TLS, from PEM. Throws ConnectionFailure for files that Go's tls.X509KeyPair would refuse. */
export function secureContext({ ca, certificate, privateKey }: ClientFiles): SecureContext {
  if (certificateBlocks(certificate).length === 0) {
    throw new ConnectionFailure('config', 'tls: failed to find any PEM data in certificate input');
  }
  if (!hasPrivateKey(privateKey)) {
    throw new ConnectionFailure('config', 'tls: failed to find any PEM data in key input');
  }
  try {
    parseCertificates(ca);
    return contextOf({ ca, certificate, privateKey });
  } catch (error) {
    const mismatch = error instanceof Error && /mismatch/.test(error.message);
    const message = mismatch ? 'tls: private key does not match public key' : 'x509: malformed certificate';
    throw new ConnectionFailure('config', message, error);
  }
}

function shakeHands(socket: Socket, { files, host, now }: SessionOptions): Promise<TLSSocket> {
  const context = secureContext(files);
  const roots = parseCertificates(files.ca);
  return new Promise((done, fail) => {
    const secured = connectTls({
      socket,
      secureContext: context,
      // Verified below, against the sandbox's clock and in Go's words.
      rejectUnauthorized: false,
      ...(!isIP(host) && { servername: host }),
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    });
    secured.once('secureConnect', () => {
      const certificate = secured.getPeerX509Certificate();
      const failure = certificate && verifyCertificate(certificate, { roots, now, host, usage: 'server' });
      if (certificate && failure === undefined) {
        secured.removeAllListeners('close');
        done(secured);
        return;
      }
      secured.destroy();
      fail(new ConnectionFailure('tls', `tls: failed to verify certificate: ${failure ?? 'x509: no certificate'}`));
    });
    secured.on('error', (error) => fail(new ConnectionFailure('tls', `remote error: ${error.message}`, error)));
    secured.once('close', () => fail(new ConnectionFailure('tls', 'EOF')));
  });
}

function encodeRequest(key: string, end: string | undefined): Uint8Array {
  return encodeRangeRequest({ key: Buffer.from(key), ...(end !== undefined && { rangeEnd: Buffer.from(end) }) });
}

function call(session: ClientHttp2Session, message: Uint8Array, lost: () => ConnectionFailure): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    if (session.destroyed) {
      fail(lost());
      return;
    }
    const headers = { ':method': 'POST', ':path': RANGE_PATH, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    let status: IncomingHttpHeaders = {};
    const keep = (received: IncomingHttpHeaders) => {
      if (received['grpc-status'] !== undefined) status = received;
    };
    stream.setTimeout(CALL_TIMEOUT_MS, () => stream.destroy());
    stream.on('response', keep);
    stream.on('trailers', keep);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.once('close', () => {
      const code = status['grpc-status'];
      if (code === undefined) fail(lost());
      else if (code !== '0')
        fail(new ConnectionFailure('etcd', String(status['grpc-message'] ?? `grpc-status ${code}`)));
      else done(readMessages(Buffer.concat(chunks))[0] ?? new Uint8Array());
    });
    stream.end(frameMessage(message));
  });
}
