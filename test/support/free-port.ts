import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what Linux (32768 up) and macOS (49152 up) give to those who ask for any port and to outgoing connections: a port of
 * that range that is free now can be somebody's before the program that is told of it listens.
 */
const FIRST = 15_000;
const END = 32_768;

/** A port of 127.0.0.1 that nobody listens on now, nor gets unasked: for programs that have to be told theirs. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
