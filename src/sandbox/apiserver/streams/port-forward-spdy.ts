import type { Duplex } from 'node:stream';
import type { PodRuntime } from '../api.ts';
import { failure } from './port-forward.ts';
import { type SpdyStream, serveSpdy } from './spdy.ts';

/** The protocol of port forwarding over SPDY. */
export const SPDY_PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** The same, tunnelled through a WebSocket, as kubectl does since 1.30. */
export const TUNNELED_PORT_FORWARD_PROTOCOL = `SPDY/3.1+${SPDY_PORT_FORWARD_PROTOCOL}`;

/** Carries connections to ports of a pod: for each the client opens an error and a data stream with one request id. */
export function forwardPortsOverSpdy(
  runtime: PodRuntime,
  place: { namespace: string; pod: string },
  socket: Duplex,
  head: Buffer,
): void {
  const waiting = new Map<string, SpdyStream>();
  const connections = new Set<Duplex>();

  const connect = async (data: SpdyStream, errors: SpdyStream): Promise<void> => {
    const port = Number(data.headers.get('port'));
    const finish = (error?: unknown): void => {
      if (error !== undefined) errors.write(failure(port, place.pod, error));
      errors.end();
      data.end();
    };
    try {
      const connection = await runtime.portForward(place.namespace, place.pod, port);
      connections.add(connection);
      connection.on('data', (chunk: Buffer) => data.write(chunk));
      connection.on('end', () => finish());
      connection.on('error', finish);
      connection.on('close', () => {
        connections.delete(connection);
        finish();
      });
      data.input.pipe(connection);
    } catch (error) {
      data.input.resume();
      finish(error);
    }
  };

  serveSpdy(socket, head, (stream) => {
    const type = stream.headers.get('streamtype');
    const requestId = stream.headers.get('requestid') ?? '';
    const other = waiting.get(requestId);
    if (type === 'error') stream.input.resume();
    if (!other) waiting.set(requestId, stream);
    else {
      waiting.delete(requestId);
      void (type === 'data' ? connect(stream, other) : connect(other, stream));
    }
  });
  socket.on('close', () => {
    for (const connection of connections) connection.destroy();
  });
}
