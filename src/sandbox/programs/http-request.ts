import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Datapath } from '../cilium/datapath.ts';
import type { Pod } from '../objects.ts';
import { DialError } from '../pods/network-types.ts';

export interface HttpRequest {
  url: URL;
  headers: Readonly<Record<string, string>>;
  /** For all of it; undefined waits as long as it takes. */
  timeoutMs: number | undefined;
  signal: AbortSignal;
}

/** What curl tells of a transfer. */
export interface Transfer {
  /** curl's exit code: 0, 6 no such host, 7 no connection, 28 out of time, 52 no answer. */
  exitCode: number;
  message: string;
  status: number;
  body: Buffer;
  remoteAddress: string;
  remotePort: number;
  /** Seconds since the start. */
  times: { nameLookup: number; connect: number; firstByte: number; total: number };
}

/** One HTTP request from a pod, over a connection of its own. Never rejects but when aborted. */
export async function sendRequest(
  { datapath, pod }: { datapath: Datapath; pod: Pod },
  { url, headers, timeoutMs, signal }: HttpRequest,
): Promise<Transfer> {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const transfer: Transfer = {
    exitCode: 0,
    message: '',
    status: 0,
    body: Buffer.alloc(0),
    remoteAddress: '',
    remotePort: 0,
    times: { nameLookup: 0, connect: 0, firstByte: 0, total: 0 },
  };
  const clock = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const ending = AbortSignal.any([signal, ...(clock ? [clock] : [])]);
  let socket: Socket | undefined;
  try {
    const [address = host] = datapath.resolve(pod, host);
    const port = Number(url.port || 80);
    transfer.times.nameLookup = elapsed();
    socket = await unlessEnded(datapath.connect(pod, address, port), ending, (late) => late.destroy());
    Object.assign(transfer, { remoteAddress: address, remotePort: port });
    transfer.times.connect = elapsed();
    const answer = await exchange(socket, { url, headers, signal: ending });
    transfer.times.firstByte = answer.firstByteAt - start > 0 ? (answer.firstByteAt - start) / 1000 : 0;
    await unlessEnded(datapath.answered(socket, answer.body.length), ending);
    Object.assign(transfer, { status: answer.status, body: answer.body });
  } catch (error) {
    signal.throwIfAborted();
    Object.assign(transfer, failureOf(error, { isLate: clock?.aborted ?? false, host, url, timeoutMs }));
  } finally {
    socket?.destroy();
  }
  transfer.times.total = elapsed();
  return transfer;
}

/** What is waited for, or a rejection when the signal comes first. @param onLate takes what comes all the same */
function unlessEnded<T>(waitedFor: Promise<T>, signal: AbortSignal, onLate?: (late: T) => void): Promise<T> {
  return new Promise((done, fail) => {
    const stop = () => {
      fail(signal.reason);
      waitedFor.then(onLate, () => undefined);
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    waitedFor.then(done, fail).finally(() => signal.removeEventListener('abort', stop));
  });
}

interface Answer {
  status: number;
  body: Buffer;
  firstByteAt: number;
}

function exchange(
  socket: Socket,
  { url, headers, signal }: { url: URL; headers: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<Answer> {
  return new Promise((done, fail) => {
    const request = httpRequest({
      createConnection: () => socket,
      path: url.pathname + url.search,
      headers: { host: url.host, 'user-agent': 'curl/sandbox', accept: '*/*', ...headers, connection: 'close' },
      signal,
    });
    request.once('error', fail);
    request.once('response', (response) => {
      const firstByteAt = performance.now();
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', fail);
      response.once('end', () => done({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), firstByteAt }));
    });
    request.end();
  });
}

function failureOf(
  error: unknown,
  { isLate, host, url, timeoutMs }: { isLate: boolean; host: string; url: URL; timeoutMs: number | undefined },
): { exitCode: number; message: string } {
  if (isLate) return { exitCode: 28, message: `Operation timed out after ${timeoutMs} milliseconds` };
  const code = error instanceof DialError ? error.code : undefined;
  if (code === 'ENOTFOUND') return { exitCode: 6, message: `Could not resolve host: ${host}` };
  if (code === 'ETIMEDOUT')
    return { exitCode: 28, message: `Failed to connect to ${host} port ${url.port || 80}: Timeout` };
  if (code) {
    const why = code === 'EHOSTUNREACH' ? 'No route to host' : 'Connection refused';
    return { exitCode: 7, message: `Failed to connect to ${host} port ${url.port || 80}: ${why}` };
  }
  return { exitCode: 52, message: 'Empty reply from server' };
}
