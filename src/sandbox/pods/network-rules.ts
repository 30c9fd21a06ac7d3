/** What the sandbox's network does to packets between clusters by rule, as firewalls, routers and links do it. */

export type RuleAction = 'drop' | 'reject' | 'delay' | 'mtu' | 'no-route';
export type Protocol = 'tcp' | 'udp' | 'icmp' | 'esp';

/** A cluster, or one node of it. */
export interface Place {
  cluster: string;
  node?: string | undefined;
}

/** What becomes of packets from one place to another; answers go the other way, and are not meant by it. */
export interface NetworkRule {
  id: string;
  action: RuleAction;
  from: Place;
  to: Place;
  /** Absent: both. */
  family?: 4 | 6 | undefined;
  /** Absent: every one. */
  protocol?: Protocol | undefined;
  /** The one that a packet goes to. */
  port?: number | undefined;
  /** Of `delay`. */
  ms?: number | undefined;
  /** Of `mtu`: the largest IP packet that goes through, in bytes; larger ones are lost without a word. */
  mtu?: number | undefined;
}

/** As it is on the wire between two nodes: of what is wrapped, the wrapping. */
export interface Packet {
  from: Place;
  to: Place;
  family: 4 | 6;
  protocol: Protocol;
  port?: number | undefined;
  /** Bytes, with the IP header. */
  size: number;
}

export type Fate =
  | { arrives: true; delayMs: number }
  /** `lost`: nobody hears of it. `rejected`, `no-route`: the sender hears it at once. */
  | { arrives: false; how: 'lost' | 'rejected' | 'no-route' };

/** What the rules make of a packet. What goes from a cluster to itself is not on the network that they are about. */
export function fateOf(rules: Iterable<NetworkRule>, packet: Packet): Fate {
  let delayMs = 0;
  if (packet.from.cluster === packet.to.cluster) return { arrives: true, delayMs };
  const met = [...rules].filter((rule) => isMet(rule, packet));
  // A router without a route does not come to filter.
  if (met.some(({ action }) => action === 'no-route')) return { arrives: false, how: 'no-route' };
  for (const { action, ms = 0, mtu = Number.POSITIVE_INFINITY } of met) {
    if (action === 'reject') return { arrives: false, how: 'rejected' };
    if (action === 'drop' || (action === 'mtu' && packet.size > mtu)) return { arrives: false, how: 'lost' };
    if (action === 'delay') delayMs += ms;
  }
  return { arrives: true, delayMs };
}

/** What comes back: of a tunnel to the tunnel's port there, of a connection to whichever port it was opened from. */
export function answerTo({ from, to, family, protocol, port, size }: Packet): Packet {
  return { from: to, to: from, family, protocol, port: protocol === 'tcp' ? undefined : port, size };
}

function isMet({ from, to, family, protocol, port }: NetworkRule, packet: Packet): boolean {
  return (
    isWithin(packet.from, from) &&
    isWithin(packet.to, to) &&
    (family === undefined || family === packet.family) &&
    (protocol === undefined || protocol === packet.protocol) &&
    (port === undefined || port === packet.port)
  );
}

function isWithin(place: Place, wanted: Place): boolean {
  return place.cluster === wanted.cluster && (wanted.node === undefined || place.node === wanted.node);
}
