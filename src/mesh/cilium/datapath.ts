import { type AddressRange, parseCidr } from './cidr.ts';
import type { CiliumConfig, CiliumConfigKey } from './known-keys.ts';
import { type CiliumVersion, compareMinors, isSince, versionOfImage } from './versions/versions.ts';

/** A cluster, as far as cilium-config was read. */
interface Configured {
  ciliumConfig?: CiliumConfig | undefined;
}

export type TunnelProtocol = 'vxlan' | 'geneve';
export type Encryption = 'WireGuard' | 'IPsec' | 'ztunnel' | 'none';

/** UDP ports of Cilium's pkg/defaults, `TunnelPortVXLAN` and `TunnelPortGeneve`. */
const TUNNEL_PORTS: Readonly<Record<string, number>> = { vxlan: 8472, geneve: 6081 };

/** Whether a switch of cilium-config is on. @param absent what its absence means */
export function isOn(config: CiliumConfig, key: CiliumConfigKey, absent = false): boolean {
  return (config[key] ?? String(absent)) === 'true';
}

/** The families of addresses that pods have. */
export function ipFamilies(config: CiliumConfig): (4 | 6)[] {
  return [
    ...(isOn(config, 'enable-ipv4', true) ? [4 as const] : []),
    ...(isOn(config, 'enable-ipv6') ? [6 as const] : []),
  ];
}

/** The families in which Cilium masquerades packets of pods that leave the cluster: it gives them their node's address. */
export function maskedFamilies(config: CiliumConfig): (4 | 6)[] {
  return ipFamilies(config).filter((family) => isOn(config, `enable-ipv${family}-masquerade`, true));
}

/** The option with the range in which pods of a family keep their own address. */
export const rangeOption = (family: 4 | 6) => `ipv${family}-native-routing-cidr` as const;

/** For which addresses of each family a cluster's pods keep their own, as far as that is set. */
export function unmaskedRanges(config: CiliumConfig): { option: string; cidr: string; range: AddressRange }[] {
  return maskedFamilies(config).flatMap((family) => {
    const option = rangeOption(family);
    const cidr = config[option] ?? '';
    const range = parseCidr(cidr);
    return range ? [{ option, cidr, range }] : [];
  });
}

/** What pods of two clusters can reach each other over; where that is nothing, what those of the first would send. */
export function sharedFamilies(from: CiliumConfig, to: CiliumConfig): (4 | 6)[] {
  const [ours, theirs] = [ipFamilies(from), ipFamilies(to)];
  const shared = ours.filter((family) => theirs.includes(family));
  return shared.length > 0 ? shared : ours;
}

/**
 * The family of the packets in which a tunnel wraps those of pods, of either family: one only (option `underlay-protocol`:
 * `ipv4`, `ipv6` or `auto`, which is IPv4 where that is on; pkg/datapath/tunnel).
 */
export function underlayFamily(config: CiliumConfig): 4 | 6 {
  if (config['underlay-protocol'] === 'ipv6') return 6;
  return isOn(config, 'enable-ipv4', true) ? 4 : 6;
}

/** `tunnel` or `native`. The former option `tunnel`, which said this and the protocol, is gone from 1.15 on. */
export function routingMode(config: CiliumConfig): string {
  return config['routing-mode'] ?? 'tunnel';
}

/** Whether Cilium wraps packets to other nodes; it does unless told otherwise. */
export function isTunnel({ ciliumConfig }: Configured): boolean {
  return routingMode(ciliumConfig ?? {}) !== 'native';
}

/** Whether Cilium speaks BGP. */
export function usesBgp({ ciliumConfig }: Configured): boolean {
  return isOn(ciliumConfig ?? {}, 'enable-bgp-control-plane');
}

/** What packets to other nodes are wrapped in; undefined where they are routed natively. */
export function tunnelProtocol(config: CiliumConfig): string | undefined {
  if (routingMode(config) !== 'tunnel') return undefined;
  return config['tunnel-protocol'] ?? 'vxlan';
}

/**
 * The UDP port to which a node sends what it wraps: `tunnel-port`, where 0 or nothing means the protocol's own (Cilium's
 * pkg/datapath/tunnel). Undefined where there is no tunnel.
 */
export function tunnelPort(config: CiliumConfig): number | undefined {
  const protocol = tunnelProtocol(config);
  if (protocol === undefined) return undefined;
  return Number(config['tunnel-port'] ?? 0) || TUNNEL_PORTS[protocol] || TUNNEL_PORTS.vxlan;
}

/** How packets between pods of different nodes are encrypted (Cilium's chart sets one of these options; ztunnel from 1.19). */
export function encryption(config: CiliumConfig): Encryption {
  if (isOn(config, 'enable-wireguard')) return 'WireGuard';
  if (isOn(config, 'enable-ipsec')) return 'IPsec';
  return isOn(config, 'enable-ztunnel') ? 'ztunnel' : 'none';
}

/**
 * Whether packets of pods to another cluster, which encrypts differently, are lost. With WireGuard everything that a tunnel wraps goes to
 * its device, which knows no way to a node without a key of WireGuard; what is routed natively does so where the peer's pods have any
 * key, as with IPsec (bpf/lib/wireguard.h, `wg_maybe_redirect_to_encrypt`; pkg/node, `GetEndpointEncryptKeyIndex`). To pods without one,
 * both send as they would without encryption (bpf/lib/ipsec.h, `get_min_encrypt_key`). Mixed clusters are not supported (Cilium's docs,
 * "WireGuard Transparent Encryption").
 */
export function encryptionLoses(from: CiliumConfig, to: CiliumConfig): boolean {
  if (encryption(from) !== 'WireGuard' || encryption(to) === 'WireGuard') return false;
  return routingMode(from) !== 'native' || encryption(to) === 'IPsec';
}

/** Whether Cilium stands in for kube-proxy: `true`, or before 1.14 also `strict`, `partial`, `probe`. */
export function replacesKubeProxy(config: CiliumConfig): boolean {
  return !['false', 'disabled', undefined].includes(config['kube-proxy-replacement']);
}

/** Who asks for a Service, and may be served by kube-proxy where Cilium does not replace that. */
export type KubeProxyClient = 'outside' | 'host-network';

/** Cilium obeys `enable-node-port` before this version (pkg/kpr); from it on it goes by kube-proxy replacement only. */
const NODE_PORT_UNTIL: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/**
 * Whose requests for Services kube-proxy serves, which knows no backends of other clusters: from outside by NodePorts and load
 * balancers, and from the host network, that is nodes and host-network pods, unless `bpf-lb-sock` has these served by Cilium
 * (Cilium's docs, "Load-balancing & Service Discovery", "Limitations"; pkg/kpr).
 * @param image of the agents; absent: it is not known
 */
export function leftToKubeProxy(config: CiliumConfig, image?: string): KubeProxyClient[] {
  if (replacesKubeProxy(config)) return [];
  const version = image === undefined ? undefined : versionOfImage(image);
  const obeys = !version || compareMinors(version, NODE_PORT_UNTIL) < 0;
  return [
    ...(isOn(config, 'enable-node-port') && obeys ? [] : ['outside' as const]),
    ...(isOn(config, 'bpf-lb-sock') ? [] : ['host-network' as const]),
  ];
}

/** From this version on agents tell zones from nodes in what a Service prefers; before, `PreferClose` is all that they know. */
const PREFERENCES_FROM: CiliumVersion = { major: 1, minor: 20, patch: 0, suffix: '' };

/**
 * Which values of a Service's `trafficDistribution` agents go by, if any: `enable-service-topology` (pkg/loadbalancer/reflectors,
 * `trafficDistribution`).
 * @param image of the agents; absent: it is not known, and they may go by all
 */
export function heededDistributions(config: CiliumConfig, image?: string): string[] {
  if (!isOn(config, 'enable-service-topology')) return [];
  const version = image === undefined ? undefined : versionOfImage(image);
  return isSince(version, PREFERENCES_FROM) ? ['PreferClose', 'PreferSameZone', 'PreferSameNode'] : ['PreferClose'];
}

/** The option by which agents are told to pass over the internalTrafficPolicy of Services; on by default. */
export const INTERNAL_POLICY = 'enable-internal-traffic-policy';

/** From this version on agents heed the policy whatever it says (pkg/loadbalancer/writer); 1.19 has removed it. */
const HEEDED_FROM: CiliumVersion = { major: 1, minor: 18, patch: 0, suffix: '' };

/** Whether agents of an image obey {@link INTERNAL_POLICY} (pkg/k8s/service.go of 1.17). One without a version is taken not to. */
export function obeysInternalPolicyOption(image: string): boolean {
  return !isSince(versionOfImage(image), HEEDED_FROM);
}
