import { PassThrough } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { ExecSession } from './exec.ts';

/** The subprotocols of exec, the best first. v5 adds that the client can close its stdin. */
export const EXEC_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const STDIN = 0;
const CHANNELS = { stdout: 1, stderr: 2, status: 3 };
const CLOSE = 255;

/** The bytes of a WebSocket message. */
export function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** An exec session over a WebSocket: each message is a channel's number and bytes. */
export function webSocketExecSession(socket: WebSocket): ExecSession {
  const stdin = new PassThrough();
  const aborted = new AbortController();
  const send = (channel: number, bytes: Buffer): void => socket.send(Buffer.concat([Buffer.of(channel), bytes]));
  socket.on('message', (data) => {
    const message = bytesOf(data);
    if (message[0] === STDIN) stdin.write(message.subarray(1));
    else if (message[0] === CLOSE && message[1] === STDIN) stdin.end();
  });
  socket.on('close', () => {
    stdin.end();
    aborted.abort();
  });
  socket.on('error', () => socket.terminate());
  // kubectl takes an empty first message of each stream as the sign that it is connected.
  for (const channel of Object.values(CHANNELS)) send(channel, Buffer.alloc(0));
  return {
    stdin,
    signal: aborted.signal,
    send: (stream, chunk) => send(CHANNELS[stream], chunk),
    finish: (status) => {
      if (aborted.signal.aborted) return;
      send(CHANNELS.status, Buffer.from(JSON.stringify(status)));
      socket.close(1000);
    },
  };
}
