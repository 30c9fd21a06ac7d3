import type { Datapath } from '../cilium/datapath.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import { runCurl, runWget } from './curl.ts';
import { createProbe } from './probe.ts';
import { startWebServer, webServerPort } from './web-server.ts';

export interface WorkloadOptions {
  clusterName: string;
  network: VirtualNetwork;
  /** By node. */
  datapaths: ReadonlyMap<string, Datapath>;
  /** Bytes, of nodes' devices. */
  deviceMtu: number;
  now(): Date;
}

/** A container that is not Cilium's: a web server if its image is one, and in any case `curl` and `wget` for exec. */
export function runWorkload(context: ContainerContext, options: WorkloadOptions): ContainerProcess {
  const log = createProcessLog(context.container.name, options.now);
  const probe = createProbe(context, { ...options, log: log.write });
  const port = webServerPort(context);
  const server = port === undefined ? undefined : startWebServer(context, port, options);
  return {
    ready: () => server?.listening() ?? true,
    ...(server && { drainMs: server.drainMs }),
    logs: log.lines,
    async exec(argv, streams) {
      const probed = hasPerl(context) ? await probe.exec(argv, streams) : undefined;
      if (probed !== undefined) return probed;
      const [program = '', ...words] = argv;
      const run = PROGRAMS.get(program.split('/').pop() ?? '');
      const datapath = options.datapaths.get(context.pod.spec.nodeName ?? '');
      if (!run || !datapath) return undefined;
      return run(words, { datapath, pod: context.pod, streams });
    },
    close() {
      probe.close();
      server?.close();
    },
  };
}

/** Cilium's own image is one with Perl. */
function hasPerl({ container }: ContainerContext): boolean {
  return /(^|\/)cilium(-ci)?[:@]/.test(container.image);
}

const PROGRAMS: ReadonlyMap<string, typeof runCurl> = new Map([
  ['curl', runCurl],
  ['wget', runWget],
]);
