import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { familyOf } from '../../mesh/cilium/cidr.ts';
import { ipFamilies } from '../../mesh/cilium/datapath.ts';
import { ciliumConfigOf } from '../cilium/cilium-config.ts';
import { ciliumNodesOf, remoteNodesOf } from '../cilium/cilium-nodes.ts';
import { ofFamily } from '../fixtures/addresses.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { answerTo, type Packet, type Place, type Protocol } from '../pods/network-rules.ts';
import type { NodeView } from './node-view.ts';

/** On which each agent answers the others' probes (Cilium's `cluster-health-port`). */
export const HEALTH_PORT = 4240;

/** What a probe that comes back takes here, in nanoseconds. */
const LATENCY_NS = 400_000;
const NS_PER_MS = 1_000_000;
const PROBE_SIZE = 84;
/** As Cilium has it for two addresses. Here each question is a probe. */
const PROBE_INTERVAL = '1m5.916737334s';

/** What listens on loopback for all nodes of a cluster. */
export interface HealthServer {
  port: Promise<number>;
  close(): void;
}

export function startHealthServer(): HealthServer {
  const server = createServer((_request, response) => response.end());
  const port = new Promise<number>((done) =>
    server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port)),
  );
  return {
    port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * `cilium-health status -o json` (Cilium's api/v1/health HealthStatusResponse): whether the nodes that the agent knows of,
 * its own and its peers', are reached over the sandbox's network: the node itself, and its health endpoint, which is a pod.
 * @param name the cluster's, with which the agent was started
 */
export function healthStatus(
  view: NodeView,
  { network, name, now }: { network: VirtualNetwork; name: string; now: Date },
): Record<string, unknown> {
  const own = ciliumNodesOf(view.store).map((node) => ({ cluster: view.cluster, ...node }));
  const from: Place = { cluster: view.cluster, node: view.node };
  const families = ipFamilies(ciliumConfigOf(view.store));
  const asIs = (packet: Packet) => packet;
  const asking = { ...from, nodeAddresses: view.facts?.internalIps };
  const throughCilium = (packet: Packet, ip: string) =>
    network.answers(asking, packet.to, ip) ? network.wired(answerTo(packet)) && network.wired(packet) : undefined;
  return {
    local: { name: `${name}/${view.node}` },
    nodes: [...own, ...remoteNodesOf(view.remotes)].map(({ name: node, cluster, internalIps, healthIps }) => {
      const path = (ip: string, wrap: Wrap) => {
        const probe = (protocol: Protocol) => {
          const port = protocol === 'tcp' ? HEALTH_PORT : undefined;
          const to = { cluster, node };
          const packet = wrap({ from, to, family: familyOf(ip), protocol, port, size: PROBE_SIZE }, ip);
          return { ...outcomeOf(network, packet), lastProbed: now.toISOString() };
        };
        return { ip, icmp: probe('icmp'), http: probe('tcp') };
      };
      // With both families IPv4 comes first (pkg/health/server/node.go).
      const paths = (ips: readonly string[], wrap: Wrap) => {
        const [primary, ...others] = families
          .flatMap((family) => ofFamily(ips, family) ?? [])
          .map((ip) => path(ip, wrap));
        return { 'primary-address': primary, 'secondary-addresses': others };
      };
      return {
        name: `${cluster}/${node}`,
        host: paths(internalIps, asIs),
        'health-endpoint': paths(healthIps, throughCilium),
      };
    }),
    timestamp: now.toISOString(),
    probeInterval: PROBE_INTERVAL,
  };
}

/** What becomes of a packet, and of its answer, before the network; undefined where one of them does not get there. */
type Wrap = (packet: Packet, ip: string) => Packet | undefined;

function outcomeOf(network: VirtualNetwork, packet: Packet | undefined): { latency: number } | { status: string } {
  if (!packet) return { status: 'Connection timed out' };
  const there = network.fateOf(packet);
  const back = network.fateOf(answerTo(packet));
  if (there.arrives && back.arrives) return { latency: LATENCY_NS + (there.delayMs + back.delayMs) * NS_PER_MS };
  if (there.arrives || there.how === 'lost' || packet.protocol === 'icmp') return { status: 'Connection timed out' };
  return { status: there.how === 'rejected' ? 'Connection refused' : 'No route to host' };
}
