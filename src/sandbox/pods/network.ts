import { connect, isIP, type Socket } from 'node:net';
import type { Store } from '../apiserver/storage/object-store.ts';
import { type EndpointSlice, type Node, type Service, typeOf } from '../objects.ts';

/** Thrown by `dial`, with the code that Node's own connections would give. */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: 'ENOTFOUND' | 'ECONNREFUSED' | 'ETIMEDOUT' | 'EHOSTUNREACH';

  /** The message is Go's, as Cilium prints it. */
  constructor(code: DialError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A cluster as the network sees it. */
export interface NetworkCluster {
  name: string;
  store: Store;
  /** Addresses of LoadBalancer Services, by `namespace/name`. */
  loadBalancerAddresses: ReadonlyMap<string, string>;
  /** Whether a packet may enter the pod at an address; without an answer it is dropped. */
  admits(source: PodIdentity, address: string): boolean;
  /** The same for a packet from outside the cluster, to a port. */
  admitsOutside(address: string, port: number): boolean;
}

/** Who sends a packet, as Cilium's identities tell. */
export interface PodIdentity {
  cluster: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
}

/**
 * The network that all clusters of a sandbox share. Addresses and names exist only in here; behind them are listeners
 * on 127.0.0.1 with random ports (macOS cannot bind 127.x.y.z). Whatever a Service would forward to is looked up at each
 * connection in the objects of its cluster: what is not there does not answer.
 */
export interface VirtualNetwork {
  attach(cluster: NetworkCluster): void;
  /** Makes a listener on 127.0.0.1 answer at an address of the network. Returns the way to take it off. */
  listen(cluster: string, address: string, port: number, realPort: number): () => void;
  /** The addresses of a host name or address, as seen in a cluster. Throws DialError ENOTFOUND. */
  resolve(fromCluster: string, host: string): string[];
  /** Opens a TCP connection from a cluster. Rejects with DialError. */
  dial(fromCluster: string, host: string, port: number): Promise<Socket>;
  /** Opens a TCP connection from pod to pod, across clusters too. Rejects with DialError. */
  dialPod(source: PodIdentity, target: PodAddress): Promise<Socket>;
  /** Lets a host name resolve everywhere, as public DNS does. */
  addHost(name: string, address: string): void;
  /** From now on nothing goes through between two clusters; what is connected breaks. */
  cutLink(a: string, b: string): void;
  mendLink(a: string, b: string): void;
  /** Whether packets go through between two clusters. */
  isLinkUp(a: string, b: string): boolean;
  /**
   * TLS alerts that listeners could not send: Node's TLS server closes the connection without one. By the client's
   * local port; the dialling stand-in reads (and removes) its own.
   */
  alerts: Map<number, string>;
  /** Breaks all connections. */
  close(): void;
}

/** A port of a pod or of a node. */
export interface PodAddress {
  cluster: string;
  address: string;
  port: number;
}

interface Route {
  /** Whose address it is. */
  cluster?: string;
  backends: PodAddress[];
  /** Nothing answers, not even that nobody listens. */
  drops?: boolean;
}

const SYSTEM_DNS = '10.96.0.10:53';

/** @param connectTimeoutMs how long a connection over a cut link hangs */
export function createVirtualNetwork(connectTimeoutMs: number): VirtualNetwork {
  const clusters = new Map<string, NetworkCluster>();
  const listeners = new Map<string, number>();
  const hosts = new Map<string, string>();
  const cuts = new Set<string>();
  const connections = new Map<Socket, string>();
  const waiting = new Set<() => void>();
  const alerts = new Map<number, string>();
  let turn = 0;

  const linkOf = (a: string, b: string) => [a, b].sort().join(' ');
  const services = ({ store }: NetworkCluster) => store.list(typeOf('Service')) as Service[];

  function resolve(fromCluster: string, host: string): string[] {
    if (isIP(host)) return [host];
    const local = serviceNamed(fromCluster, host);
    if (local?.spec.clusterIP && local.spec.clusterIP !== 'None') return [local.spec.clusterIP];
    const known = hosts.get(host) ?? loadBalancerHost(host);
    if (known === undefined) throw new DialError('ENOTFOUND', `lookup ${host} on ${SYSTEM_DNS}: no such host`);
    return [known];
  }

  function serviceNamed(cluster: string, host: string): Service | undefined {
    const [, name, namespace] = /^([^.]+)\.([^.]+)\.svc(?:\.cluster\.local)?\.?$/.exec(host) ?? [];
    const found = clusters.get(cluster);
    if (name === undefined || !found) return undefined;
    return services(found).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  }

  function loadBalancerHost(host: string): string | undefined {
    for (const cluster of clusters.values()) {
      for (const service of services(cluster)) {
        const named = service.status?.loadBalancer?.ingress?.some(({ hostname }) => hostname === host);
        if (named) return cluster.loadBalancerAddresses.get(`${service.metadata.namespace}/${service.metadata.name}`);
      }
    }
    return undefined;
  }

  /** Where an address leads; `cluster` is set as soon as someone has it, also when nothing answers at the port. */
  function route(fromCluster: string, address: string, port: number): Route {
    const own = clusters.get(fromCluster);
    if (own) {
      const service = services(own).find(({ spec }) => spec.clusterIP === address);
      if (service) return { cluster: own.name, backends: backendsOf(own, service, ({ port: p }) => p === port) };
      const direct: PodAddress = { cluster: own.name, address, port };
      if (listeners.has(keyOfAddress(direct))) return { cluster: own.name, backends: [direct] };
    }
    for (const cluster of clusters.values()) {
      for (const service of services(cluster)) {
        const key = `${service.metadata.namespace}/${service.metadata.name}`;
        const addresses = [cluster.loadBalancerAddresses.get(key), ...(service.spec.externalIPs ?? [])];
        if (!addresses.includes(address)) continue;
        return { cluster: cluster.name, backends: backendsOf(cluster, service, ({ port: p }) => p === port) };
      }
      const node = (cluster.store.list(typeOf('Node')) as Node[]).find(({ status }) =>
        status?.addresses?.some((entry) => entry.address === address),
      );
      if (!node) continue;
      const backends = services(cluster).flatMap((service) =>
        backendsOf(cluster, service, ({ nodePort }) => nodePort === port, node.metadata.name),
      );
      const onHost: PodAddress = { cluster: cluster.name, address, port };
      if (listeners.has(keyOfAddress(onHost))) return { cluster: cluster.name, backends: [onHost] };
      const isLocal = services(cluster).some((service) => isLocalNodePort(service, port));
      return { cluster: cluster.name, backends, drops: isLocal && backends.length === 0 };
    }
    return { backends: [] };
  }

  function backendsOf(
    cluster: NetworkCluster,
    service: Service,
    wanted: (port: { port: number; nodePort?: number }) => boolean,
    /** The node that was dialled: with `externalTrafficPolicy: Local` it serves only what is on it. */
    nodeName?: string,
  ): PodAddress[] {
    const index = (service.spec.ports ?? []).findIndex(wanted);
    if (index < 0) return [];
    const { namespace = '', name } = service.metadata;
    const isLocal = nodeName !== undefined && service.spec.externalTrafficPolicy === 'Local';
    const labels = { 'kubernetes.io/service-name': name };
    const slices = cluster.store.list({ ...typeOf('EndpointSlice'), namespace, labels }) as EndpointSlice[];
    return slices.flatMap((slice) =>
      slice.endpoints
        .filter(({ conditions }) => conditions.ready)
        .filter((endpoint) => !isLocal || endpoint.nodeName === nodeName)
        .flatMap(({ addresses }) => addresses)
        .map((address) => ({ cluster: cluster.name, address, port: slice.ports[index]?.port ?? 0 })),
    );
  }

  async function dial(fromCluster: string, host: string, port: number): Promise<Socket> {
    const [address = host] = resolve(fromCluster, host);
    const name = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
    const { cluster, backends, drops } = route(fromCluster, address, port);
    if (cluster === undefined || drops || cuts.has(linkOf(fromCluster, cluster))) {
      await hang();
      throw new DialError('ETIMEDOUT', `dial tcp ${name}: i/o timeout`);
    }
    const backend = backends[turn++ % Math.max(1, backends.length)];
    // What comes from the own cluster's nodes is let in: which node it is is not known here.
    const isOutside = backend !== undefined && cluster !== fromCluster;
    if (isOutside && !clusters.get(cluster)?.admitsOutside(backend.address, backend.port)) {
      await hang();
      throw new DialError('ETIMEDOUT', `dial tcp ${name}: i/o timeout`);
    }
    return reach(fromCluster, cluster, backend, name);
  }

  async function dialPod(source: PodIdentity, target: PodAddress): Promise<Socket> {
    const name = `${target.address}:${target.port}`;
    const isCut = cuts.has(linkOf(source.cluster, target.cluster));
    if (isCut || !clusters.get(target.cluster)?.admits(source, target.address)) {
      await hang();
      throw new DialError('ETIMEDOUT', `dial tcp ${name}: i/o timeout`);
    }
    return reach(source.cluster, target.cluster, target, name);
  }

  async function reach(from: string, to: string, target: PodAddress | undefined, name: string): Promise<Socket> {
    const realPort = target && listeners.get(keyOfAddress(target));
    if (realPort === undefined) throw new DialError('ECONNREFUSED', `dial tcp ${name}: connect: connection refused`);
    const socket = await open(realPort, name);
    connections.set(socket, linkOf(from, to));
    socket.once('close', () => connections.delete(socket));
    return socket;
  }

  function open(realPort: number, name: string): Promise<Socket> {
    return new Promise((done, fail) => {
      const socket = connect(realPort, '127.0.0.1');
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        done(socket);
      });
      socket.once('error', () => fail(new DialError('ECONNREFUSED', `dial tcp ${name}: connect: connection refused`)));
    });
  }

  function hang(): Promise<void> {
    return new Promise((done) => {
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(finish);
        done();
      };
      const timer = setTimeout(finish, connectTimeoutMs);
      waiting.add(finish);
    });
  }

  return {
    alerts,
    resolve,
    dial,
    dialPod,
    attach: (cluster) => void clusters.set(cluster.name, cluster),
    listen(cluster, address, port, realPort) {
      const key = keyOfAddress({ cluster, address, port });
      listeners.set(key, realPort);
      return () => {
        if (listeners.get(key) === realPort) listeners.delete(key);
      };
    },
    addHost: (name, address) => void hosts.set(name, address),
    cutLink(a, b) {
      cuts.add(linkOf(a, b));
      for (const [socket, link] of connections) {
        if (link === linkOf(a, b)) socket.destroy();
      }
    },
    mendLink: (a, b) => void cuts.delete(linkOf(a, b)),
    isLinkUp: (a, b) => !cuts.has(linkOf(a, b)),
    close() {
      for (const socket of connections.keys()) socket.destroy();
      for (const finish of waiting) finish();
    },
  };
}

/** With `externalTrafficPolicy: Local` a node without a ready pod drops what comes to the port. */
function isLocalNodePort({ spec }: Service, port: number): boolean {
  return spec.externalTrafficPolicy === 'Local' && (spec.ports ?? []).some(({ nodePort }) => nodePort === port);
}

function keyOfAddress({ cluster, address, port }: PodAddress): string {
  return `${cluster} ${address} ${port}`;
}
