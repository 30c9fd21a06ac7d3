import http2 from 'node:http2';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import {
  createMessageReader,
  decodeRangeResponse,
  decodeUserListResponse,
  encodeRangeRequest,
  frameMessage,
  RANGE_PATH,
  USER_LIST_PATH,
} from './wire.ts';

/** Why etcd could not be read, as far as the operator's next step differs. */
export type EtcdReadReason =
  /** etcd's certificate is not from `ca`. */
  | 'tls-unknown-ca'
  /** etcd's certificate has expired or is not valid yet. */
  | 'tls-expired'
  /** etcd's certificate does not hold `serverName`. */
  | 'tls-name'
  /** etcd does not accept the client certificate. */
  | 'tls-client-rejected'
  /** The certificate is good, but its user does not exist or may not read the key. */
  | 'permission-denied'
  /** No connection, or etcd cannot answer now. */
  | 'unavailable'
  | 'timeout'
  /** It answers, but not as etcd does. */
  | 'protocol';

/** Carries the reason to where the operator's sentence is made; the message is one clause without context. */
export class EtcdReadError extends Error {
  readonly reason: EtcdReadReason;
  readonly seen: EtcdSeen;

  constructor(reason: EtcdReadReason, message: string, cause?: unknown, seen: EtcdSeen = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EtcdReadError';
    this.reason = reason;
    this.seen = seen;
  }
}

/** What etcd itself showed of a handshake that failed. */
export interface EtcdSeen {
  /** Of `tls-name`, its certificate: SHA-256 of the DER bytes, lower-case hexadecimal. */
  certificateSha256?: string | undefined;
  /** Of `tls-client-rejected`, the alert that it sent; else it only hung up. */
  alert?: string | undefined;
}

export interface EtcdRead {
  /** A raw connection to etcd's client port, e.g. a port-forward. It is used up: destroyed at the end in any case. */
  socket: Duplex;
  /** PEM; one certificate or a bundle. */
  ca: string;
  /** The client's certificate and key, PEM, in memory only. */
  certificate: string;
  privateKey: string;
  /** A DNS name or IP address that etcd's certificate must hold. */
  serverName: string;
  /** Further ones that it must hold. */
  otherNames?: readonly string[] | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** What is read: a key, or the beginning of several. */
export interface EtcdKeyRead extends EtcdRead {
  key: string;
}

/**
 * Reads one key with a client certificate over a connection that is there already: TLS, HTTP/2, gRPC `KV/Range`.
 * Gives the value as text, or undefined when there is no such key.
 * Throws an {@link EtcdReadError}, or the signal's reason when it is aborted.
 */
export async function readKey(read: EtcdKeyRead): Promise<string | undefined> {
  return (await readPairs(read, undefined)).get(read.key);
}

/** Reads all keys that begin with `key`, as {@link readKey} does one. @returns the values by whole key */
export function readPrefix(read: EtcdKeyRead): Promise<Map<string, string>> {
  const prefix = Buffer.from(read.key);
  // etcd's end of a prefix: its last byte counted up. Keys are text, so that byte is never the highest.
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return readPairs(read, end);
}

/** The names of all users that etcd has, for a certificate of one with the role root. Throws as {@link readKey} does. */
export function readUsers(read: EtcdRead): Promise<string[]> {
  return ask(read, { path: USER_LIST_PATH, message: new Uint8Array() }, decodeUserListResponse);
}

function readPairs(read: EtcdKeyRead, rangeEnd: Uint8Array | undefined): Promise<Map<string, string>> {
  const message = encodeRangeRequest({ key: Buffer.from(read.key), rangeEnd });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
  return ask(
    read,
    { path: RANGE_PATH, message },
    (answer) => new Map(decodeRangeResponse(answer).kvs.map(({ key, value }) => [text(key), text(value)])),
  );
}

/** A gRPC method, as HTTP/2's `:path`, and its one message. */
interface Call {
  path: string;
  message: Uint8Array;
}

async function ask<T>(read: EtcdRead, request: Call, decode: (answer: Uint8Array) => T): Promise<T> {
  const clock = new AbortController();
  const timer = setTimeout(
    () => clock.abort(new EtcdReadError('timeout', `no answer within ${read.timeoutMs / 1000} s`)),
    read.timeoutMs,
  );
  const signals = read.signal ? [read.signal, clock.signal] : [clock.signal];
  const abort = () => read.socket.destroy();
  for (const signal of signals) signal.addEventListener('abort', abort);
  // After the outcome is known, whatever else the connection reports is of no interest.
  read.socket.on('error', () => undefined);
  try {
    read.signal?.throwIfAborted();
    const secured = await shakeHands(read);
    checkOtherNames(secured, read.otherNames ?? []);
    return messageIn(await call(secured, read, request), decode);
  } catch (error) {
    const aborted = signals.find((signal) => signal.aborted);
    throw aborted ? aborted.reason : error;
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
    read.socket.destroy();
  }
}

function shakeHands(read: EtcdRead): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    let secured: tls.TLSSocket;
    try {
      secured = tls.connect({
        socket: read.socket,
        ca: read.ca,
        cert: read.certificate,
        key: read.privateKey,
        // An IP address is checked against the certificate, but not sent as SNI.
        ...(isIP(read.serverName) ? { host: read.serverName } : { servername: read.serverName }),
        ALPNProtocols: ['h2'],
        // As in Go, in which the real clients are written: any certificate of the bundle is an anchor.
        allowPartialTrustChain: true,
      });
    } catch (error) {
      reject(new EtcdReadError('protocol', 'the certificate, its key or the CA is not usable', error));
      return;
    }
    secured.once('secureConnect', () => resolve(secured));
    secured.on('error', (error) => reject(handshakeError(error)));
    secured.once('close', () =>
      reject(new EtcdReadError('unavailable', 'the connection closed during the TLS handshake')),
    );
  });
}

function checkOtherNames(secured: tls.TLSSocket, names: readonly string[]): void {
  if (names.length === 0) return;
  const certificate = secured.getPeerCertificate();
  const uncovered = names.filter((name) => tls.checkServerIdentity(name, certificate) !== undefined);
  if (uncovered.length === 0) return;
  throw new EtcdReadError(
    'tls-name',
    `etcd's certificate does not hold ${uncovered.join(', ')}`,
    undefined,
    digestOf(certificate),
  );
}

const HANDSHAKE_REASONS: Readonly<Record<string, [EtcdReadReason, string]>> = {
  CERT_HAS_EXPIRED: ['tls-expired', "etcd's certificate has expired"],
  CERT_NOT_YET_VALID: ['tls-expired', "etcd's certificate is not valid yet"],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls-name', "etcd's certificate is for other names"],
};

/** What OpenSSL says of a chain that does not end in the CA, or whose signature is not the CA's. */
const UNKNOWN_CA: ReadonlySet<string> = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Of an error about names, Node tells which certificate it is about. */
function handshakeError(error: NodeJS.ErrnoException & { cert?: tls.PeerCertificate }): EtcdReadError {
  const code = error.code ?? '';
  const known = HANDSHAKE_REASONS[code];
  if (known) return new EtcdReadError(known[0], known[1], error, digestOf(error.cert));
  if (UNKNOWN_CA.has(code))
    return new EtcdReadError('tls-unknown-ca', "etcd's certificate is from a different CA", error);
  if (isAlert(error)) return clientRejected(error);
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new EtcdReadError('protocol', 'it does not speak TLS as etcd does', error);
  }
  return new EtcdReadError('unavailable', error.message, error);
}

function digestOf(certificate: tls.PeerCertificate | undefined): EtcdSeen {
  return { certificateSha256: certificate?.fingerprint256?.replaceAll(':', '').toLowerCase() };
}

/** With TLS 1.3 the client is done before the server has looked at its certificate: the alert comes later. */
function isAlert(error: NodeJS.ErrnoException): boolean {
  return /^ERR_SSL_.*ALERT/.test(error.code ?? '');
}

function clientRejected(cause?: unknown): EtcdReadError {
  const alert = /alert ([a-z ]+)/.exec(cause instanceof Error ? cause.message : '')?.[1]?.trim();
  return new EtcdReadError(
    'tls-client-rejected',
    `etcd refuses the client certificate${alert ? ` (${alert})` : ''}`,
    cause,
    { alert },
  );
}

interface Answer {
  status: number;
  message: string;
  messages: Uint8Array[];
}

function call(secured: tls.TLSSocket, read: EtcdRead, { path, message }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const host = isIP(read.serverName) === 6 ? `[${read.serverName}]` : read.serverName;
    const session = http2.connect(`https://${host}`, { createConnection: () => secured });
    let greeted = false;
    const broken = (error?: NodeJS.ErrnoException) => {
      if (error && isAlert(error)) return reject(clientRejected(error));
      // A server that takes the certificate sends its HTTP/2 settings first of all.
      if (!greeted && !read.socket.errored) return reject(clientRejected(error));
      reject(
        new EtcdReadError(
          'unavailable',
          read.socket.errored?.message ?? error?.message ?? 'the connection closed',
          error,
        ),
      );
    };
    session.once('remoteSettings', () => {
      greeted = true;
    });
    secured.on('error', broken);
    session.on('error', broken);
    session.on('close', () => broken());

    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'meshctl',
      'grpc-timeout': `${Math.ceil(read.timeoutMs)}m`,
    });
    const reader = createMessageReader();
    const messages: Uint8Array[] = [];
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on('response', (headers) => {
      head = headers;
      if (headers[':status'] !== 200 || !headers['content-type']?.startsWith('application/grpc')) {
        reject(new EtcdReadError('protocol', `it answers HTTP ${headers[':status']}, not gRPC`));
      }
    });
    stream.on('trailers', (headers) => {
      trailers = headers;
    });
    stream.on('data', (chunk: Buffer) => {
      try {
        messages.push(...reader.push(chunk));
      } catch (error) {
        reject(new EtcdReadError('protocol', (error as Error).message, error));
      }
    });
    stream.on('error', broken);
    stream.on('end', () => {
      // A call that fails at once has its status in the only headers there are.
      const status = trailers['grpc-status'] ?? head['grpc-status'];
      // Without any status, the connection's end tells why.
      if (status === undefined) return;
      const words = String(trailers['grpc-message'] ?? head['grpc-message'] ?? '');
      resolve({ status: Number(status), message: decodePercent(words), messages });
    });
    stream.end(frameMessage(message));
  });
}

const GRPC_OK = 0;
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_PERMISSION_DENIED = 7;
const GRPC_UNAUTHENTICATED = 16;
const GRPC_UNAVAILABLE = 14;

function messageIn<T>({ status, message, messages }: Answer, decode: (answer: Uint8Array) => T): T {
  if (status === GRPC_OK) {
    const [first] = messages;
    if (!first) throw new EtcdReadError('protocol', 'the answer holds no message');
    try {
      return decode(first);
    } catch (error) {
      throw new EtcdReadError('protocol', 'the answer is not readable', error);
    }
  }
  // A certificate without a common name is answered with INVALID_ARGUMENT "user name is empty".
  if (status === GRPC_PERMISSION_DENIED || status === GRPC_UNAUTHENTICATED || /user name is empty/.test(message)) {
    throw new EtcdReadError('permission-denied', message || 'etcdserver: permission denied');
  }
  if (status === GRPC_UNAVAILABLE || status === GRPC_DEADLINE_EXCEEDED) throw new EtcdReadError('unavailable', message);
  throw new EtcdReadError('protocol', `gRPC status ${status}: ${message}`);
}

/** gRPC escapes its messages as URLs do. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
