import { familyOf, IP_FAMILIES } from '../cilium/cidr.ts';
import { internalAddress } from '../cilium/node-addresses.ts';
import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { networkNeeds } from '../network/needs.ts';

/** Somewhere that the probe's program sends from, and watches. */
export interface ProbePlace {
  /** The cluster, by its name in the report. */
  cluster: string;
  node: string;
  /** `pod`: an ordinary pod on that node, with an address of its own. */
  kind: 'node' | 'pod';
  /** What it is dialled at, and sends from, one of each family: the node's InternalIPs, or the pod's addresses. */
  addresses: readonly string[];
  /** Bytes: the MTU of the device that has its first address, as the program says. */
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
  /** What gives the user the right to make pods there, where for lack of it the agents were asked; a hint. */
  grant?: string | undefined;
  places: readonly ProbePlace[];
}

/** Kubernetes' label of nodes. */
const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** The zone that a node is in, as its cloud says. */
export function zoneOf({ labels }: NodeFacts): string | undefined {
  return labels[ZONE_LABEL];
}

/** A node that takes part, with its addresses: one of each family that it has. */
export interface ChosenNode {
  node: NodeFacts;
  addresses: readonly string[];
}

/**
 * Which nodes take part: ready ones with an InternalIP, of each zone one before any zone has two; those that have none of some
 * of the families only where there are not enough others.
 * @param nodes of those on which Cilium is
 * @param limit how many of them at most
 */
export function chooseNodes(nodes: readonly NodeFacts[], limit: number, families: readonly (4 | 6)[]): ChosenNode[] {
  const taken = new Map<string, number>();
  const ranked = nodes
    .filter(({ ready }) => ready)
    .map((node) => ({ node, addresses: families.flatMap((family) => internalAddress(node, family) ?? []) }))
    .filter(({ addresses }) => addresses.length > 0)
    .sort((a, b) => b.addresses.length - a.addresses.length)
    .map(({ node, addresses }) => {
      const zone = zoneOf(node) ?? '';
      const rank = taken.get(zone) ?? 0;
      taken.set(zone, rank + 1);
      return { node, addresses, rank };
    });
  return ranked
    .sort((a, b) => b.addresses.length - a.addresses.length || a.rank - b.rank)
    .slice(0, limit)
    .map(({ node, addresses }) => ({ node, addresses }));
}

/** The IP families in which anything is sent between nodes, or pods, of these clusters. */
export function probedFamilies(snapshots: readonly ClusterSnapshot[]): (4 | 6)[] {
  const needs = snapshots.flatMap((client) =>
    snapshots.flatMap((server) => (server === client ? [] : networkNeeds(client, server))),
  );
  const sent = needs.flatMap(({ to, families }) => (to === 'apiserver' ? [] : families));
  return IP_FAMILIES.filter((family) => sent.includes(family));
}

/** A place's address of a family. */
export function addressOf({ addresses }: Pick<ProbePlace, 'addresses'>, family: 4 | 6): string | undefined {
  return addresses.find((address) => familyOf(address) === family);
}
