import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { overlap, parseCidr } from './cidr.ts';
import { encryption, isOn } from './datapath.ts';
import { knownRanges } from './pod-ranges.ts';
import { type CiliumVersion, isSince, versionOfAgents } from './versions/versions.ts';

/** The options for each way are from 1.19; the one before, for what is sent, is gone from 1.20 on (pkg/option/config.go). */
const BY_WAY_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };
const BY_WAY_ONLY_SINCE: CiliumVersion = { major: 1, minor: 20, patch: 0, suffix: '' };

/**
 * Whether strict mode of a cluster that encrypts with WireGuard drops packets between its pods and those of another that does not. What is
 * sent, also as an answer, it drops where both addresses are in its range, which is of IPv4 (bpf/lib/encrypt.h, `strict_allow`); what arrives, where it
 * knows the sender for a pod of the mesh, so of clusters that it dials (bpf/bpf_host.c, `encryption_strict_ingress`). Ranges of pods that
 * are not known are taken to be in it.
 */
export function strictModeDrops(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  return (
    dropsSent(client, server) ||
    dropsSent(server, client) ||
    (encryptsAlone(client, server) && strictModeOf(client).ingress)
  );
}

function dropsSent(from: ClusterSnapshot, to: ClusterSnapshot): boolean {
  const { egress } = strictModeOf(from);
  return egress !== undefined && encryptsAlone(from, to) && isIn(from, egress) && isIn(to, egress);
}

function encryptsAlone(one: ClusterSnapshot, other: ClusterSnapshot): boolean {
  return encryption(one.ciliumConfig ?? {}) === 'WireGuard' && encryption(other.ciliumConfig ?? {}) !== 'WireGuard';
}

/** What strict mode is set to: the range of what is sent, where it is on for that; and whether it is for what arrives. */
export function strictModeOf({ ciliumConfig: config = {}, agent }: Pick<ClusterSnapshot, 'ciliumConfig' | 'agent'>): {
  egress: string | undefined;
  ingress: boolean;
} {
  const version = versionOfAgents(agent);
  const byWay = isSince(version, BY_WAY_SINCE);
  const former = version === undefined || !isSince(version, BY_WAY_ONLY_SINCE);
  const egress =
    byWay && isOn(config, 'enable-encryption-strict-mode-egress')
      ? config['encryption-strict-egress-cidr']
      : former && isOn(config, 'enable-encryption-strict-mode')
        ? config['encryption-strict-mode-cidr']
        : undefined;
  return { egress, ingress: byWay && isOn(config, 'enable-encryption-strict-mode-ingress') };
}

function isIn(cluster: ClusterSnapshot, cidr: string): boolean {
  const range = parseCidr(cidr);
  const pods = knownRanges(cluster);
  return range !== undefined && (pods.length === 0 || pods.some((one) => overlap(one, range)));
}
