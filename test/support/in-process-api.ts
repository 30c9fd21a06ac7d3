/**
 * Requests of this process to the API servers of its own sandboxes, without a socket between: HTTP on both sides cost a command
 * line of a test more than what it did. What is about HTTP, TLS, proxies or logins has servers of its own, or `proxied: false`.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { OutgoingMessage } from '../../src/kube/http/send.ts';
import type { Upgrade } from '../../src/kube/http/websocket-upgrade.ts';
import type { RequestHandlers } from '../../src/sandbox/apiserver/api.ts';
import { toApiError } from '../../src/sandbox/apiserver/errors.ts';

/** Files of one worker share modules, and a module that was loaded for an earlier file asks here too. */
const shared = globalThis as {
  meshctlTestServers?: Map<string, RequestHandlers>;
  meshctlTestClocks?: Map<RequestHandlers, number>;
  meshctlTestRefusals?: Map<RequestHandlers, IsRefused>;
};
shared.meshctlTestServers ??= new Map();
shared.meshctlTestClocks ??= new Map();
shared.meshctlTestRefusals ??= new Map();
const servers = shared.meshctlTestServers;
/** How far the clocks of servers are ahead, in milliseconds. */
const clocks = shared.meshctlTestClocks;
const refusals = shared.meshctlTestRefusals;

/** From now on, requests to this URL take the short way. */
export function serveInProcess(url: string, handlers: RequestHandlers): void {
  servers.set(new URL(url).host, handlers);
}

export function forgetInProcess(url: string): void {
  const { host } = new URL(url);
  const handlers = servers.get(host);
  if (handlers) {
    clocks.delete(handlers);
    refusals.delete(handlers);
  }
  servers.delete(host);
}

/** From now on, the answers of this server tell such a time. @param aheadMs how far its clock is ahead; below zero, behind */
export function showClock(url: string, aheadMs: number): void {
  const handlers = servers.get(new URL(url).host);
  if (!handlers) throw new Error(`no server in this process for ${url}`);
  clocks.set(handlers, aheadMs);
}

/** Whether a server takes no connection for a request. */
type IsRefused = (request: Pick<OutgoingMessage, 'method' | 'url'>) => boolean;

/** From now on, this server takes a connection only where that lets it. */
export function refuseWhere(url: string, isRefused: IsRefused): void {
  const handlers = servers.get(new URL(url).host);
  if (!handlers) throw new Error(`no server in this process for ${url}`);
  refusals.set(handlers, isRefused);
}

/** Like a socket to a port where no one listens. */
function requireTaken(handlers: RequestHandlers, request: Pick<OutgoingMessage, 'method' | 'url'>): void {
  if (refusals.get(handlers)?.(request))
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
}

/** Undefined where a request has to take the long way, also to a server that has ended. */
export function handlersOf(url: URL): RequestHandlers | undefined {
  const handlers = servers.get(url.host);
  return handlers?.isListening() ? handlers : undefined;
}

export interface InProcessRequest extends OutgoingMessage {
  signal: AbortSignal;
}

/** Like a socket that has been closed at the other end. */
function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}

/** Stands for the connection of one request. */
class Line extends EventEmitter {
  destroyed = false;

  destroy(): this {
    if (!this.destroyed) {
      this.destroyed = true;
      this.emit('close');
    }
    return this;
  }
}

/** As the server's handlers read a request. */
function incoming({ method, url, headers, body }: InProcessRequest, socket: Line): IncomingMessage {
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
  const request = {
    method,
    url: url.pathname + url.search,
    headers: Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')])),
    get headersDistinct() {
      return Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), [value].flat().map(String)]));
    },
    complete: true,
    socket,
    async *[Symbol.asyncIterator]() {
      if (body) yield body;
    },
  };
  return request as unknown as IncomingMessage;
}

/** As the client's reader sees an answer. */
class Answer extends Readable {
  statusCode = 200;
  headers: Record<string, string> = {};
  private whole: Buffer | undefined;

  /** All of the body at once, as that of most answers is: it needs none of a stream's ways unless somebody reads it as one. */
  endWith(whole: Buffer): void {
    this.whole = whole;
  }

  private takeWhole(): Buffer | undefined {
    const { whole } = this;
    this.whole = undefined;
    return whole;
  }

  override _read(): void {
    const whole = this.takeWhole();
    if (whole === undefined) return;
    this.push(whole);
    this.push(null);
  }

  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    const whole = this.destroyed ? undefined : this.takeWhole();
    return whole ? this.alone(whole) : super[Symbol.asyncIterator]();
  }

  private async *alone(whole: Buffer): AsyncGenerator<Buffer, undefined> {
    try {
      yield whole;
    } finally {
      this.destroy();
    }
    return undefined;
  }
}

/** As the server's handlers write an answer; the head is on its way with the first bytes of the body. */
class Reply extends EventEmitter {
  headersSent = false;
  private isFlushed = false;
  private readonly head: Record<string, string> = {};
  private readonly answer: Answer;
  private readonly onHead: (answer: Answer) => void;

  constructor(answer: Answer, onHead: (answer: Answer) => void) {
    super();
    this.answer = answer;
    this.onHead = onHead;
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    this.head[name.toLowerCase()] = [value].flat().join(', ');
    return this;
  }

  writeHead(status: number, headers: Record<string, number | string> = {}): this {
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    this.answer.statusCode = status;
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.isFlushed = true;
    this.answer.headers = this.head;
    this.onHead(this.answer);
  }

  write(chunk: Buffer | string): boolean {
    this.flushHeaders();
    if (!this.answer.destroyed) this.answer.push(chunk);
    return true;
  }

  end(chunk?: Buffer | string): this {
    if (Buffer.isBuffer(chunk) && !this.isFlushed) {
      this.answer.endWith(chunk);
      this.flushHeaders();
      return this;
    }
    if (chunk === undefined) this.flushHeaders();
    else this.write(chunk);
    if (!this.answer.destroyed) this.answer.push(null);
    return this;
  }
}

/** One exchange up to the answer's head, as `send` of src/kube/http. */
export async function exchangeInProcess(
  handlers: RequestHandlers,
  request: InProcessRequest,
): Promise<IncomingMessage> {
  const { signal } = request;
  requireTaken(handlers, request);
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const line = new Line();
    const answer = new Answer();
    const reply = new Reply(answer, (head) => resolve(head as unknown as IncomingMessage));
    reply.setHeader('date', new Date(Date.now() + (clocks.get(handlers) ?? 0)).toUTCString());
    const abort = () => {
      reject(signal.reason);
      answer.destroy(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    line.once('close', () => {
      if (answer.readableEnded || answer.destroyed) return;
      reject(hangUp());
      answer.destroy(hangUp());
    });
    // Whoever reads it sees the error too.
    answer.on('error', () => undefined);
    answer.once('close', () => {
      signal.removeEventListener('abort', abort);
      reply.emit('close');
      line.destroy();
    });
    setImmediate(() => handlers.serve(incoming(request, line), reply as unknown as ServerResponse));
  });
}

const OPEN = 1;
const CLOSED = 3;
const GOING_AWAY = Symbol('the other end is gone');

/** One end of an open WebSocket. What is sent arrives at the other end in a later turn, in order. */
class WebSocketEnd extends EventEmitter {
  readonly OPEN = OPEN;
  readyState = OPEN;
  other: WebSocketEnd | undefined;
  private readonly inbox: (Buffer | typeof GOING_AWAY)[] = [];
  private isPaused = false;
  private isDue = false;

  static pair(): [WebSocketEnd, WebSocketEnd] {
    const [one, two] = [new WebSocketEnd(), new WebSocketEnd()];
    one.other = two;
    two.other = one;
    return [one, two];
  }

  send(bytes: Buffer, done?: (error?: Error) => void): void {
    if (this.readyState !== OPEN) {
      done?.(new Error('WebSocket is not open'));
      return;
    }
    this.other?.receive(Buffer.from(bytes));
    if (done) setImmediate(done);
  }

  close(): void {
    this.terminate();
  }

  terminate(): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSED;
    this.other?.receive(GOING_AWAY);
    setImmediate(() => this.emit('close'));
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.schedule();
  }

  private receive(message: Buffer | typeof GOING_AWAY): void {
    this.inbox.push(message);
    this.schedule();
  }

  private schedule(): void {
    if (this.isDue || this.isPaused || this.inbox.length === 0) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.deliver();
    });
  }

  private deliver(): void {
    while (this.readyState === OPEN && !this.isPaused) {
      const message = this.inbox.shift();
      if (message === undefined) return;
      if (message !== GOING_AWAY) this.emit('message', message);
      else {
        this.readyState = CLOSED;
        this.emit('close');
      }
    }
  }
}

/** The client's end of a WebSocket of this process, by the server's; undefined for one that goes over a network. */
export function otherEndOf(end: WebSocket): object | undefined {
  return (end as Partial<Pick<WebSocketEnd, 'other'>>).other;
}

/** Asks for a WebSocket, as `upgrade` of src/kube/http. */
export async function upgradeInProcess(
  handlers: RequestHandlers,
  request: Omit<InProcessRequest, 'method'>,
): Promise<Upgrade> {
  const { signal } = request;
  signal.throwIfAborted();
  requireTaken(handlers, { ...request, method: 'GET' });
  const line = new Line();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  try {
    const serve = await Promise.race([handlers.open(incoming({ ...request, method: 'GET' }, line)), aborted]);
    if (!serve) throw hangUp();
    const [client, server] = WebSocketEnd.pair().map((end) => end as unknown as WebSocket) as [WebSocket, WebSocket];
    client.pause();
    serve(server);
    return { status: 101, socket: client };
  } catch (error) {
    if (signal.aborted || (error as NodeJS.ErrnoException).code === 'ECONNRESET') throw error;
    const refusal = toApiError(error);
    return { status: refusal.code, text: JSON.stringify(refusal.toStatus()) };
  }
}
