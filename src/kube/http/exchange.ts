import http from 'node:http';
import https from 'node:https';
import { errorOfAbort } from '../../mesh/errors.ts';
import type { Credentials } from '../access/credentials.ts';
import type { ApiAction } from '../errors.ts';
import { warningsIn } from './http-answer.ts';
import { errorOfProtocol } from './no-answer.ts';

/** One request to the API server. */
export interface ApiRequest {
  action: ApiAction;
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query. */
  path: string;
  body?: unknown;
  contentType?: string;
  /** Whether it may be repeated when it is not known to have failed. */
  idempotent: boolean;
  /**
   * It changes something. Once it has been sent, its signal does not cut it off: whether it was carried out would not be
   * known, and what comes late undoes the rollback. It ends with its answer or with the time for one request.
   */
  stores?: boolean | undefined;
  /** Told before each attempt: from then on it may be carried out. */
  onSend?: (() => void) | undefined;
  /** Statuses that the caller takes as data; all others from 400 on are errors. */
  expectedStatuses?: readonly number[];
  /** Aborts this request; replaces the client's own signal. */
  signal?: AbortSignal | undefined;
}

/** What is the same for each exchange with an API server. */
export interface Exchange {
  server: string;
  userAgent: string;
  /** Gets what the API server warns of (`Warning` headers, RFC 7234). */
  warn?: ((text: string) => void) | undefined;
}

/**
 * One HTTP exchange up to the response's head, whatever its status.
 * @throws the error of Node's socket, or what aborted the signal
 */
export function exchange(
  { server, userAgent, warn }: Exchange,
  request: ApiRequest,
  login: Credentials,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const url = new URL(server.replace(/\/+$/, '') + request.path);
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const send = url.protocol === 'http:' ? http.request : https.request;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method: request.method,
      agent: login.agent,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...(body ? { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length } : {}),
        ...login.headers,
      },
      ...(login.auth ? { auth: login.auth } : {}),
    });
    // Rejected here too: a request that still waits for its connection, e.g. for a proxy's answer, is not heard of.
    const abort = () => {
      reject(errorOfAbort(signal));
      outgoing.destroy(errorOfAbort(signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    outgoing.once('response', (response) => {
      for (const text of warningsIn(response.headers.warning)) warn?.(text);
      resolve(response);
    });
    outgoing.once('upgrade', (response, socket) => {
      socket.destroy();
      reject(errorOfProtocol(request.action, `it answers ${response.statusCode} and another protocol`));
    });
    // Stays on: an abort after the response is reported here too, and the body's reader sees it as well.
    outgoing.on('error', reject);
    outgoing.once('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('the connection was closed before an answer'));
    });
    outgoing.end(body);
  });
}
