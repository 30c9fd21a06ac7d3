import { encryption, tunnelProtocol, underlayFamily } from '../cilium/datapath.ts';
import type { CiliumConfig } from '../cilium/known-keys.ts';
import { type CiliumVersion, compareMinors } from '../cilium/versions/versions.ts';

/** Bytes around a packet, from Cilium's pkg/mtu/mtu.go: outer IP and UDP, the tunnel's header, the inner Ethernet's. */
const TUNNEL = { 4: 50, 6: 70 } as const;
/** Of IPsec with a key of the usual length: `EncryptionIPsecOverhead`. */
const IPSEC = 77;
/** `WireguardOverhead`: the padding to 16 bytes was forgotten before cilium/cilium#45940, which is in 1.20. */
const WIREGUARD = { before: 80, padded: 95 } as const;
const PADDED_SINCE: CiliumVersion = { major: 1, minor: 20, patch: 0, suffix: '' };

/**
 * The bytes by which Cilium makes the MTU of pods' routes smaller than that of the nodes' device, for the tunnel and the
 * encryption that it adds to their packets (pkg/mtu/mtu.go, `getRouteMTU`). 0 where it adds neither.
 * @param version of the agents; without it the larger value, with which packets fit in any case
 */
export function tunnelOverhead(config: CiliumConfig, version?: CiliumVersion): number {
  const isTunnel = tunnelProtocol(config) !== undefined;
  const tunnel = isTunnel ? TUNNEL[underlayFamily(config)] : 0;
  const wireguard = version && compareMinors(version, PADDED_SINCE) < 0 ? WIREGUARD.before : WIREGUARD.padded;
  return tunnel + { WireGuard: wireguard, IPsec: IPSEC, ztunnel: 0, none: 0 }[encryption(config)];
}

/**
 * What cilium-config sets as the MTU of the network under Cilium (`mtu`, before what Cilium itself adds is taken off).
 * Undefined where it is 0, absent or no number: then each node takes that of its device.
 */
export function configuredMtu(config: CiliumConfig): number | undefined {
  const mtu = Number(config.mtu ?? 0);
  return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
}
