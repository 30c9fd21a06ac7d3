import type { Datapath } from '../cilium/datapath.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import { runCurl, runWget } from './curl.ts';
import { startWebServer, webServerPort } from './web-server.ts';

export interface WorkloadOptions {
  clusterName: string;
  network: VirtualNetwork;
  /** By node. */
  datapaths: ReadonlyMap<string, Datapath>;
  now(): Date;
}

/** A container that is not Cilium's: a web server if its image is one, and in any case `curl` and `wget` for exec. */
export function runWorkload(context: ContainerContext, options: WorkloadOptions): ContainerProcess {
  const log = createProcessLog(context.container.name, options.now);
  const port = webServerPort(context);
  const server = port === undefined ? undefined : startWebServer(context, port, options);
  return {
    ready: () => server?.listening() ?? true,
    ...(server && { drainMs: server.drainMs }),
    logs: log.lines,
    async exec([program = '', ...words], streams) {
      const run = PROGRAMS.get(program.split('/').pop() ?? '');
      const datapath = options.datapaths.get(context.pod.spec.nodeName ?? '');
      if (!run || !datapath) return undefined;
      return run(words, { datapath, pod: context.pod, streams });
    },
    close: () => server?.close(),
  };
}

const PROGRAMS: ReadonlyMap<string, typeof runCurl> = new Map([
  ['curl', runCurl],
  ['wget', runWget],
]);
