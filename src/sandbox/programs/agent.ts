import type { Store } from '../apiserver/storage/object-store.ts';
import { ciliumConfigOf } from '../cilium/cilium-config.ts';
import { createDatapath, type Datapath } from '../cilium/datapath.ts';
import type { PeerState } from '../cilium/peer-state.ts';
import { followPeers } from '../cilium/peers.ts';
import { troubleshoot } from '../cilium/troubleshoot.ts';
import { podIps } from '../objects.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import type { Routers } from '../pods/routers.ts';
import { bgpDocument, runsBgp } from './bgp.ts';
import { HEALTH_PORT, type HealthServer, healthStatus } from './cilium-health.ts';
import { ipRouteDocument } from './ip-route.ts';
import type { MeshProgramOptions } from './kvstoremesh.ts';
import { viewOf } from './node-view.ts';
import { createProbe } from './probe.ts';
import { formatRemoteClusters, wantsJson, writeAll } from './status-text.ts';

export interface AgentOptions extends MeshProgramOptions {
  version: string;
  store: Store;
  /** By node. Each agent puts its node's in; like the real one it stays when the agent ends. */
  datapaths: Map<string, Datapath>;
  routers: Routers;
  health: HealthServer;
  /** Bytes, of nodes' devices. */
  deviceMtu: number;
}

/** The container `cilium-agent`: connects to each peer, or to the own cluster's cache of it, and feeds its node's datapath. */
export function runAgent(context: ContainerContext, options: AgentOptions): ContainerProcess {
  const { own, network, now, version } = options;
  const log = createProcessLog(context.container.name, now);
  const remotes = new Map<string, PeerState>();
  const knowledge = { cluster: own.site, store: options.store, remotes };
  options.datapaths.set(context.pod.spec.nodeName ?? '', createDatapath(knowledge, network));
  let unlisten: (() => void) | undefined;
  let closed = false;
  void options.health.port.then((port) => {
    if (!closed) unlisten = network.listen(own.site, podIps(context.pod), HEALTH_PORT, port);
  });
  const probe = createProbe(context, { clusterName: own.site, ...options, log: log.write });
  const peers = followPeers({
    ...options,
    context,
    reservesIds: true,
    log: log.write,
    onState: (peer, _config, state) => void remotes.set(peer, state),
    onRemoved: (peer) => void remotes.delete(peer),
  });

  const startedWith = new Map<string, string | number>([
    // All of cilium-config as it was then.
    ...Object.entries(ciliumConfigOf(options.store)).map(([key, value]): [string, string] => [
      `/tmp/cilium/config-map/${key}`,
      value,
    ]),
    ['/tmp/cilium/config-map/cluster-name', own.name],
    ['/tmp/cilium/config-map/cluster-id', own.id],
    ['/tmp/cilium/config-map/max-connected-clusters', own.maxConnectedClusters],
  ]);

  function statusDocument() {
    const clusters = peers.statuses();
    return {
      cilium: { msg: `${version} (simulated by meshctl's sandbox)`, state: 'Ok' },
      cluster: { name: own.name, self: `${own.name}/${context.pod.spec.nodeName}` },
      ...(own.id > 0 && { 'cluster-mesh': clusters.length > 0 ? { clusters } : {} }),
      kubernetes: { msg: '', state: 'Ok' },
    };
  }

  function statusText() {
    const clusters = peers.statuses();
    const ready = clusters.filter((cluster) => cluster.ready === true).length;
    const mesh = `ClusterMesh:\t${ready}/${clusters.length} remote clusters ready\n${formatRemoteClusters(clusters, now())}`;
    return `Kubernetes:\tOk\t\nCilium:\tOk   ${version} (simulated by meshctl's sandbox)\n${own.id > 0 ? mesh : ''}`;
  }

  return {
    ready: () => true,
    logs: log.lines,
    filesChanged: peers.filesChanged,
    async exec(argv, streams) {
      const { stdout } = streams;
      const probed = await probe.exec(argv, streams);
      if (probed !== undefined) return probed;
      const [program = '', command, ...rest] = argv;
      const view = () => viewOf(own.site, options.store, context.pod.spec.nodeName ?? '', remotes);
      const answer = async (document: unknown) => {
        await writeAll(stdout, `${JSON.stringify(document, undefined, 2)}\n`);
        return 0;
      };
      if (program.split('/').pop() === 'cilium-health' && command === 'status' && wantsJson(rest)) {
        return answer(healthStatus(view(), { network, name: own.name, now: now() }));
      }
      // Where the init container `config` left what cilium-config said when the pod started.
      const told = program === 'cat' ? startedWith.get(command ?? '') : undefined;
      if (told !== undefined) {
        await writeAll(stdout, String(told));
        return 0;
      }
      if (program === 'grep' && command === '-sH' && rest[0] === '') {
        const lines = rest.slice(1).map((path) => ({ path, value: startedWith.get(path) }));
        await writeAll(
          stdout,
          lines.map(({ path, value }) => (value === undefined ? '' : `${path}:${value}\n`)).join(''),
        );
        return lines.some(({ value }) => value === undefined) ? 2 : 0;
      }
      if (program === 'ip' && argv.some((word) => /^-j(son)?$/.test(word))) {
        const routes = ipRouteDocument(argv.slice(1), view(), options.routers);
        return routes === undefined ? undefined : answer(routes);
      }
      if (!/(^|\/)cilium(-dbg)?$/.test(program)) return undefined;
      if (command === 'status') {
        await writeAll(stdout, wantsJson(rest) ? `${JSON.stringify(statusDocument(), undefined, 2)}\n` : statusText());
        return 0;
      }
      if (command === 'bgp' && wantsJson(rest)) {
        if (!runsBgp(view())) {
          await writeAll(stdout, 'BGP Control Plane is disabled\n');
          return 0;
        }
        const document = bgpDocument(rest, view(), options.routers);
        return document === undefined ? undefined : answer(document);
      }
      if (command === 'version') {
        const line = `${version} (simulated by meshctl's sandbox)`;
        await writeAll(stdout, `Client: ${line}\nDaemon: ${line}\n`);
        return 0;
      }
      if (command === 'troubleshoot' && rest[0] === 'clustermesh') {
        const names = rest.slice(1).filter((word) => !word.startsWith('-'));
        await writeAll(stdout, await troubleshoot({ context, peers, own, network, now, names }));
        return 0;
      }
      return undefined;
    },
    close() {
      closed = true;
      unlisten?.();
      probe.close();
      peers.close();
    },
  };
}
