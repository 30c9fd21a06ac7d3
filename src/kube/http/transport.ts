import type http from 'node:http';
import pLimit from 'p-limit';
import type { WebSocket } from 'ws';
import type { Clock } from '../../mesh/clock.ts';
import { errorOfAbort, MeshctlError } from '../../mesh/errors.ts';
import type { CredentialSource, Credentials } from '../access/credentials.ts';
import { errorOfRefusal } from '../errors.ts';
import { type ApiRequest, type Exchange, exchange } from './exchange.ts';
import { bodyText, headOf, redirectTarget } from './http-answer.ts';
import { type LinkedSignal, linkSignals, signalOfWork } from './linked-signal.ts';
import { errorOfProtocol, errorOfTimeout, errorOfTransport, isCutWhileConnecting } from './no-answer.ts';
import { type RetryPolicy, retryDelayMs } from './retry.ts';
import { upgrade } from './websocket-upgrade.ts';

export interface ApiResponse {
  status: number;
  /** Parsed JSON. */
  body: unknown;
}

/** `act`: it changes something, or gets into a pod. */
export type RequestKind = 'read' | 'act';

/** HTTP to one API server: credentials, retries, time limits and the translation of errors, for all requests alike. */
export interface Transport {
  request(request: ApiRequest): Promise<ApiResponse>;
  /** A response whose body is still to come; `signal` ends it at any time. For watches. */
  stream(request: ApiRequest): Promise<http.IncomingMessage>;
  /** An open WebSocket, paused until the caller listens and calls `resume()`. */
  openWebSocket(request: Pick<ApiRequest, 'action' | 'path' | 'signal'>, protocols: string[]): Promise<WebSocket>;
  /** The signal that holds for a request, or for what it has opened; to be unlinked in the end. */
  signalOf(own: AbortSignal | undefined): LinkedSignal;
  close(): void;
}

export interface TransportOptions extends Exchange {
  /** The same for messages, without a password. */
  shown: string;
  credentials: CredentialSource;
  /** For a whole request, body included; of a stream, for its headers. */
  requestTimeoutMs: number;
  signal: AbortSignal;
  retry: RetryPolicy;
  clock: Pick<Clock, 'sleep'>;
  /** Gets the time of the API server, by each answer that says. */
  onClock?: ((date: Date) => void) | undefined;
  /** Gets one line per attempt: method, URL, outcome, time. Never headers or bodies. */
  debug?: ((line: string, kind: RequestKind) => void) | undefined;
}

/** What a request runs under. */
interface Limits {
  signal: AbortSignal;
  /** Ends an attempt; of one that stores something, the caller's wish does not. */
  ofAttempt: AbortSignal;
  logIn(): Promise<Credentials>;
}

/**
 * HTTP/1.1 takes a connection for each request that is under way, and a new one costs both sides more than most requests: a
 * cluster is read by a few, one after the other. What stays open (watches, exec, port-forward) takes no place, and the time for
 * one request begins when it has its own.
 */
const REQUESTS_AT_A_TIME = 8;

/** HTTP to one API server. Nothing is sent until the first request. */
export function createTransport(options: TransportOptions): Transport {
  const base = options.server.replace(/\/+$/, '');
  const { credentials } = options;
  const place = pLimit(REQUESTS_AT_A_TIME);

  /**
   * Asks until an answer stands. `attempt` resolves with the answer's head, whatever its status.
   * @returns `repeated`: an earlier attempt may have been carried out too
   */
  async function answered<T extends { status: number; retryAfter?: string | undefined }>(
    request: Pick<ApiRequest, 'action' | 'idempotent' | 'path' | 'stores'> & { method: string },
    { signal, logIn }: Limits,
    attempt: (login: Credentials) => Promise<T>,
    discard: (answer: T) => void,
  ): Promise<T & { repeated: boolean; login: Credentials }> {
    let renewed = false;
    let repeated = false;
    for (let count = 1; ; count++) {
      if (signal.aborted) throw errorOfAbort(signal);
      const login = await logIn();
      const startedMs = performance.now();
      // Only what may be stored says whether it is: of a deletion the path does not tell.
      const isTrial = request.stores === false ? ' (a dry run)' : '';
      const note = (outcome: unknown) =>
        options.debug?.(
          `${request.method} ${options.shown}${shownPath(request.path)} ${outcome} ${Math.round(performance.now() - startedMs)} ms${isTrial}`,
          request.method !== 'GET' || request.action.resource?.startsWith('pods/') ? 'act' : 'read',
        );
      let waitMs: number | undefined;
      try {
        const answer = await attempt(login);
        note(answer.status);
        if (answer.status === 401 && !renewed && credentials.renew(login)) {
          renewed = true;
          waitMs = 0;
        } else {
          const outcome = { kind: 'response' as const, status: answer.status, retryAfter: answer.retryAfter };
          waitMs = retryDelayMs(outcome, { attempt: count, idempotent: request.idempotent, policy: options.retry });
        }
        if (waitMs === undefined) return { ...answer, repeated, login };
        repeated ||= answer.status >= 500;
        discard(answer);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const ended = signal.aborted ? errorOfAbort(signal) : undefined;
        note(ended ? endedWords(ended) : (code ?? 'failed'));
        if (ended) throw ended;
        waitMs = retryDelayMs(
          { kind: 'error', code },
          { attempt: count, idempotent: request.idempotent, policy: options.retry },
        );
        if (waitMs === undefined) throw withRepeated(errorOfTransport(request.action, error), repeated);
        repeated ||= !isCutWhileConnecting(error);
      }
      await options.clock.sleep(waitMs, signal);
    }
  }

  /** Of an answer that does not tell the time, this machine's stands for the server's. */
  function refusal(
    request: ApiRequest,
    { status, login, dateMs = Date.now() }: { status: number; login: Credentials; dateMs?: number | undefined },
    body: string,
  ): MeshctlError {
    const identity = { auth: credentials.auth, certificateTime: login.certificateTime };
    return errorOfRefusal(request.action, { status, body, at: new Date(dateMs) }, identity);
  }

  /** Closing ends what is still under way, e.g. the other requests of a pass that has failed. */
  const closed = new AbortController();
  const signalOf = (own: AbortSignal | undefined) => linkSignals(own ?? options.signal, closed.signal);

  /** The run's, and those of other works that have asked already. */
  const known = new WeakSet([signalOfWork(options.signal)]);

  /**
   * What has a signal of its own takes a run back or tidies up after it: a login that failed for the run does not stand for
   * that, which tries it once itself. All else is told the same failure for a while, so that a plugin is not run for each request.
   */
  function tryAnewForOwnWork(own: AbortSignal): void {
    const work = signalOfWork(own);
    if (known.has(work)) return;
    known.add(work);
    credentials.tryAgain();
  }

  /**
   * Runs one request under what may end it: the caller's wish, closing, and the time for one request. A login has a time of
   * its own, so that an API server is not blamed for a slow plugin.
   */
  async function limited<T>(
    { action, signal: own = options.signal, stores = false }: Pick<ApiRequest, 'action' | 'signal' | 'stores'>,
    work: (limits: Limits) => Promise<T>,
  ): Promise<T> {
    const all = linkSignals(own, closed.signal);
    const links = stores ? [all, linkSignals(closed.signal)] : [all];
    const [, ofAttempt = all] = links;
    const time = stopwatch(options.requestTimeoutMs, () => {
      for (const link of links) link.abort(errorOfTimeout(action, options.requestTimeoutMs));
    });
    const logIn = async () => {
      time.halt();
      tryAnewForOwnWork(own);
      try {
        return await credentials.get(all.signal);
      } finally {
        time.run();
      }
    };
    try {
      return await work({ signal: all.signal, ofAttempt: ofAttempt.signal, logIn });
    } finally {
      time.halt();
      for (const link of links) link.unlink();
    }
  }

  return {
    signalOf,

    request: (request) =>
      place(() =>
        limited(request, async (limits) => {
          const answer = await answered(
            request,
            limits,
            async (login) => {
              request.onSend?.();
              const response = await exchange(options, request, login, limits.ofAttempt);
              const head = headOf(response);
              if (head.dateMs !== undefined) options.onClock?.(new Date(head.dateMs));
              return { ...head, text: await bodyText(response) };
            },
            () => undefined,
          );
          if (answer.status >= 400 && !request.expectedStatuses?.includes(answer.status)) {
            throw withRepeated(refusal(request, answer, answer.text), answer.repeated);
          }
          if (answer.status >= 300 && answer.status < 400) {
            throw errorOfProtocol(request.action, `it redirects to ${redirectTarget(answer.location)}`);
          }
          return { status: answer.status, body: parseBody(request, answer) };
        }),
      ),

    async stream(request) {
      // Outlives the request: whoever reads the body may be told to stop.
      const own = signalOf(request.signal);
      try {
        const response = await limited({ ...request, signal: own.signal }, async (limits) => {
          const answer = await answered(
            request,
            limits,
            async (login) => {
              const response = await exchange(options, request, login, limits.signal);
              return { ...headOf(response), response };
            },
            (answer) => answer.response.resume(),
          );
          if (answer.status >= 400) throw refusal(request, answer, await bodyText(answer.response));
          return answer.response;
        });
        const stop = () => response.destroy(errorOfAbort(own.signal));
        own.signal.addEventListener('abort', stop, { once: true });
        response.once('close', own.unlink);
        if (own.signal.aborted) stop();
        return response;
      } catch (error) {
        own.unlink();
        throw error;
      }
    },

    openWebSocket: (request, protocols) =>
      limited(request, async (limits) => {
        const get: ApiRequest = { ...request, method: 'GET', idempotent: true };
        const answer = await answered(
          get,
          limits,
          (login) =>
            upgrade(
              `${base.replace(/^http/, 'ws')}${request.path}`,
              protocols,
              login,
              options.userAgent,
              limits.signal,
            ),
          () => undefined,
        );
        if (answer.socket) return answer.socket;
        if (answer.status < 400)
          throw errorOfProtocol(request.action, `it answers ${answer.status} instead of opening a WebSocket`);
        throw refusal(get, answer, answer.text ?? '');
      }),

    close() {
      closed.abort(new MeshctlError('Interrupted', 'the connection to the cluster was closed'));
      credentials.close();
    },
  };
}

/** Why an attempt was ended from here, by its time or whoever made it: that is no answer, nor the operator's Ctrl-C. */
function endedWords({ code, message }: MeshctlError): string {
  if (code === 'Timeout') return 'ended by its time limit';
  return message === 'interrupted' ? 'interrupted' : `ended: ${message}`;
}

/** Says in an error's details that it is not about the first attempt, of which there was no answer. */
function withRepeated(error: MeshctlError, repeated: boolean): MeshctlError {
  if (repeated) error.details.repeated = true;
  return error;
}

function parseBody(request: ApiRequest, answer: { status: number; text: string }): unknown {
  if (answer.text === '') return undefined;
  try {
    return JSON.parse(answer.text);
  } catch {
    if (answer.status >= 400) return undefined;
    throw errorOfProtocol(request.action, 'the answer is not JSON');
  }
}

/** Calls when so much time has gone by between `run` and `halt`. */
function stopwatch(ms: number, onEnd: () => void): { run(): void; halt(): void } {
  let leftMs = ms;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    run() {
      since = performance.now();
      timer = setTimeout(onEnd, leftMs);
    },
    halt() {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      leftMs = Math.max(0, leftMs - (performance.now() - since));
    },
  };
}

/** Of a word of a program that is run in a pod, at most. */
const MOST_OF_A_WORD = 120;

/** A path as it is shown: of a long word (a whole program, say) its beginning, since the rest hides what is done. */
function shownPath(path: string): string {
  return path.replace(/([?&]command=)([^&]+)/g, (whole, key: string, word: string) =>
    word.length > MOST_OF_A_WORD ? `${key}${word.slice(0, MOST_OF_A_WORD / 3)}…` : whole,
  );
}
