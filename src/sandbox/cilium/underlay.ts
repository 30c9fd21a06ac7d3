/** How a pod's packets to another cluster's pods travel from node to node, by ConfigMap cilium-config. */
import { encryption, routingMode, tunnelPort } from '../../mesh/cilium/datapath.ts';
import { tunnelOverhead } from '../../mesh/network/mtu.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import type { Packet } from '../pods/network-rules.ts';
import { ciliumConfigOf } from './cilium-config.ts';

/** Of WireGuard (Cilium's pkg/wireguard/types ListenPort). */
const WIREGUARD_PORT = 51871;

/**
 * The family of a tunnel's own packets (pkg/datapath/tunnel): that of option `underlay-protocol`, which by itself is IPv4
 * where that is on.
 */
function tunnelFamily(config: ReturnType<typeof ciliumConfigOf>): 4 | 6 {
  return config['underlay-protocol'] === 'ipv6' || config['enable-ipv4'] === 'false' ? 6 : 4;
}

/** A packet as it is on the wire: wrapped for the tunnel, encrypted, or as it was. */
export function onTheWire(store: Store, packet: Packet): Packet {
  const config = ciliumConfigOf(store);
  const { from, to } = packet;
  const size = packet.size + tunnelOverhead(config);
  if (encryption(config) === 'WireGuard') {
    // It dials a node at its IPv4 address if it has one (pkg/wireguard/agent).
    const family = config['enable-ipv4'] === 'false' ? 6 : 4;
    return { from, to, family, protocol: 'udp', port: WIREGUARD_PORT, size };
  }
  const port = tunnelPort(config);
  const family = port === undefined ? packet.family : tunnelFamily(config);
  if (encryption(config) === 'IPsec') return { from, to, family, protocol: 'esp', size };
  return port === undefined ? packet : { from, to, family, protocol: 'udp', port, size };
}

/** The UDP ports that Cilium's datapath holds on each node on which its agent has run. */
export function heldUdpPorts(store: Store): number[] {
  const config = ciliumConfigOf(store);
  return [tunnelPort(config) ?? [], encryption(config) === 'WireGuard' ? WIREGUARD_PORT : []].flat();
}

/** Whether the network itself knows the way to a cluster's pods. */
export function isNative(store: Store): boolean {
  return routingMode(ciliumConfigOf(store)) === 'native';
}
