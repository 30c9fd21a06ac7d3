/** What an agent and KVStoreMesh have in common: they follow their configuration directory and connect to each peer. */
import type { Socket } from 'node:net';
import type { VirtualNetwork } from '../pods/network.ts';
import { DialError, senderOf } from '../pods/network-types.ts';
import type { ContainerContext } from '../pods/process.ts';
import { peersIn } from './peer-files.ts';
import type { PeerState } from './peer-state.ts';
import { type ConnectionTimings, connectRemoteCluster, type RemoteCluster } from './remote-cluster.ts';
import type { ClusterConfig, RemoteClusterStatus } from './remote-cluster-status.ts';

/** Where Cilium finds the mounted peering files. */
export const CONFIG_DIRECTORY = '/var/lib/cilium/clustermesh';

/** A cluster of any other size holds that of a peer against its own. */
const USUAL_SIZE = 255;

/** The cluster in which a stand-in runs. */
export interface OwnCluster {
  /** What the network knows it by: the sandbox's name for it, which stays. */
  site: string;
  /** Its cluster-name, as a program was told when it started. */
  name: string;
  id: number;
  maxConnectedClusters: number;
}

export interface PeersOptions {
  own: OwnCluster;
  network: VirtualNetwork;
  context: ContainerContext;
  /** Whether peering files may carry `cilium-host-aliases`: from Cilium 1.20 on. */
  honoursAliases: boolean;
  /** Whether no two peers may have one id: agents keep account of them (Cilium's pkg/clustermesh/idsmgr.go). */
  reservesIds?: boolean;
  onState(peer: string, config: ClusterConfig, state: PeerState): void;
  onRemoved(peer: string): void;
  /** As KVStoreMesh does: for so long a peer that was removed is not taken up again, and then what is left of it goes. */
  drain?: { ms: number; onDrained(peer: string): void };
  log(line: string): void;
  now(): Date;
  timings: ConnectionTimings;
}

export interface Peers {
  statuses(): RemoteClusterStatus[];
  /** Names of the configured peers. */
  names(): string[];
  filesChanged(): void;
  /** Opens a TCP connection as this pod would. Rejects with DialError. */
  dial(host: string, port: number, aliases: ReadonlyMap<string, string[]>): Promise<Socket>;
  /** The addresses of a host, as this pod sees them. Throws DialError. */
  resolve(host: string, aliases: ReadonlyMap<string, string[]>): string[];
  close(): void;
}

export function followPeers(options: PeersOptions): Peers {
  const { own, network, context, log } = options;
  const peers = new Map<string, { text: string; cluster: RemoteCluster }>();

  function resolve(host: string, aliases: ReadonlyMap<string, string[]>): string[] {
    const fromFile = options.honoursAliases ? aliases.get(host) : undefined;
    const fromPod = (context.pod.spec.hostAliases ?? [])
      .filter(({ hostnames }) => hostnames?.includes(host))
      .map(({ ip }) => ip);
    return fromFile ?? (fromPod.length > 0 ? fromPod : network.resolve(own.site, host));
  }

  async function dial(host: string, port: number, aliases: ReadonlyMap<string, string[]>): Promise<Socket> {
    let failure: unknown;
    for (const address of resolve(host, aliases)) {
      try {
        return await network.dial(senderOf(own.site, context.pod), address, port);
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? new DialError('ENOTFOUND', `lookup ${host}: no such host`);
  }

  /** Names of peers by the id that they have reserved, until they are removed. */
  const reserved = new Map<number, string>();
  const release = (name: string): void => {
    for (const [id, holder] of reserved) if (holder === name) reserved.delete(id);
  };

  /** Cilium's pkg/clustermesh/types, `ValidateRemoteConfig`. */
  function refuses(name: string, { id = 0, capabilities = {} }: ClusterConfig): string | undefined {
    if (id < 1) return `ClusterID ${id} is reserved`;
    if (id > own.maxConnectedClusters) return `ClusterID > ${own.maxConnectedClusters} is not supported`;
    const { maxConnectedClusters = 0 } = capabilities;
    if (own.maxConnectedClusters !== USUAL_SIZE && own.maxConnectedClusters !== maxConnectedClusters) {
      return `mismatched MaxConnectedClusters; local=${own.maxConnectedClusters}, remote=${maxConnectedClusters}`;
    }
    if (id === own.id) return `clusterID ${id} is assigned to the local cluster`;
    if (!options.reservesIds) return undefined;
    if ((reserved.get(id) ?? name) !== name) return `clusterID ${id} is already used`;
    release(name);
    reserved.set(id, name);
    return undefined;
  }

  function add(name: string, text: string) {
    log(`level=info msg="New remote cluster configuration" clusterName=${name}`);
    const cluster = connectRemoteCluster({
      name,
      text,
      files: context.files,
      dial,
      takeAlert(port) {
        const alert = network.alerts.get(port);
        network.alerts.delete(port);
        return alert;
      },
      refuses: (config) => refuses(name, config),
      onState: (config, state) => options.onState(name, config, state),
      log,
      now: options.now,
      timings: options.timings,
    });
    peers.set(name, { text, cluster });
  }

  /** Peers that were removed, and are not taken up yet. */
  const draining = new Map<string, NodeJS.Timeout>();

  function drain(name: string): void {
    if (!options.drain) return;
    const { ms, onDrained } = options.drain;
    if (ms === 0) {
      onDrained(name);
      return;
    }
    const end = () => {
      draining.delete(name);
      onDrained(name);
      filesChanged();
    };
    draining.set(name, setTimeout(end, ms));
  }

  function filesChanged() {
    const configured = peersIn(context.files(), CONFIG_DIRECTORY);
    // An entry for the own cluster is passed over, as Cilium does.
    configured.delete(own.name);
    for (const [name, peer] of peers) {
      if (configured.has(name)) continue;
      log(`level=info msg="Remote cluster disconnected" clusterName=${name}`);
      peer.cluster.close();
      peers.delete(name);
      release(name);
      options.onRemoved(name);
      drain(name);
    }
    for (const [name, text] of configured) {
      const peer = peers.get(name);
      if (draining.has(name)) continue;
      if (!peer) add(name, text);
      else if (peer.text === text) peer.cluster.retryNow();
      else {
        peer.text = text;
        peer.cluster.reconfigure(text);
      }
    }
  }

  // With id 0 Cilium has no Cluster Mesh: it reads no peering files.
  if (own.id > 0) filesChanged();

  return {
    statuses: () =>
      [...peers.values()].map(({ cluster }) => cluster.status()).sort((a, b) => (a.name < b.name ? -1 : 1)),
    names: () => [...peers.keys()].sort(),
    filesChanged: () => {
      if (own.id > 0) filesChanged();
    },
    dial,
    resolve,
    close() {
      for (const { cluster } of peers.values()) cluster.close();
      for (const timer of draining.values()) clearTimeout(timer);
      peers.clear();
    },
  };
}
