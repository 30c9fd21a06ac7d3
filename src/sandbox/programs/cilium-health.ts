import { ciliumNodesOf } from '../cilium/cilium-nodes.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type NodeView, remoteNodesOf } from './node-view.ts';

/** What a probe that comes back says; in nanoseconds. */
const PROBE = { latency: 400_000 };

/**
 * `cilium-health status -o json` (Cilium's api/v1/health HealthStatusResponse): whether the nodes that the agent knows of,
 * its own and its peers', are reached over the sandbox's network.
 * @param name the cluster's, with which the agent was started
 */
export function healthStatus(
  view: NodeView,
  { network, name, now }: { network: VirtualNetwork; name: string; now: Date },
): Record<string, unknown> {
  const own = ciliumNodesOf(view.store).map((node) => ({ cluster: view.cluster, ...node }));
  return {
    local: { name: `${name}/${view.node}` },
    nodes: [...own, ...remoteNodesOf(view)].map(({ name: node, cluster, internalIp }) => {
      const isReached = network.isLinkUp(view.cluster, cluster);
      const probe = { ...(isReached ? PROBE : { status: 'Connection timed out' }), lastProbed: now.toISOString() };
      const path = { 'primary-address': { ip: internalIp, icmp: probe, http: probe } };
      return { name: `${cluster}/${node}`, host: path, 'health-endpoint': path };
    }),
    timestamp: now.toISOString(),
  };
}
