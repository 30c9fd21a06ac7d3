import net, { type AddressInfo } from 'node:net';

/** A TCP server on loopback, for what is no API server. */
export interface TcpServer {
  port: number;
  /** Ends its connections, too. */
  close(): Promise<void>;
}

/** @param onConnection default: it takes what comes and says nothing */
export async function startTcpServer(
  onConnection: (socket: net.Socket) => void = (socket) => socket.resume(),
): Promise<TcpServer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
