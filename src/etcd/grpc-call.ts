import http2 from 'node:http2';
import { isIP } from 'node:net';
import type tls from 'node:tls';
import type { EtcdRead } from './handshake.ts';
import { clientRejected, isAlert } from './handshake.ts';
import { EtcdReadError } from './read-error.ts';
import { createMessageReader, frameMessage } from './wire.ts';

/** A gRPC method, as HTTP/2's `:path`, and its one message. */
export interface Call {
  path: string;
  message: Uint8Array;
}

interface Answer {
  status: number;
  message: string;
  messages: Uint8Array[];
}

/**
 * One call over HTTP/2, with its answer in whole.
 * @throws EtcdReadError where there is no answer, or none of gRPC
 */
export function call(secured: tls.TLSSocket, read: EtcdRead, { path, message }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const host = isIP(read.serverName) === 6 ? `[${read.serverName}]` : read.serverName;
    const session = http2.connect(`https://${host}`, { createConnection: () => secured });
    let greeted = false;
    const broken = (error?: NodeJS.ErrnoException) => {
      if (error && isAlert(error)) return reject(clientRejected(error));
      // A server that takes the certificate sends its HTTP/2 settings first of all.
      if (!greeted && !hasFailed(read)) return reject(clientRejected(error));
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

/** Whether what leads to etcd has failed by itself; that nothing can be written any more comes of etcd's hanging up. */
function hasFailed({ socket }: EtcdRead): boolean {
  const { errored } = socket;
  return !!errored && (errored as NodeJS.ErrnoException).code !== 'ERR_STREAM_WRITE_AFTER_END';
}

const GRPC_OK = 0;

const GRPC_DEADLINE_EXCEEDED = 4;

const GRPC_PERMISSION_DENIED = 7;

const GRPC_UNAUTHENTICATED = 16;

const GRPC_UNAVAILABLE = 14;

/** The one message of an answer. @throws EtcdReadError by gRPC's status, or where it cannot be decoded */
export function messageIn<T>({ status, message, messages }: Answer, decode: (answer: Uint8Array) => T): T {
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
