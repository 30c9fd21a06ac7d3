import type { Duplex } from 'node:stream';
import type { ExecParameters, ExecSession } from './exec.ts';
import { type SpdyStream, serveSpdy } from './spdy.ts';

/** The protocol of exec over SPDY: a stream each for stdin, stdout, stderr, the final status, and a terminal's size. */
export const SPDY_EXEC_PROTOCOL = 'v4.channel.k8s.io';

/** An exec session over SPDY; resolves once the client has opened its streams. Rejects if it goes before. */
export function spdyExecSession(socket: Duplex, head: Buffer, parameters: ExecParameters): Promise<ExecSession> {
  const expected = ['error', 'stdin', 'stdout', 'stderr'].filter(
    (type) => type === 'error' || parameters[type as 'stdin' | 'stdout' | 'stderr'],
  );
  if (parameters.tty) expected.push('resize');
  const streams = new Map<string, SpdyStream>();
  const aborted = new AbortController();
  return new Promise((resolve, reject) => {
    const connection = serveSpdy(socket, head, (stream) => {
      const type = stream.headers.get('streamtype') ?? '';
      streams.set(type, stream);
      if (type !== 'stdin') stream.input.resume();
      if (!expected.every((name) => streams.has(name))) return;
      resolve({
        stdin: streams.get('stdin')?.input ?? stream.input,
        signal: aborted.signal,
        send: (name, chunk) => streams.get(name)?.write(chunk),
        finish: (status) => {
          streams.get('error')?.write(Buffer.from(JSON.stringify(status)));
          for (const open of streams.values()) open.end();
          connection.close();
        },
      });
    });
    socket.on('close', () => {
      aborted.abort();
      reject(new Error('the client closed the connection before its streams were open'));
    });
  });
}
