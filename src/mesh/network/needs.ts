import { addressLack, type Endpoint, isIpAddress, listEndpoints, splitHostPort } from '../apiserver/endpoints.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { familyOf, IP_FAMILIES } from '../cilium/cidr.ts';
import {
  encryption,
  ipFamilies,
  isOn,
  sharedFamilies,
  tunnelPort,
  tunnelProtocol,
  underlayFamily,
} from '../cilium/datapath.ts';
import type { CiliumConfig } from '../cilium/known-keys.ts';
import { internalAddress } from '../cilium/node-addresses.ts';
import { compareMinors, compareVersions, minorOf, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { familiesOfDiallers } from '../connect/families-apart.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverServiceRef } from '../objects/names.ts';
import { groupBy } from '../pairs.ts';
import { asKnown, knownAs } from '../peers/concerned-peers.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { choicesFor, dialsOneWay } from '../peers/peer-choices.ts';
import { configuredPeers } from '../peers/peers.ts';

export type NeedKind = 'tunnel' | 'wireguard' | 'ipsec' | 'health' | 'ping' | 'apiserver' | 'pod-to-pod';

/** Something that the network between two clusters must let through, from the client to the server. */
export interface NetworkNeed {
  kind: NeedKind;
  protocol: 'udp' | 'tcp' | 'esp' | 'icmp' | 'all';
  /** In which it is sent; to an apiserver that is what its hosts are. */
  families: readonly (4 | 6)[];
  /** The destination's; only of `udp` and `tcp`. */
  port?: number;
  /** Who sends. Pods' packets have the address of their node, where Cilium masquerades them. */
  from: 'nodes' | 'pods';
  /** `nodes`: at their InternalIP. */
  to: 'nodes' | 'pods' | 'apiserver';
  /** Only to an apiserver: the addresses, or host names, that are dialled. */
  hosts?: readonly string[];
  /** Whether the mesh does not work without it, or only what looks after it. */
  required: boolean;
  /** What for: one clause. */
  why: string;
}

/** Something that could not be told, and why. */
export interface UnknownNeed {
  /** The context of the cluster that does not tell it. */
  context: string;
  kind: NeedKind | 'all';
  /** One clause about the cluster. */
  why: string;
  /** What makes it known: ends with a command. */
  hint?: string;
}

/** UDP port of Cilium's pkg/wireguard/types, `ListenPort`. */
const WIREGUARD_PORT = 51871;
/** Cilium's option `cluster-health-port` (pkg/defaults). */
const HEALTH_PORT = 4240;
/** From here on IPsec encrypts what is in the tunnel's packets already; before, it was ESP that was wrapped (cilium/cilium#37723). */
const ESP_OUTSIDE_SINCE = { major: 1, minor: 18, patch: 0, suffix: '' };
/** From here on WireGuard goes by `underlay-protocol` (cilium/cilium#44629, in 1.19 #45247); before, it took IPv4 wherever a node has it. */
const WIREGUARD_UNDERLAY_SINCE = { major: 1, minor: 19, patch: 3, suffix: '' };

/**
 * What nodes and pods of `client` must reach at `server`: this direction only. Each node sends to the port that its own
 * cluster's options name, so it is the client's cilium-config that counts (Cilium's Documentation/operations,
 * "Firewall Rules"). Nothing of a client without cilium-config; {@link unknownNeeds} says so.
 * @param endpoints where the client will dial the server; default: where it does, or would
 */
export function networkNeeds(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  endpoints?: readonly Endpoint[],
): NetworkNeed[] {
  return [
    ...trafficNeeds(client, server),
    ...healthNeeds(client, server),
    ...apiserverNeeds(client, server, endpoints),
  ];
}

/**
 * The families of addresses between nodes in which what carries the packets of pods from client to server travels. That nodes do
 * not reach each other in another one, as over IPv6 beside a tunnel over IPv4, costs nothing but the report of cilium-health.
 */
export function carryingFamilies(client: ClusterSnapshot, server: ClusterSnapshot): ReadonlySet<4 | 6> {
  return new Set(trafficNeeds(client, server).flatMap(({ families }) => families));
}

/** What {@link networkNeeds} of the same two clusters could not tell. */
export function unknownNeeds(client: ClusterSnapshot, server: ClusterSnapshot): UnknownNeed[] {
  const unread = [client, server]
    .filter(({ ciliumConfig }) => !ciliumConfig)
    .map(({ context }) => ({ context, kind: 'all' as const, why: 'there is no ConfigMap cilium-config' }));
  const isDialled = dialsAtAll(client, server);
  const noAddress =
    isDialled && dialledBy(client, server).length === 0
      ? [
          {
            context: server.context,
            kind: 'apiserver' as const,
            why: 'its clustermesh-apiserver has no address for peers to dial yet',
            hint: addressLack(server).hint,
          },
        ]
      : [];
  return [...unread, ...noAddress];
}

/**
 * Where a client dials the Service of a server that has none any more: whoever gets that address next is somebody else. An
 * address that was chosen need not be the Service's.
 */
export function goneAddress(client: ClusterSnapshot, server: ClusterSnapshot): UnknownNeed | undefined {
  const { context, namespace, unread } = server;
  const isThere = apiserverService(server) !== undefined || unread?.has(keyOf(apiserverServiceRef(namespace)));
  const peer = knownAs(server);
  if (isThere || choicesFor(client, peer).endpoints || dialledAddresses(client, peer).length === 0) return undefined;
  const { says, hint } = addressLack(server);
  return { context, kind: 'apiserver', why: says, hint };
}

/** What carries the packets of pods. */
function trafficNeeds(client: ClusterSnapshot, server: ClusterSnapshot): NetworkNeed[] {
  const { ciliumConfig: config } = client;
  if (!config) return [];
  const protocol = tunnelProtocol(config);
  const shared = sharedFamilies(config, server.ciliumConfig ?? {});
  const underlay = tunnelFamilies(config, server);
  const nodes = { from: 'nodes', to: 'nodes' } as const;
  const encrypted = encryption(config);
  const name = protocol === 'geneve' ? 'Geneve' : 'VXLAN';
  // A node without a key of the other's, as without WireGuard there, sends it plain packets; what a tunnel wraps it loses, which no
  // firewall mends.
  const isWireguard = encrypted === 'WireGuard' && encryption(server.ciliumConfig ?? {}) === 'WireGuard';
  const esp = encrypted === 'IPsec' ? espPlace(protocol !== undefined, [client, server]) : undefined;
  const needs: NetworkNeed[] = [];
  if (protocol !== undefined) {
    const port = tunnelPort(config);
    const why = isWireguard
      ? `nodes send pods their own packets in ${name}; those of pods are in WireGuard`
      : esp === 'outside'
        ? `ESP has pods' packets in ${name} inside; Cilium before ${minorOf(ESP_OUTSIDE_SINCE)} sends it bare`
        : `pods' packets travel in ${name}`;
    for (const family of underlay) {
      needs.push({
        kind: 'tunnel',
        protocol: 'udp',
        ...(port ? { port } : {}),
        ...nodes,
        families: [family],
        required: esp !== 'outside',
        why,
      });
    }
  }
  if (isWireguard) {
    const why = "pods' packets travel in WireGuard";
    const families = [wireguardFamily(client, config, server)];
    needs.push({ kind: 'wireguard', protocol: 'udp', port: WIREGUARD_PORT, families, ...nodes, required: true, why });
  }
  if (esp !== undefined) {
    const why =
      esp === 'inside'
        ? `Cilium ${minorOf(ESP_OUTSIDE_SINCE)} and later send ESP between nodes; now it is in ${name}`
        : "pods' packets travel in ESP (IPsec)";
    // In a tunnel ESP is around, or in, its packets; without one a packet of pods keeps its family.
    const families = protocol === undefined ? shared : underlay;
    needs.push({ kind: 'ipsec', protocol: 'esp', families, ...nodes, required: esp !== 'inside', why });
  }
  if (protocol === undefined) {
    const why =
      encrypted === 'none'
        ? "pods' packets are routed as they are (native routing)"
        : 'what nodes send pods is routed as it is (native routing)';
    const pods = { from: 'pods', to: 'pods' } as const;
    needs.push({ kind: 'pod-to-pod', protocol: 'all', families: shared, ...pods, required: true, why });
  }
  return needs;
}

/**
 * In which families the packets of a tunnel are sent to another cluster: to its pods, that which its own tunnels are in, for it tells at
 * which address of its nodes they are (pkg/node, `GetCiliumEndpointNodeIP`; pkg/ipcache/kvstore.go takes it as it is told); to its nodes,
 * that of the tunnels of who sends (pkg/node/manager, `NodeUpdated`).
 */
function tunnelFamilies(config: CiliumConfig, { ciliumConfig = config }: ClusterSnapshot): (4 | 6)[] {
  return [...new Set([underlayFamily(ciliumConfig), underlayFamily(config)])];
}

/**
 * WireGuard carries both families, and dials a node at one address: beneath tunnels over IPv6 the IPv6 one, where the node has one, else the
 * IPv4 one where it has one and that is on (pkg/wireguard/agent, `updatePeer`).
 */
function wireguardFamily({ agent }: ClusterSnapshot, config: CiliumConfig, { nodes }: ClusterSnapshot): 4 | 6 {
  const families = ipFamilies(config);
  const has = (family: 4 | 6) =>
    nodes.length === 0 || nodes.some((node) => internalAddress(node, family) !== undefined);
  const version = versionOfAgents(agent);
  const followsTunnel = !version || compareVersions(version, WIREGUARD_UNDERLAY_SINCE) >= 0;
  const isUnderSix = tunnelProtocol(config) !== undefined && underlayFamily(config) === 6 && families.includes(6);
  if (followsTunnel && isUnderSix && has(6)) return 6;
  const [first = 4] = families;
  return has(4) ? first : 6;
}

/** What is outermost between two nodes that use IPsec. `unknown`: either, as the agents' version cannot be told. */
function espPlace(tunnels: boolean, clusters: readonly ClusterSnapshot[]): 'inside' | 'outside' | 'unknown' {
  if (!tunnels) return 'outside';
  const versions = clusters.map(({ agent }) => versionOfAgents(agent));
  const old = versions.map((version) => version && compareMinors(version, ESP_OUTSIDE_SINCE) < 0);
  if (old.every((isOld) => isOld === true)) return 'inside';
  return old.every((isOld) => isOld === false) ? 'outside' : 'unknown';
}

/**
 * What cilium-health asks other nodes. It probes each address of a node that is of a family which is on (pkg/health/server),
 * and is needed in {@link carryingFamilies} alone.
 */
function healthNeeds(client: ClusterSnapshot, server: ClusterSnapshot): NetworkNeed[] {
  const { ciliumConfig: config } = client;
  const isAsked = isOn(server.ciliumConfig ?? {}, 'enable-health-checking', true);
  if (!config || !isAsked || !isOn(config, 'enable-health-checking', true)) return [];
  const port = Number(config['cluster-health-port'] ?? 0) || HEALTH_PORT;
  const families = sharedFamilies(config, server.ciliumConfig ?? {});
  const nodes = { from: 'nodes', to: 'nodes' } as const;
  const why = 'cilium-health uses it to see which nodes are reachable';
  const carrying = carryingFamilies(client, server);
  const health = [true, false].flatMap((required): NetworkNeed[] => {
    const own = families.filter((family) => carrying.has(family) === required);
    return own.length > 0 ? [{ kind: 'health', protocol: 'tcp', port, families: own, ...nodes, required, why }] : [];
  });
  return [
    ...health,
    {
      kind: 'ping',
      protocol: 'icmp',
      families,
      ...nodes,
      required: false,
      why: 'cilium-health uses it to measure the latency to nodes',
    },
  ];
}

/** The clustermesh-apiserver of the server, as far as the client dials it or will. */
function apiserverNeeds(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  endpoints?: readonly Endpoint[],
): NetworkNeed[] {
  if (!endpoints && !dialsAtAll(client, server)) return [];
  const isKvstoremesh = willDialThroughKvstoremesh(client);
  const families = familiesOfDiallers(client, isKvstoremesh);
  const dialled = endpoints ?? dialledBy(client, server);
  // Of one with addresses of both families the other ones are dialled in vain, which nobody misses.
  const within = dialled.filter(({ host }) => !isIpAddress(host) || families.includes(familyOf(host)));
  const from = isKvstoremesh ? 'pods' : 'nodes';
  const why = isKvstoremesh
    ? `KVStoreMesh reads from it what ${knownAs(server)} publishes`
    : `agents read from it what ${knownAs(server)} publishes`;
  return [...groupBy(within.length > 0 ? within : dialled, ({ port }) => port)].map(([port, same]) => ({
    kind: 'apiserver',
    protocol: 'tcp',
    port,
    families: IP_FAMILIES,
    from,
    to: 'apiserver',
    hosts: [...new Set(same.map(({ host }) => host))],
    required: true,
    why,
  }));
}

/** Before Cluster Mesh is enabled: what `enable` does unless it is told otherwise. */
function willDialThroughKvstoremesh(client: ClusterSnapshot): boolean {
  const isUndecided = !apiserverDeployment(client) && configuredPeers(client).length === 0;
  return isUndecided || dialsThroughKvstoremesh(client);
}

/** False where it was chosen that only the server dials. */
function dialsAtAll(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  return !dialsOneWay(asKnown(server), asKnown(client));
}

/** What the client dials now; else what was chosen for it; else where the server's Service can be dialled. */
function dialledBy(client: ClusterSnapshot, server: ClusterSnapshot): readonly Endpoint[] {
  const peer = knownAs(server);
  const addresses = dialledAddresses(client, peer);
  if (addresses.length > 0) return addresses.map(splitHostPort);
  return choicesFor(client, peer).endpoints ?? listEndpoints(server);
}
