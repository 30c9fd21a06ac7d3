import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection to what listens for a pod; as Go's programs have it, small packets are sent at once. */
export async function dialLoopback(realPort: number): Promise<Socket> {
  const socket = connect({ port: realPort, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}
