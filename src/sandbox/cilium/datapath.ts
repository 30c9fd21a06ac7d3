/** A node's simulated datapath: where a pod's new connection goes, by what the node's agent knows. */
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { familyOf } from '../../mesh/cilium/cidr.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import {
  clusterIps,
  type EndpointSlice,
  isEndpointReady,
  type Pod,
  podIps,
  ref,
  type Service,
  typeOf,
} from '../objects.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type Datagram, type Delivery, DialError, senderOf } from '../pods/network-types.ts';
import { remoteNodesOf } from './cilium-nodes.ts';
import { inReachOf, type KnownBackend, usedBackends } from './load-balancing.ts';
import { type PeerState, statePrefix } from './peer-state.ts';
import { isNative } from './underlay.ts';

export interface Datapath {
  /** The addresses of a name or address, as the cluster's DNS and /etc/hosts give them to a pod. Throws DialError. */
  resolve(from: Pod, host: string): string[];
  /** Opens a TCP connection from a pod of the node. Rejects with DialError. @param sourcePort as observers are told it */
  connect(from: Pod, address: string, port: number, sourcePort?: number): Promise<Socket>;
  /** Resolves when an answer of so many bytes has come over a connection, which it may never do. */
  answered(socket: Socket, bytes: number): Promise<void>;
  /** Sends one packet from a pod of the node. */
  send(from: Pod, datagram: Datagram): Promise<Delivery>;
  /**
   * Whether what the node's pods answer gets on its way to an address of another cluster. Where the network routes to pods it does. For
   * a tunnel the agent has to know on which node the pod is: without a tunnel's end in the ipcache nothing is wrapped (bpf/bpf_lxc.c,
   * `flag_has_tunnel_ep`), and the network drops it. The ipcache is filled from the etcd of each cluster that is dialled
   * (pkg/clustermesh, pkg/ipcache).
   */
  findsWayTo(address: string): boolean;
}

/** What the node's agent knows. */
export interface AgentKnowledge {
  /** Cilium's name of the own cluster. */
  cluster: string;
  /** The own cluster's Services and EndpointSlices. */
  store: Store;
  /** The state of each peer, as the agent last read it over its connection; kept when the connection breaks. */
  remotes: ReadonlyMap<string, PeerState>;
}

/** The part of `cilium/state/services/v1/<cluster>/<namespace>/<name>` that the datapath needs (Cilium's ClusterService). */
export interface PublishedService {
  shared?: boolean;
  /** By address, then by the port's name. */
  backends?: Record<string, Record<string, { Protocol?: string; Port?: number }>>;
}

interface Target extends KnownBackend {
  address: string;
  port: number;
}

export function createDatapath({ cluster, store, remotes }: AgentKnowledge, network: VirtualNetwork): Datapath {
  let turn = 0;

  function resolve(from: Pod, host: string): string[] {
    if (isIP(host)) return [host];
    const [, name = '', namespace = from.metadata.namespace ?? ''] =
      /^([^.]+)(?:\.([^.]+)(?:\.svc(?:\.cluster\.local)?)?)?\.?$/.exec(host) ?? [];
    const service = store.get(ref('Service', namespace, name)) as Service | undefined;
    if (!service) return network.resolve(cluster, host);
    if (service.spec.clusterIP && service.spec.clusterIP !== 'None') return clusterIps(service);
    const addresses = localSlices(store, service)
      .flatMap(({ endpoints }) => endpoints)
      .filter(isEndpointReady)
      .flatMap((endpoint) => endpoint.addresses);
    if (addresses.length === 0) throw new DialError('ENOTFOUND', `lookup ${host}: no such host`);
    return addresses;
  }

  async function connect(from: Pod, address: string, port: number, sourcePort = 0): Promise<Socket> {
    const source = { ...senderOf(cluster, from), sourcePort };
    const service = (store.list(typeOf('Service')) as Service[]).find((one) => clusterIps(one).includes(address));
    const servicePort = service?.spec.ports?.find((entry) => entry.port === port);
    if (service && servicePort) {
      const selected = usedBackends(
        cluster,
        service.metadata.annotations,
        inReachOf(
          from.spec.nodeName ?? '',
          service.spec.internalTrafficPolicy,
          // A frontend has backends of its own family only (pkg/loadbalancer/writer).
          knownBackends(service, servicePort.name ?? '').filter((one) => familyOf(one.address) === familyOf(address)),
        ),
      );
      // Cilium chooses at random; taking turns, what a few requests show does not depend on luck.
      const chosen = selected[turn++ % Math.max(1, selected.length)];
      if (!chosen) throw new DialError('EHOSTUNREACH', `dial tcp ${address}:${port}: connect: no route to host`);
      return network.dialPod(source, { cluster: chosen.cluster, address: chosen.address, port: chosen.port });
    }
    const owner = ownerOf(address);
    if (owner !== undefined) return network.dialPod(source, { cluster: owner, address, port });
    return network.dial(source, address, port);
  }

  /** The backends of a Service: from the own API server, and from what the agent read of each peer. A headless one has none. */
  function knownBackends(service: Service, portName: string): Target[] {
    const { namespace = '', name } = service.metadata;
    const own = localSlices(store, service).flatMap((slice) => {
      const port = slice.ports.find((entry) => (entry.name ?? '') === portName)?.port;
      if (port === undefined) return [];
      return slice.endpoints.flatMap(({ addresses, conditions, nodeName }) =>
        addresses.map((address) => ({ cluster, ...(conditions && { conditions }), nodeName, address, port })),
      );
    });
    const others = [...remotes].flatMap(([peer, state]) => {
      const text = entryOf(state, 'services', peer, `${namespace}/${name}`);
      return text === undefined ? [] : remoteBackends(peer, JSON.parse(text) as PublishedService, portName);
    });
    return [...own, ...others];
  }

  /** The cluster of the pod that has an address; undefined for what no pod has that the agent knows. */
  function ownerOf(address: string): string | undefined {
    const pods = store.list(typeOf('Pod')) as Pod[];
    if (pods.some((pod) => podIps(pod).includes(address) && !pod.spec.hostNetwork)) return cluster;
    return [...remotes].find(([peer, state]) => entryOf(state, 'endpoints', peer, address) !== undefined)?.[0];
  }

  function isNodeOfPeer(address: string): boolean {
    return remoteNodesOf(remotes).some(({ internalIps }) => internalIps.includes(address));
  }

  return {
    findsWayTo: (address) => isNative(store) || ownerOf(address) !== undefined || isNodeOfPeer(address),
    resolve,
    connect,
    answered: network.answered,
    send: (from, datagram) => network.send(senderOf(cluster, from), datagram, ownerOf(datagram.address)),
  };
}

/** None of a Service that its cluster does not share. What is published serves: the publishing cluster left the others out. */
function remoteBackends(cluster: string, { shared, backends }: PublishedService, portName: string): Target[] {
  if (!shared) return [];
  return Object.entries(backends ?? {}).flatMap(([address, ports]) => {
    const port = ports[portName]?.Port;
    return port === undefined ? [] : [{ cluster, address, port }];
  });
}

/** An entry of a peer's state, read from its own etcd or from the cache. */
function entryOf(state: PeerState, kind: 'services' | 'endpoints', peer: string, name: string): string | undefined {
  const entries = state[kind];
  return entries.get(statePrefix(kind, peer, true) + name) ?? entries.get(statePrefix(kind, peer, false) + name);
}

function localSlices(store: Store, { metadata }: Service): EndpointSlice[] {
  const labels = { 'kubernetes.io/service-name': metadata.name };
  return store.list({ ...typeOf('EndpointSlice'), namespace: metadata.namespace ?? '', labels }) as EndpointSlice[];
}
