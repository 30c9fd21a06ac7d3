import type { IncomingMessage } from 'node:http';
import type { Credentials } from '../access/credentials.ts';
import type { ApiAction } from '../errors.ts';
import { warningsIn } from './http-answer.ts';
import { errorOfProtocol } from './no-answer.ts';
import { send } from './send.ts';

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
export async function exchange(
  { server, userAgent, warn }: Exchange,
  request: ApiRequest,
  login: Credentials,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { method, action } = request;
  const url = new URL(server.replace(/\/+$/, '') + request.path);
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const headers = {
    accept: 'application/json',
    'user-agent': userAgent,
    ...(body ? { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length } : {}),
    ...login.headers,
  };
  const response = await send({ method, url, headers, body }, login, signal, (status) =>
    errorOfProtocol(action, `it answers ${status} and another protocol`),
  );
  for (const text of warningsIn(response.headers.warning)) warn?.(text);
  return response;
}
