import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { podIps } from '../objects.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import type { ContainerContext } from '../pods/process.ts';

/** Images whose own program is a web server, with the port that it listens on. */
const SERVERS: readonly [image: RegExp, port: number][] = [
  [/nginx/, 80],
  [/agnhost|echo|rebel-base|json-mock|whoami/, 8080],
];

/** nginx's folder of pages; the article's rebel-base mounts its answer there. */
const PAGES = '/usr/share/nginx/html';

/** A deleted pod's server goes on so long, until nobody is sent to it any more. */
const DRAIN_MS = 250;

export interface WebServer {
  listening(): boolean;
  drainMs: number;
  close(): void;
}

/** The port of a container's web server; undefined where it runs a command of its own, or none that is known. */
export function webServerPort({ container, argv }: ContainerContext): number | undefined {
  if (container.command) return undefined;
  const flag = argv.find((word) => word.startsWith('--http-port='));
  return flag ? Number(flag.slice('--http-port='.length)) : SERVERS.find(([image]) => image.test(container.image))?.[1];
}

/**
 * A real HTTP server on loopback, found at the pod's address. It answers mounted pages, at /hostname the pod's name as
 * agnhost does, and else a JSON object with the cluster's and the pod's name.
 */
export function startWebServer(
  context: ContainerContext,
  port: number,
  { clusterName, network }: { clusterName: string; network: VirtualNetwork },
): WebServer {
  const { name } = context.pod.metadata;
  let unlisten: (() => void) | undefined;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://pod').pathname;
    const page = context.files().get(`${PAGES}${path === '/' ? '/index.html' : path}`);
    if (page) response.end(page);
    else if (path === '/hostname') response.end(name);
    else {
      response.setHeader('content-type', 'application/json');
      response.end(`${JSON.stringify({ Galaxy: 'Alderaan', Cluster: clusterName, Pod: name })}\n`);
    }
  });
  server.listen(0, '127.0.0.1', () => {
    const { port: realPort } = server.address() as AddressInfo;
    unlisten = network.listen(clusterName, podIps(context.pod), port, realPort);
    context.changed();
  });
  return {
    listening: () => unlisten !== undefined,
    drainMs: DRAIN_MS,
    close() {
      unlisten?.();
      server.close();
      server.closeAllConnections();
    },
  };
}
