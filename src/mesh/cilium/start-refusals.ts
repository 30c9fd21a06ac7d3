import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { isOn } from './datapath.ts';
import type { CiliumConfig } from './known-keys.ts';
import { type CiliumVersion, isSince, versionOfAgents } from './versions/versions.ts';

/** Why agents of a cluster do not start once it has an id, whatever else is right. */
export interface StartRefusal {
  /** The check that says it. */
  check: 'ztunnel' | 'cluster-id-of-eni';
  /** The key of cilium-config. */
  key: string;
  /** A clause about the cluster. */
  reason: string;
}

/** From here on Cilium knows it; agents before pass over the key. */
const ZTUNNEL_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/**
 * An agent that is to use ztunnel ends at its start where the cluster has an id (Cilium's pkg/ztunnel/cell.go, `validateConfig`;
 * pkg/clustermesh, `NewClusterMesh`).
 */
export function ztunnelRefusal({
  ciliumConfig = {},
  agent,
}: Pick<ClusterSnapshot, 'ciliumConfig' | 'agent'>): StartRefusal | undefined {
  // Those that run, and those that start from now on.
  const versions = [
    versionOfAgents(agent),
    ...(agent?.startsWith ? [versionOfAgents({ image: agent.startsWith })] : []),
  ];
  const isKnown = versions.some((version) => isSince(version, ZTUNNEL_SINCE));
  if (!isOn(ciliumConfig, 'enable-ztunnel') || !isKnown) return undefined;
  return {
    check: 'ztunnel',
    key: 'enable-ztunnel',
    reason:
      'Cilium encrypts with ztunnel (enable-ztunnel), with which its agents do not start in a cluster that has an id',
  };
}

/** What ends it; the end of a sentence. */
export const WITHOUT_ZTUNNEL =
  'have Cilium encrypt with WireGuard or IPsec, or not at all (Helm: encryption.type and encryption.enabled), before the cluster gets an id or agents are restarted.';

/** The bit of an id that is in the mark, too. */
const MARKED_BIT = 0x80;

/** Whether packets of pods have a mark of cloud interfaces, in which a bit of cluster ids is. */
export function marksByInterface(config: CiliumConfig): boolean {
  return ['eni', 'alibabacloud'].includes(config.ipam ?? '') || config['cni-chaining-mode'] === 'aws-cni';
}

/** Which ids such a cluster can have, in words. */
export const UNMARKED_IDS = 'an id below 128 (or, in a mesh of 511 clusters, of 256 to 383)';

/**
 * An agent ends at its start, too, where an id clashes with that mark, unless `allow-unsafe-policy-skb-usage` is set (Cilium's
 * pkg/clustermesh/cell.go; pkg/clustermesh/types/option.go, `ValidateBuggyClusterID`).
 */
export function markedIdRefusal(config: CiliumConfig, id: number): StartRefusal | undefined {
  if (!hasMarkedId(config, id) || isOn(config, 'allow-unsafe-policy-skb-usage')) return undefined;
  return {
    check: 'cluster-id-of-eni',
    key: 'cluster-id',
    reason: `the id is ${id}, which clashes with the packet mark of cloud interfaces (ENI), so Cilium's agents do not start`,
  };
}

/** Whether the bit is set of an id of such a cluster. */
export function hasMarkedId(config: CiliumConfig, id: number): boolean {
  return marksByInterface(config) && (id & MARKED_BIT) !== 0;
}
