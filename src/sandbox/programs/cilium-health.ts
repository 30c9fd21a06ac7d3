import type { Store } from '../apiserver/api.ts';
import type { VirtualNetwork } from '../network.ts';
import { typeOf } from '../objects.ts';
import type { PeerState } from '../remote-cluster.ts';

interface NodeAddress {
  name: string;
  cluster: string;
  ip: string;
}

/** What a probe that comes back says; in nanoseconds. */
const PROBE = { latency: 400_000 };

/**
 * `cilium-health status -o json` (Cilium's api/v1/health HealthStatusResponse): whether the nodes that the agent knows of,
 * its own and its peers', are reached over the sandbox's network.
 */
export function healthStatus(
  self: { cluster: string; node: string },
  {
    store,
    network,
    remotes,
    now,
  }: { store: Store; network: VirtualNetwork; remotes: ReadonlyMap<string, PeerState>; now: Date },
): Record<string, unknown> {
  const nodes = [...ownNodes(store, self.cluster), ...remoteNodes(remotes)];
  return {
    local: { name: `${self.cluster}/${self.node}` },
    nodes: nodes.map(({ name, cluster, ip }) => {
      const isReached = network.isLinkUp(self.cluster, cluster);
      const probe = { ...(isReached ? PROBE : { status: 'Connection timed out' }), lastProbed: now.toISOString() };
      const path = { 'primary-address': { ip, icmp: probe, http: probe } };
      return { name: `${cluster}/${name}`, host: path, 'health-endpoint': path };
    }),
    timestamp: now.toISOString(),
  };
}

function ownNodes(store: Store, cluster: string): NodeAddress[] {
  return store.list(typeOf('CiliumNode')).map(({ metadata, spec }) => {
    const { addresses = [] } = Object(spec) as { addresses?: { type: string; ip: string }[] };
    return { name: metadata.name, cluster, ip: addresses.find(({ type }) => type === 'InternalIP')?.ip ?? '' };
  });
}

function remoteNodes(remotes: ReadonlyMap<string, PeerState>): NodeAddress[] {
  return [...remotes].flatMap(([cluster, { nodes }]) =>
    [...nodes.values()].map((text) => {
      const { Name, IPAddresses = [] } = JSON.parse(text) as {
        Name: string;
        IPAddresses?: { Type: string; IP: string }[];
      };
      return { name: Name, cluster, ip: IPAddresses.find(({ Type }) => Type === 'InternalIP')?.IP ?? '' };
    }),
  );
}
