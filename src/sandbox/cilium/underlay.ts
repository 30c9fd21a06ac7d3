/** How a pod's packets to another cluster's pods travel from node to node, by ConfigMap cilium-config. */
import { encryption, routingMode, tunnelPort } from '../../mesh/cilium/datapath.ts';
import {
  type CiliumVersion,
  compareMinors,
  compareVersions,
  versionOfImage,
} from '../../mesh/cilium/versions/versions.ts';
import { tunnelOverhead } from '../../mesh/network/mtu.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { type DaemonSet, type Node, typeOf } from '../objects.ts';
import type { Packet } from '../pods/network-rules.ts';
import { ciliumConfigOf } from './cilium-config.ts';

/** Of WireGuard (Cilium's pkg/wireguard/types ListenPort). */
const WIREGUARD_PORT = 51871;

/** From here on IPsec encrypts what is in the tunnel's packets already; before, it was ESP that was wrapped (cilium/cilium#37723). */
const ESP_OUTSIDE_SINCE: CiliumVersion = { major: 1, minor: 18, patch: 0, suffix: '' };

/** Of the agents, by their image; undefined where that does not tell. */
export function agentVersion(store: Store): CiliumVersion | undefined {
  const agents = store.list(typeOf('DaemonSet')).find(({ metadata }) => metadata.name === 'cilium') as
    | DaemonSet
    | undefined;
  return versionOfImage(agents?.spec.template.spec.containers.find(({ name }) => name === 'cilium-agent')?.image ?? '');
}

/**
 * The family of a tunnel's own packets (pkg/datapath/tunnel): that of option `underlay-protocol`, which by itself is IPv4
 * where that is on.
 */
function tunnelFamily(config: ReturnType<typeof ciliumConfigOf>): 4 | 6 {
  return config['underlay-protocol'] === 'ipv6' || config['enable-ipv4'] === 'false' ? 6 : 4;
}

/** WireGuard obeys the tunnel's family from here on (cilium/cilium#45247). */
const WIREGUARD_UNDERLAY_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 3, suffix: '' };

/** At which of a node's addresses WireGuard dials it (pkg/wireguard/agent). */
function wireguardFamily(
  config: ReturnType<typeof ciliumConfigOf>,
  version: CiliumVersion | undefined,
  peer: Store,
): 4 | 6 {
  if (config['enable-ipv4'] === 'false') return 6;
  const nodes = peer.list(typeOf('Node')) as Node[];
  const hasSix = nodes.some(({ status }) => status?.addresses?.some(({ address }) => address.includes(':')));
  const isUnderSix = tunnelPort(config) !== undefined && tunnelFamily(config) === 6 && config['enable-ipv6'] === 'true';
  return isUnderSix && hasSix && version && compareVersions(version, WIREGUARD_UNDERLAY_SINCE) >= 0 ? 6 : 4;
}

/**
 * A packet as it is on the wire: wrapped for the tunnel, encrypted, or as it was. Undefined where it does not get there: with
 * WireGuard all that a tunnel wraps goes to its device, which knows no way to a node that has no key, as those of a cluster without
 * WireGuard; what is routed natively goes to it only for pods that have one, of IPsec too (bpf/lib/wireguard.h,
 * `wg_maybe_redirect_to_encrypt`; pkg/wireguard/agent). Mixed clusters are not supported (Cilium's docs, "WireGuard Transparent
 * Encryption").
 * @param peer the cluster that gets it, where that is another one
 */
export function onTheWire(store: Store, packet: Packet, peer?: Store): Packet | undefined {
  const config = ciliumConfigOf(store);
  const { from, to } = packet;
  const version = agentVersion(store);
  const peers = peer === undefined ? 'WireGuard' : encryption(ciliumConfigOf(peer));
  if (encryption(config) === 'WireGuard' && peers !== 'WireGuard')
    return isNative(store) && peers === 'none' ? packet : undefined;
  const size = packet.size + tunnelOverhead(config, version);
  if (encryption(config) === 'WireGuard') {
    return {
      from,
      to,
      family: wireguardFamily(config, version, peer ?? store),
      protocol: 'udp',
      port: WIREGUARD_PORT,
      size,
    };
  }
  const port = tunnelPort(config);
  // A pod is at the address of its node that its own cluster says (pkg/node, `GetCiliumEndpointNodeIP`).
  const family = port === undefined ? packet.family : tunnelFamily(peer ? ciliumConfigOf(peer) : config);
  const isInside = port !== undefined && version !== undefined && compareMinors(version, ESP_OUTSIDE_SINCE) < 0;
  if (encryption(config) === 'IPsec' && !isInside) return { from, to, family, protocol: 'esp', size };
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
