import { familyOf } from '../cilium/cidr.ts';
import { isOn } from '../cilium/datapath.ts';
import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';

/** Somewhere that the probe's program sends from, and watches. */
export interface ProbePlace {
  /** The cluster, by its name in the report. */
  cluster: string;
  node: string;
  /** `pod`: an ordinary pod on that node, with an address of its own. */
  kind: 'node' | 'pod';
  /** What it is dialled at, and sends from: the node's InternalIP, or the pod's address. */
  address: string;
  /** Bytes: the MTU of the device that has the address, as the program says. */
  deviceMtu?: number | undefined;
  /** Bytes: that of Cilium's own device, which the agent gives the MTU that it goes by (pkg/datapath/loader, `cilium_host`). */
  ciliumMtu?: number | undefined;
  /** Why nothing can be sent or seen there. */
  failed?: string | undefined;
}

/** A cluster that takes part. */
export interface ProbedCluster {
  /** By its name in the mesh; where another cluster has that too, by its context. */
  name: string;
  snapshot: ClusterSnapshot;
  /** What sends and watches there: pods of the probe, or Cilium's agents, which are on their node. */
  via: 'pods' | 'agents';
  places: readonly ProbePlace[];
}

/** Kubernetes' labels of nodes. */
const ZONE_LABEL = 'topology.kubernetes.io/zone';
const OS_LABEL = 'kubernetes.io/os';

/** The zone that a node is in, as its cloud says. */
export function zoneOf({ labels }: NodeFacts): string | undefined {
  return labels[ZONE_LABEL];
}

/**
 * Which nodes take part: ready ones with an InternalIP (no Windows: there is no Cilium on it), of each zone one before any zone has two.
 * @param limit how many of them at most
 */
export function chooseNodes(nodes: readonly NodeFacts[], limit: number): NodeFacts[] {
  const taken = new Map<string, number>();
  const ranked = nodes
    .filter((node) => node.ready && node.labels[OS_LABEL] !== 'windows' && internalAddresses(node).length > 0)
    .map((node) => {
      const zone = zoneOf(node) ?? '';
      const rank = taken.get(zone) ?? 0;
      taken.set(zone, rank + 1);
      return { node, rank };
    });
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .map(({ node }) => node);
}

/**
 * The IP family in which clusters are probed: IPv4 where Cilium has it on everywhere, as tunnels prefer it (option
 * `underlay-protocol`, default ipv4).
 */
export function commonFamily(snapshots: readonly ClusterSnapshot[]): 4 | 6 {
  const isFour = snapshots.every(
    ({ ciliumConfig = {}, nodes }) =>
      isOn(ciliumConfig, 'enable-ipv4', true) &&
      ciliumConfig['underlay-protocol'] !== 'ipv6' &&
      nodes.some((node) => addressOf(node, 4) !== undefined),
  );
  return isFour ? 4 : 6;
}

/** A node's first InternalIP of a family. */
export function addressOf(node: NodeFacts, family: 4 | 6): string | undefined {
  return internalAddresses(node).find((address) => familyOf(address) === family);
}

function internalAddresses({ addresses }: NodeFacts): string[] {
  return addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
}
