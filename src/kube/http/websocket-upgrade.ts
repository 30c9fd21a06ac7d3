import { WebSocket } from 'ws';
import type { Credentials } from '../access/credentials.ts';
import { bodyText, headOf } from './http-answer.ts';

const MAX_WEBSOCKET_MESSAGE_BYTES = 32 * 1024 * 1024;

/** What came of asking for a WebSocket. */
export interface Upgrade {
  status: number;
  retryAfter?: string | undefined;
  socket?: WebSocket;
  text?: string;
}

/** Asks for a WebSocket, which is paused until the caller listens; an answer that is none is a result too. */
export function upgrade(
  url: string,
  protocols: string[],
  login: Credentials,
  userAgent: string,
  signal: AbortSignal,
): Promise<Upgrade> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, {
      agent: login.agent,
      // ws hands both on to node:http; its types leave multiple values of a header out.
      headers: { 'user-agent': userAgent, ...(login.headers as Record<string, string>) },
      ...(login.auth ? { auth: login.auth } : {}),
      perMessageDeflate: false,
      maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
    });
    const abort = () => {
      reject(signal.reason);
      socket.terminate();
    };
    const settle = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('open', () => {
      // Frames may have come together with the answer: nothing is read until the caller listens.
      socket.pause();
      settle();
      resolve({ status: 101, socket });
    });
    socket.once('unexpected-response', (_request, response) => {
      bodyText(response)
        .then((text) => resolve({ ...headOf(response), text }), reject)
        .finally(() => {
          settle();
          socket.terminate();
        });
    });
    socket.on('error', (error) => {
      settle();
      reject(error);
    });
  });
}
