import type { EtcdStandIn } from '../cilium/etcd-stand-in.ts';
import { ETCD_VERSION, startEtcd } from '../cilium/etcd-stand-in.ts';
import { podIps } from '../objects.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import { writeAll } from './status-text.ts';

const ETCD_PORT = 2379;

/** The container `etcd` of a clustermesh-apiserver pod. */
export interface EtcdProcess extends ContainerProcess {
  /** Undefined while it does not run. */
  etcd(): EtcdStandIn | undefined;
  /** The port on 127.0.0.1; undefined until it listens. */
  realPort(): number | undefined;
}

export function isEtcdProcess(process: ContainerProcess | undefined): process is EtcdProcess {
  return process !== undefined && 'etcd' in process;
}

/**
 * Runs etcd with the certificate files that its arguments name.
 * @param site where it listens; `clusterName`: whose root user etcd-init has made
 */
export function runEtcd(
  context: ContainerContext,
  { site, clusterName, network, now }: { site: string; clusterName: string; network: VirtualNetwork; now(): Date },
): EtcdProcess {
  const log = createProcessLog(context.container.name, now);
  let etcd: EtcdStandIn | undefined;
  let port: number | undefined;
  let crash: string | undefined;
  let unlisten: (() => void) | undefined;
  let closed = false;

  const file = (flag: string) => {
    const path = context.argv.find((word) => word.startsWith(`--${flag}=`))?.slice(flag.length + 3) ?? '';
    const content = context.files().get(path);
    if (!content) throw new Error(`open ${path}: no such file or directory`);
    return content.toString();
  };

  function start() {
    try {
      etcd = startEtcd({
        clusterName,
        ca: file('trusted-ca-file'),
        certificate: file('cert-file'),
        privateKey: file('key-file'),
        now,
        onRefused: (clientPort, alert) => network.alerts.set(clientPort, alert),
        log: log.write,
      });
    } catch (error) {
      crash = `level=fatal msg="discovery failed" error="${(error as Error).message}"`;
      log.write(crash);
      context.changed();
      return;
    }
    crash = undefined;
    const started = etcd;
    void started.listening.then((realPort) => {
      if (closed) return;
      port = realPort;
      unlisten = network.listen(site, podIps(context.pod), ETCD_PORT, realPort);
      log.write('level=info msg="serving client traffic securely" address="[::]:2379"');
      for (const sibling of context.siblings.values()) sibling.filesChanged?.();
      context.changed();
    });
  }

  start();

  return {
    etcd: () => etcd,
    realPort: () => port,
    ready: () => port !== undefined,
    crashed: () => crash,
    logs: log.lines,
    filesChanged() {
      if (crash !== undefined) {
        start();
        return;
      }
      try {
        // etcd reads both files at each handshake (its client/pkg/transport/listener.go, GetCertificate), and clients dial again.
        etcd?.setServerCertificate(file('cert-file'), file('key-file'));
        for (const sibling of context.siblings.values()) sibling.serverChanged?.();
      } catch (error) {
        // etcd says so at each handshake and goes on; here the former certificate stays in use.
        log.write(`level=warn msg="failed to load the server certificate" error="${(error as Error).message}"`);
      }
    },
    async exec(argv, { stdout }) {
      if (!argv[0]?.endsWith('/etcd') || argv[1] !== '--version') return undefined;
      await writeAll(stdout, `etcd Version: ${ETCD_VERSION}\nGit SHA: Not provided\n`);
      return 0;
    },
    close() {
      closed = true;
      unlisten?.();
      etcd?.close();
    },
  };
}
