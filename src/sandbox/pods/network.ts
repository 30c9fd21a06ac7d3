import type { Socket } from 'node:net';
import { hostPort } from '../../mesh/apiserver/endpoints.ts';
import { familyOf } from '../../mesh/cilium/cidr.ts';
import { heldUdpPorts, onTheWire } from '../cilium/underlay.ts';
import { placeOf, type Route, resolveHost, routeTo, takesFrom } from './address-book.ts';
import { dialLoopback } from './loopback.ts';
import { answerTo, type Fate, fateOf, type NetworkRule, type Packet, type Place } from './network-rules.ts';
import {
  type Arrival,
  type Datagram,
  type Delivery,
  DialError,
  lacksFamily,
  type NetworkCluster,
  type Observer,
  type PodAddress,
  type Sender,
  sourceOf,
} from './network-types.ts';

/**
 * The network that all clusters of a sandbox share. Addresses and names exist only in here; behind them are listeners
 * on 127.0.0.1 with random ports (macOS cannot bind 127.x.y.z). Whatever a Service would forward to is looked up at each
 * connection in the objects of its cluster: what is not there does not answer. Between clusters everything arrives but for
 * the rules.
 */
export interface VirtualNetwork {
  attach(cluster: NetworkCluster): void;
  /** Makes a listener on 127.0.0.1 answer at an address of the network, or at several. Returns the way to take it off. */
  listen(cluster: string, address: string | readonly string[], port: number, realPort: number): () => void;
  /** The addresses of a host name or address, as seen in a cluster. Throws DialError ENOTFOUND. */
  resolve(fromCluster: string, host: string): string[];
  /** Opens a TCP connection from a cluster. Rejects with DialError. */
  dial(from: Sender, host: string, port: number): Promise<Socket>;
  /** Opens a TCP connection from pod to pod, across clusters too, as Cilium sends its packets. Rejects with DialError. */
  dialPod(from: Sender, target: PodAddress): Promise<Socket>;
  /** Sends one packet; where it is for a pod that Cilium knows, `owner` is that pod's cluster. */
  send(from: Sender, datagram: Datagram, owner?: string): Promise<Delivery>;
  /** Resolves when an answer of so many bytes has come over a connection, which it may never do. */
  answered(socket: Socket, bytes: number): Promise<void>;
  /** Returns the way to end it. */
  observe(observer: Observer): () => void;
  /** Lets a host name resolve everywhere, as public DNS does. */
  addHost(name: string, address: string): void;
  /** From now on; one of the same id is replaced. What is connected and would not be, breaks. */
  addRule(rule: NetworkRule): void;
  removeRule(id: string): void;
  rules(): NetworkRule[];
  /** What the rules make of a packet. */
  fateOf(packet: Packet): Fate;
  /** A packet of pods as it is on the wire; undefined where the datapath of its own node loses it. */
  wired(packet: Packet): Packet | undefined;
  /** Whether a pod of a node gets its answers on their way to who asks. @param address the pod's */
  answers(from: Sender, to: Place, address: string): boolean;
  /** From now on nothing goes through between two clusters. */
  cutLink(a: string, b: string): void;
  mendLink(a: string, b: string): void;
  /**
   * TLS alerts that listeners could not send: Node's TLS server closes the connection without one. By the client's
   * local port; the dialling stand-in reads (and removes) its own.
   */
  alerts: Map<number, string>;
  /** Breaks all connections. */
  close(): void;
}

/** Bytes of IP packets: what opens a connection, what says that nothing listens, and the headers of what answers. */
const SYN_SIZE = 60;
const ICMP_ERROR_SIZE = 96;
const HEADERS_SIZE = 40;
/** How large the packets of a connection get, as with any Ethernet. */
const LARGEST_PACKET = 1500;
/** What an echo within the sandbox is said to take. */
const ECHO_MS = 0.4;

/**
 * @param connectTimeoutMs how long a connection hangs whose packets are lost
 * @param connect opens the way to a listener's port on 127.0.0.1
 */
export function createVirtualNetwork(connectTimeoutMs: number, connect = dialLoopback): VirtualNetwork {
  const clusters = new Map<string, NetworkCluster>();
  const listeners = new Map<string, number>();
  const hosts = new Map<string, string>();
  const rules = new Map<string, NetworkRule>();
  /** With the packet that opened it, as it was on the wire. */
  const connections = new Map<Socket, Packet>();
  const observers = new Set<Observer>();
  const waiting = new Set<() => void>();
  const alerts = new Map<number, string>();
  let turn = 0;

  const fate = (packet: Packet) => fateOf(rules.values(), packet);
  const listens = (target: PodAddress) => listeners.has(keyOfAddress(target));
  const route = (from: string, address: string, port: number) => routeTo(clusters, listens, from, { address, port });
  const placeIn = (cluster: string, address: string) => {
    const found = clusters.get(cluster);
    return found && placeOf(found, address);
  };

  /** Cilium knows a cluster by the name that it has by now, this network by the one that it began with. */
  const siteOf = (cluster: string, address: string): string =>
    placeIn(cluster, address) !== undefined
      ? cluster
      : ([...clusters.keys()].find((site) => placeIn(site, address) !== undefined) ?? cluster);

  function wired(plain: Packet): Packet | undefined {
    const [own, peer] = [plain.from, plain.to].map(({ cluster }) => clusters.get(cluster)?.store);
    return own ? onTheWire(own, plain, own === peer ? undefined : peer) : plain;
  }

  function answers(from: Sender, { cluster, node }: Place, address: string): boolean {
    // Of nobody nothing is known; a node answers by itself.
    if (node === undefined || cluster === from.cluster || placeIn(cluster, address)?.isPod === false) return true;
    const asking = sourceOf(from, address, familyOf(address)).from;
    return clusters.get(cluster)?.findsWayTo(asking, node) ?? false;
  }

  async function dial(from: Sender, host: string, port: number): Promise<Socket> {
    const found = resolveHost(clusters, hosts, from.cluster, host);
    const address = found.find((one) => !lacksFamily(from, familyOf(one))) ?? found[0] ?? host;
    const name = hostPort(address, port);
    if (lacksFamily(from, familyOf(address)))
      throw new DialError('ENETUNREACH', `dial tcp ${name}: connect: network is unreachable`);
    const way = route(from.cluster, address, port);
    if (way.cluster === undefined) return timeOut(name);
    const backend = way.backends[turn++ % Math.max(1, way.backends.length)];
    const node = way.node ?? (backend && placeIn(way.cluster, backend.address)?.node);
    const to = { cluster: way.cluster, node };
    const packet: Packet = { from, to, family: familyOf(address), protocol: 'tcp', port, size: SYN_SIZE };
    // A cluster's own nodes are behind the load balancer.
    const { from: source } = sourceOf(from, undefined, packet.family);
    if (way.cluster !== from.cluster && !takesFrom(way, source)) return timeOut(name);
    await knock(from, packet, { name, port, podAddress: way.isPod ? address : undefined });
    if (way.drops) return timeOut(name);
    // What comes from the own cluster's nodes is let in: which node it is is not known here.
    const isOutside = backend !== undefined && way.cluster !== from.cluster;
    if (isOutside && !clusters.get(way.cluster)?.admitsOutside(backend.address, backend.port)) return timeOut(name);
    return reach(packet, backend, name);
  }

  async function dialPod(from: Sender, target: PodAddress): Promise<Socket> {
    const name = hostPort(target.address, target.port);
    const site = siteOf(target.cluster, target.address);
    const to = { cluster: site, node: placeIn(site, target.address)?.node };
    const plain: Packet = {
      ...{ from, to, family: familyOf(target.address), protocol: 'tcp', port: target.port, size: SYN_SIZE },
    };
    const packet = wired(plain);
    if (!packet) return timeOut(name);
    await knock(from, packet, { name, port: target.port, podAddress: target.address });
    if (!wired(answerTo(plain)) || !answers(from, to, target.address)) return timeOut(name);
    const identity = from.identity ?? { cluster: from.cluster, namespace: '', labels: {} };
    if (!clusters.get(site)?.admits(identity, target.address)) return timeOut(name);
    return reach(packet, { ...target, cluster: site }, name);
  }

  /** The first packet of a connection and what answers it, whether or not anything listens. Throws DialError. */
  async function knock(
    from: Sender,
    packet: Packet,
    { name, port, podAddress }: { name: string; port: number; podAddress?: string | undefined },
  ): Promise<void> {
    const there = fate(packet);
    if (!there.arrives) {
      if (there.how === 'lost') return timeOut(name);
      if (there.how === 'rejected') throw refusal(name);
      throw new DialError('EHOSTUNREACH', `dial tcp ${name}: connect: no route to host`);
    }
    tell(packet, podAddress, {
      ...sourceOf(from, podAddress, podAddress === undefined ? packet.family : familyOf(podAddress)),
      protocol: 'tcp',
      sourcePort: from.sourcePort ?? 0,
      port,
    });
    const back = fate(answerTo(packet));
    if (!back.arrives) return timeOut(name);
    const roundTripMs = there.delayMs + back.delayMs;
    if (roundTripMs > 0) await pause(roundTripMs);
  }

  async function reach(packet: Packet, target: PodAddress | undefined, name: string): Promise<Socket> {
    const realPort = target && listeners.get(keyOfAddress(target));
    if (realPort === undefined) throw refusal(name);
    const socket = await connect(realPort).catch(() => {
      throw refusal(name);
    });
    connections.set(socket, packet);
    socket.once('close', () => connections.delete(socket));
    return socket;
  }

  async function send(from: Sender, datagram: Datagram, owner?: string): Promise<Delivery> {
    const { protocol, address, port, size, payload } = datagram;
    const site = owner === undefined ? undefined : siteOf(owner, address);
    const way: Route = site
      ? { cluster: site, node: placeIn(site, address)?.node, isPod: true, backends: [] }
      : route(from.cluster, address, port ?? 0);
    const isEcho = protocol === 'icmp';
    const lost = async (): Promise<Delivery> => {
      if (!isEcho) return { outcome: 'sent' };
      await pause(connectTimeoutMs);
      return { outcome: 'silent' };
    };
    if (way.cluster === undefined) return lost();
    const to = { cluster: way.cluster, node: way.node };
    const plain: Packet = { from, to, family: familyOf(address), protocol, port, size };
    const packet = owner ? wired(plain) : plain;
    if (!packet) return lost();
    const there = fate(packet);
    if (!there.arrives) {
      if (there.how === 'lost') return lost();
      return { outcome: there.how === 'rejected' && !isEcho ? 'refused' : 'unreachable' };
    }
    const podAddress = way.isPod ? address : undefined;
    tell(packet, podAddress, { ...sourceOf(from, podAddress, plain.family), protocol, size, payload });
    const back = fate(isEcho || owner ? answerTo(packet) : errorTo(packet));
    const isAnswered = back.arrives && (!owner || answers(from, to, address));
    if (isEcho) {
      if (!isAnswered || !back.arrives || (owner && !wired(answerTo(plain)))) return lost();
      const delayMs = there.delayMs + back.delayMs;
      if (delayMs > 0) await pause(delayMs);
      return { outcome: 'answered', roundTripMs: ECHO_MS + delayMs };
    }
    const store = clusters.get(way.cluster)?.store;
    const isHeld = protocol !== 'udp' || (!way.isPod && store !== undefined && heldUdpPorts(store).includes(port ?? 0));
    return { outcome: isHeld || !isAnswered ? 'sent' : 'refused' };
  }

  async function answered(socket: Socket, bytes: number): Promise<void> {
    const opened = connections.get(socket);
    if (!opened) return;
    const overhead = opened.size - SYN_SIZE;
    const size = Math.min(bytes + HEADERS_SIZE + overhead, LARGEST_PACKET);
    const there = fate(opened);
    const back = fate({ ...answerTo(opened), size });
    // It is sent again and again, each time for nothing.
    if (!back.arrives) return new Promise(() => undefined);
    const roundTripMs = (there.arrives ? there.delayMs : 0) + back.delayMs;
    if (roundTripMs > 0) await pause(roundTripMs);
  }

  function tell({ to }: Packet, podAddress: string | undefined, arrival: Arrival) {
    for (const observer of observers) {
      if (observer.cluster !== to.cluster) continue;
      const { podAddresses, node } = observer;
      const isThere =
        podAddress === undefined ? !podAddresses && node === to.node : podAddresses?.includes(podAddress) === true;
      if (isThere) observer.onArrival(arrival);
    }
  }

  function addRule(rule: NetworkRule) {
    rules.set(rule.id, rule);
    for (const [socket, packet] of connections) {
      if (!fate(packet).arrives || !fate(answerTo(packet)).arrives) socket.destroy();
    }
  }

  async function timeOut(name: string): Promise<never> {
    await pause(connectTimeoutMs);
    throw new DialError('ETIMEDOUT', `dial tcp ${name}: i/o timeout`);
  }

  /** Ends early when the network does. */
  function pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(finish);
        done();
      };
      const timer = setTimeout(finish, ms);
      waiting.add(finish);
    });
  }

  return {
    alerts,
    resolve: (fromCluster, host) => resolveHost(clusters, hosts, fromCluster, host),
    dial,
    dialPod,
    send,
    answered,
    addRule,
    attach: (cluster) => void clusters.set(cluster.name, cluster),
    listen(cluster, address, port, realPort) {
      const keys = [address].flat().map((one) => keyOfAddress({ cluster, address: one, port }));
      for (const key of keys) listeners.set(key, realPort);
      return () => {
        for (const key of keys) if (listeners.get(key) === realPort) listeners.delete(key);
      };
    },
    observe(observer) {
      observers.add(observer);
      return () => void observers.delete(observer);
    },
    addHost: (name, address) => void hosts.set(name, address),
    removeRule: (id) => void rules.delete(id),
    rules: () => [...rules.values()],
    fateOf: fate,
    wired,
    answers,
    cutLink(a, b) {
      addRule(cutOf(a, b));
      addRule(cutOf(b, a));
    },
    mendLink(a, b) {
      rules.delete(cutOf(a, b).id);
      rules.delete(cutOf(b, a).id);
    },
    close() {
      for (const socket of connections.keys()) socket.destroy();
      for (const finish of waiting) finish();
    },
  };
}

function cutOf(from: string, to: string): NetworkRule {
  return { id: `drop:${from}>${to}`, action: 'drop', from: { cluster: from }, to: { cluster: to } };
}

/** ICMP's word that nothing listens. */
function errorTo({ from, to, family }: Packet): Packet {
  return { from: to, to: from, family, protocol: 'icmp', size: ICMP_ERROR_SIZE };
}

function refusal(name: string): DialError {
  return new DialError('ECONNREFUSED', `dial tcp ${name}: connect: connection refused`);
}

function keyOfAddress({ cluster, address, port }: PodAddress): string {
  return `${cluster} ${address} ${port}`;
}
