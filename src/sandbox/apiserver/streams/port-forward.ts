import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { PodRuntime } from '../api.ts';
import { badRequest } from '../errors.ts';
import { bytesOf } from './exec-websocket.ts';

/** The subprotocol of port forwarding over plain WebSocket channels. */
export const PORT_FORWARD_PROTOCOLS: readonly string[] = ['v4.channel.k8s.io'];

const LAST_PORT = 65535;

/** The ports that a request asks for. Throws 400. */
export function requestedPorts(query: URLSearchParams): number[] {
  const ports = query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map(Number);
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  const wrong = ports.find((port) => !Number.isInteger(port) || port < 1 || port > LAST_PORT);
  if (wrong !== undefined) throw badRequest(`unable to parse ports: ${wrong}`);
  return ports;
}

/**
 * Carries connections to ports of a pod over a WebSocket. Port i has channel 2i for data and 2i+1 for errors; the first
 * message of each channel is the port, two bytes, low first.
 */
export function forwardPorts(
  runtime: PodRuntime,
  place: { namespace: string; pod: string },
  ports: readonly number[],
  socket: WebSocket,
): void {
  const connections = new Map<number, Duplex | Promise<Duplex>>();
  const send = (channel: number, bytes: Buffer): void => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.concat([Buffer.of(channel), bytes]));
  };
  const portBytes = (port: number): Buffer => Buffer.of(port & 0xff, port >> 8);

  const open = async (port: number, index: number): Promise<void> => {
    const [data, errors] = [index * 2, index * 2 + 1];
    send(data, portBytes(port));
    send(errors, portBytes(port));
    const connecting = runtime.portForward(place.namespace, place.pod, port);
    connections.set(data, connecting);
    try {
      const connection = await connecting;
      connections.set(data, connection);
      if (socket.readyState !== socket.OPEN) {
        connection.destroy();
        return;
      }
      connection.on('data', (chunk: Buffer) => send(data, chunk));
      connection.on('error', (error) => send(errors, failure(port, place.pod, error)));
      connection.on('close', () => socket.close(1000));
    } catch (error) {
      send(errors, failure(port, place.pod, error));
      socket.close(1000);
    }
  };

  socket.on('message', (message) => {
    const bytes = bytesOf(message);
    const connection = connections.get(bytes[0] ?? -1);
    // What arrives before the connection stands waits for it, in order.
    Promise.resolve(connection).then(
      (open) => open?.write(bytes.subarray(1)),
      () => undefined,
    );
  });
  socket.on('close', () => {
    for (const connection of connections.values()) {
      Promise.resolve(connection).then(
        (open) => open.destroy(),
        () => undefined,
      );
    }
  });
  socket.on('error', () => socket.terminate());
  ports.forEach((port, index) => void open(port, index));
}

/** What the error channel says. */
export function failure(port: number, pod: string, error: unknown): Buffer {
  const reason = error instanceof Error ? error.message : String(error);
  return Buffer.from(`error forwarding port ${port} to pod ${pod}: ${reason}`);
}
