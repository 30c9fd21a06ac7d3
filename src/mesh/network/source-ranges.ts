import { isIpAddress, loadBalancerHosts } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { type AddressRange, familyOf, overlap, parseCidr } from '../cilium/cidr.ts';
import { isTunnel } from '../cilium/datapath.ts';
import { knownRanges } from '../cilium/pod-ranges.ts';
import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { forceWords } from '../objects/ownership.ts';
import { allowList } from './allow-lists.ts';
import { firewallRules } from './firewall.ts';
import { type NetworkNeed, networkNeeds } from './needs.ts';

/** Whether a cluster's load balancer lets everyone in, as far as its Service says. */
function isOpenToAll(server: ClusterSnapshot): boolean {
  const { ranges, unread } = allowList(apiserverService(server));
  return ranges.length === 0 && unread === undefined;
}

/** The only ranges from which a cluster's load balancer lets clients in; none where it lets in everyone, or that is not known. */
export function sourceRanges(server: ClusterSnapshot): string[] {
  return allowList(apiserverService(server)).ranges;
}

/** Whom of a client a server's load balancer keeps out. */
export interface KeptOut {
  nodes: readonly NodeFacts[];
  /** Of which nothing of these nodes is within: `address`, `IPv6 address`. */
  what?: string;
  /** Why that is not judged, in one clause. */
  unjudged?: string | undefined;
  /** Whatever the client dials is the load balancer's own address. */
  isOnlyWay: boolean;
}

/**
 * The nodes of a client whose packets a server's source ranges keep out: without KVStoreMesh of all nodes, with it of those that its
 * pods are on. Where these may come to others, whom the ranges keep out, it is not judged. What is dialled beside the load balancer's own
 * addresses is not judged, nor is what pods send as themselves where their range is within: NAT on the way nobody sees.
 */
export function keptOut(client: ClusterSnapshot, server: ClusterSnapshot): KeptOut {
  if (isOpenToAll(server)) return { nodes: [], isOnlyWay: false };
  const need = balancedNeed(client, server);
  const balancer = balancerOf(server);
  const isOnlyWay = need?.hosts?.every((host) => balancer.includes(host)) ?? false;
  const unjudged = whyUnjudged(client, server, need);
  if (unjudged !== undefined) return { nodes: [], unjudged, isOnlyWay };
  const outside = nodesOutside(client, server, need?.hosts);
  const what = whatIsOutside(server, need?.hosts);
  // Without KVStoreMesh each node dials; and no pod can be where it would be let in.
  if (need?.from !== 'pods' || outside.length === 0 || outside.length === client.nodes.length) {
    return { nodes: outside, what, isOnlyWay };
  }
  const dialling = new Set(client.apiserverPods?.flatMap(({ node }) => node ?? []));
  const nodes = outside.filter(({ name }) => dialling.has(name));
  return nodes.length > 0 ? { nodes, what, isOnlyWay } : { nodes, unjudged: mayMoveTo(outside, client), isOnlyWay };
}

function mayMoveTo(outside: readonly NodeFacts[], { context }: ClusterSnapshot): string {
  return `the KVStoreMesh of ${context} may come to ${firstOf(outside.map(({ name }) => name))}, which the source ranges keep out`;
}

/**
 * The nodes of a client that have no address within the ranges of a server; none where these are not known.
 * @param hosts what is dialled: who sends to an IPv6 address is not seen by an IPv4 one
 */
export function nodesOutside(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  hosts: readonly string[] = [],
): NodeFacts[] {
  if (parsedRanges(server).length === 0) return [];
  const ranges = rangesFor(server, hosts);
  return client.nodes.filter(({ addresses }) => !addresses.some(({ address }) => isWithin(ranges, address)));
}

function whyUnjudged(client: ClusterSnapshot, server: ClusterSnapshot, need: NetworkNeed | undefined) {
  const { unread } = allowList(apiserverService(server));
  if (unread !== undefined) return unread;
  if (client.nodes.length === 0) return `no nodes of ${client.context} are known`;
  const asThemselves = need?.from === 'pods' && !isTunnel(client);
  const ranges = rangesFor(server, need?.hosts);
  const mayBeWithin = asThemselves && knownRanges(client).some(({ text }) => isWithin(ranges, text));
  return need && !mayBeWithin ? undefined : `by which address ${client.context} dials it is not known`;
}

/** Of the client, that a load balancer's own address is reached. */
function balancedNeed(client: ClusterSnapshot, server: ClusterSnapshot): NetworkNeed | undefined {
  const balancer = balancerOf(server);
  return networkNeeds(client, server).find(
    ({ kind, hosts = [] }) => kind === 'apiserver' && hosts.some((host) => balancer.includes(host)),
  );
}

/** The addresses of a cluster's load balancer, or its names. */
export function balancerOf(server: ClusterSnapshot): string[] {
  const service = apiserverService(server);
  return service ? loadBalancerHosts(service) : [];
}

function parsedRanges(server: ClusterSnapshot): AddressRange[] {
  return sourceRanges(server).flatMap((range) => parseCidr(range) ?? []);
}

/** What nodes outside of the ranges have not within: of another family than they dial in, it may well be. */
export function whatIsOutside(server: ClusterSnapshot, hosts: readonly string[] = []): string {
  const isPart = rangesFor(server, hosts).length < parsedRanges(server).length;
  const [host] = hosts.filter((one) => balancerOf(server).includes(one));
  return isPart && host !== undefined ? `IPv${familyOf(host)} address` : 'address';
}

/** Of the ranges those of the families in which the load balancer is dialled; by a name it may be in either. */
function rangesFor(server: ClusterSnapshot, hosts: readonly string[] = []): AddressRange[] {
  const balancer = balancerOf(server);
  const dialled = hosts.filter((host) => balancer.includes(host));
  const isByName = dialled.length === 0 || !dialled.every(isIpAddress);
  return parsedRanges(server).filter(({ family }) => isByName || dialled.some((host) => familyOf(host) === family));
}

function isWithin(ranges: readonly AddressRange[], address: string): boolean {
  const range = parseCidr(address);
  return range !== undefined && ranges.some((own) => overlap(own, range));
}

/**
 * The command with which a server's load balancer lets these clients in as well: with the ranges that a firewall is told of them,
 * and those that are there.
 */
export function letInCommand(clients: readonly ClusterSnapshot[], server: ClusterSnapshot): string {
  const { context } = server;
  const { clusters, rules } = firewallRules([server, ...clients]);
  const to = clusters.find((one) => one.context === context)?.name;
  const wanted = rules.filter((rule) => rule.kind === 'apiserver' && rule.to === to).flatMap(({ sources }) => sources);
  const ranges = [...new Set([...sourceRanges(server), ...wanted])];
  return meshctlCommand('clustermesh enable', { context }, [
    ...['--load-balancer-source-ranges', ranges.join(',')],
    ...forceWords(apiserverService(server), ['spec.loadBalancerSourceRanges']),
  ]);
}
