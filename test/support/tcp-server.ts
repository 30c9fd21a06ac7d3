import net, { type AddressInfo } from 'node:net';

/** A TCP server on loopback, for what is no API server. */
export interface TcpServer {
  port: number;
  /** How many connections there were at most at once, since it was last set to 0. */
  most: number;
  /** Ends its connections, too. */
  close(): Promise<void>;
}

/** @param onConnection default: it takes what comes and says nothing */
export async function startTcpServer(
  onConnection: (socket: net.Socket) => void = (socket) => socket.resume(),
): Promise<TcpServer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    tcp.most = Math.max(tcp.most, sockets.size);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tcp: TcpServer = {
    port: (server.address() as AddressInfo).port,
    most: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return tcp;
}
