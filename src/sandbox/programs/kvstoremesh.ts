import { type PeerState, STATE_KINDS, statePrefix, syncedKey } from '../cilium/peer-state.ts';
import { followPeers, type OwnCluster } from '../cilium/peers.ts';
import type { ConnectionTimings } from '../cilium/remote-cluster.ts';
import type { ClusterConfig } from '../cilium/remote-cluster-status.ts';
import { troubleshoot } from '../cilium/troubleshoot.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type ContainerContext, type ContainerProcess, createProcessLog } from '../pods/process.ts';
import { connectLocalEtcd } from './local-etcd.ts';
import { formatRemoteClusters, wantsJson, writeAll } from './status-text.ts';

export interface MeshProgramOptions {
  own: OwnCluster;
  network: VirtualNetwork;
  honoursAliases: boolean;
  timings: ConnectionTimings;
  now(): Date;
}

/** The container `kvstoremesh`: connects to each peer and keeps a copy of its state in the pod's own etcd. */
export function runKvstoremesh(context: ContainerContext, options: MeshProgramOptions): ContainerProcess {
  const { own, network, now } = options;
  const log = createProcessLog(context.container.name, now);
  /** What the peers last said; goes into each new local etcd. */
  const states = new Map<string, { config: ClusterConfig; state: PeerState }>();

  const local = connectLocalEtcd({
    context,
    clusterName: own.site,
    network,
    now,
    log: log.write,
    onConnected() {
      for (const peer of states.keys()) republish(peer);
    },
  });

  /** As Cilium's pkg/clustermesh/kvstoremesh: the state moves below cilium/cache, the configuration says so. */
  function republish(peer: string) {
    const etcd = local.etcd();
    const known = states.get(peer);
    if (!etcd || !known) return;
    for (const kind of STATE_KINDS) {
      const from = statePrefix(kind, peer, false);
      const to = statePrefix(kind, peer, true);
      const entries = [...known.state[kind]].map(([key, value]): [string, string] => [
        to + key.slice(from.length),
        value,
      ]);
      etcd.replacePrefix(to, new Map(entries));
      if (known.state.synced.has(kind)) etcd.put(syncedKey(kind, peer, true), now().toISOString());
    }
    const capabilities = { ...known.config.capabilities, syncedCanaries: true, cached: true };
    etcd.put(`cilium/cluster-config/${peer}`, JSON.stringify({ ...known.config, capabilities }));
  }

  const peers = followPeers({
    ...options,
    context,
    log: log.write,
    onState(peer, config, state) {
      states.set(peer, { config, state });
      republish(peer);
    },
    onRemoved(peer) {
      states.delete(peer);
      local.etcd()?.replacePrefix(`cilium/cluster-config/${peer}`, new Map());
    },
    // Agents are to disconnect before (Cilium's pkg/clustermesh/kvstoremesh, drain).
    drain: {
      ms: options.timings.drainMs,
      onDrained(peer) {
        const etcd = local.etcd();
        etcd?.replacePrefix(`cilium/synced/${peer}/`, new Map());
        for (const kind of STATE_KINDS) etcd?.replacePrefix(statePrefix(kind, peer, true), new Map());
      },
    },
  });

  return {
    ready: () => local.etcd() !== undefined,
    logs: log.lines,
    filesChanged() {
      local.retry();
      peers.filesChanged();
    },
    serverChanged: local.retry,
    async exec(argv, streams) {
      const [program, command, subcommand, ...rest] = argv;
      if (!program?.endsWith('clustermesh-apiserver') || command !== 'kvstoremesh-dbg') return undefined;
      if (subcommand === 'status') {
        const clusters = peers.statuses();
        const ready = clusters.filter((cluster) => cluster.ready === true).length;
        const text = `KVStoreMesh:\t${ready}/${clusters.length} remote clusters ready\n${formatRemoteClusters(clusters, now())}`;
        await writeAll(streams.stdout, wantsJson(rest) ? `${JSON.stringify(clusters, undefined, 2)}\n` : text);
        return 0;
      }
      if (subcommand === 'troubleshoot') {
        const names = rest.filter((word) => !word.startsWith('-'));
        await writeAll(streams.stdout, await troubleshoot({ context, peers, own, network, now, names }));
        return 0;
      }
      return undefined;
    },
    close() {
      peers.close();
      local.close();
    },
  };
}
