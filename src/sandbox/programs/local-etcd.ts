import { type EtcdSession, openEtcdSession } from '../cilium/etcd-session.ts';
import type { EtcdStandIn } from '../cilium/etcd-stand-in.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { senderOf } from '../pods/network-types.ts';
import type { ContainerContext } from '../pods/process.ts';
import { isEtcdProcess } from './etcd.ts';

/** Built into the image: /var/lib/cilium/etcd-config.yaml (Cilium's clustermesh-apiserver/etcd-config.yaml). */
const SECRETS = '/var/lib/cilium/etcd-secrets';
const HOST = '127.0.0.1';
const ETCD_PORT = 2379;

/** The connection of a program of the pod to the pod's own etcd, as its administrator. */
export interface LocalEtcd {
  /** The etcd, once this program has logged in; what it writes goes there directly. */
  etcd(): EtcdStandIn | undefined;
  /** Tries again, e.g. because etcd runs now or the certificates changed. */
  retry(): void;
  close(): void;
}

export interface LocalEtcdOptions {
  context: ContainerContext;
  clusterName: string;
  network: VirtualNetwork;
  now(): Date;
  onConnected(etcd: EtcdStandIn): void;
  log(line: string): void;
}

export function connectLocalEtcd({
  context,
  clusterName,
  network,
  now,
  onConnected,
  log,
}: LocalEtcdOptions): LocalEtcd {
  let session: EtcdSession | undefined;
  let etcd: EtcdStandIn | undefined;
  let connecting = false;
  let closed = false;

  const file = (name: string) => {
    const content = context.files().get(`${SECRETS}/${name}`);
    if (!content) throw new Error(`open ${SECRETS}/${name}: no such file or directory`);
    return content.toString();
  };

  async function connect() {
    const sibling = [...context.siblings.values()].find(isEtcdProcess);
    const running = sibling?.etcd();
    if (!running || sibling?.realPort() === undefined) return;
    const files = { ca: file('ca.crt'), certificate: file('tls.crt'), privateKey: file('tls.key') };
    const socket = await network.dial(senderOf(clusterName, context.pod), context.pod.status?.podIP ?? '', ETCD_PORT);
    const takeAlert = (port: number) => network.alerts.get(port);
    const opened = await openEtcdSession(socket, { files, host: HOST, now: now(), takeAlert });
    // Only the administrator may read everything.
    await opened.list('cilium/');
    if (closed) {
      opened.close();
      return;
    }
    session = opened;
    etcd = running;
    onConnected(running);
    context.changed();
    void opened.closed.then(() => {
      etcd = undefined;
      session = undefined;
      if (!closed) context.changed();
    });
  }

  if (!context.pod.spec.containers.some(({ name }) => name === 'etcd')) {
    log(
      `level=warn msg="Unable to connect to etcd" error="dial tcp ${HOST}:${ETCD_PORT}: connect: connection refused"`,
    );
  }

  function retry() {
    if (connecting || closed || etcd) return;
    connecting = true;
    connect()
      .catch((error: unknown) => log(`level=warn msg="Unable to connect to etcd" error="${(error as Error).message}"`))
      .finally(() => {
        connecting = false;
      });
  }

  return {
    etcd: () => etcd,
    retry,
    close() {
      closed = true;
      session?.close();
    },
  };
}
