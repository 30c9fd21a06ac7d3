import http from 'node:http';
import https from 'node:https';
import { errorOfAbort } from '../../mesh/errors.ts';
import type { Credentials } from '../access/credentials.ts';

/** A request as it goes over the wire. */
export interface OutgoingMessage {
  method: string;
  url: URL;
  headers: http.OutgoingHttpHeaders;
  body?: Buffer | undefined;
}

/**
 * Sends a request and waits for the head of its answer.
 * @param notHttp makes the error for an answer that switches to another protocol
 * @throws the error of Node's socket, or what aborted the signal
 */
export function send(
  { method, url, headers, body }: OutgoingMessage,
  login: Credentials,
  signal: AbortSignal,
  notHttp: (status: number | undefined) => Error,
): Promise<http.IncomingMessage> {
  const request = url.protocol === 'http:' ? http.request : https.request;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      agent: login.agent,
      headers,
      ...(login.auth ? { auth: login.auth } : {}),
    });
    // Rejected here too: a request that still waits for its connection, e.g. for a proxy's answer, is not heard of.
    const abort = () => {
      reject(errorOfAbort(signal));
      outgoing.destroy(errorOfAbort(signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    outgoing.once('response', resolve);
    outgoing.once('upgrade', (response, socket) => {
      socket.destroy();
      reject(notHttp(response.statusCode));
    });
    // Stays on: an abort after the response is reported here too, and the body's reader sees it as well.
    outgoing.on('error', (error) => {
      const { socket } = outgoing;
      const isConnecting =
        socket?.connecting || (socket as { secureConnecting?: boolean } | null)?.secureConnecting === true;
      reject(isConnecting ? Object.assign(error, { isConnecting }) : error);
    });
    outgoing.once('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('the connection was closed before an answer'));
    });
    outgoing.end(body);
  });
}
