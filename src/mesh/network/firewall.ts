import { isIpAddress } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { nodesForAgents } from '../cilium/agents.ts';
import { familyOf, overlap, parseCidr } from '../cilium/cidr.ts';
import { isTunnel } from '../cilium/datapath.ts';
import { namesApart } from '../cilium/names-apart.ts';
import { internalAddress, internalAddresses, nodeRanges } from '../cilium/node-addresses.ts';
import { knownRanges, lacksNodeRanges, podRanges } from '../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { firstOf } from '../counted.ts';
import { serviceSpec } from '../objects/service.ts';
import { groupBy } from '../pairs.ts';
import type { UnreachableCluster } from '../status/mesh-status.ts';
import { goneAddress, type NetworkNeed, networkNeeds, unknownNeeds } from './needs.ts';
import { type Prefix, summarise } from './prefixes.ts';

/** Whose firewall it is that lets packets to nodes through. */
export type FirewallPlatform = 'gcloud' | 'aws' | 'az' | 'unknown';

/** A prefix as data. */
export interface RulePrefix {
  cidr: string;
  /** How many addresses it has, exact below 2^53. */
  addresses: number;
  /** How many nodes, or ranges of pods, of the cluster are in it. */
  holds: number;
}

/** A cluster and where its packets come from. */
export interface FirewallCluster {
  context: string;
  /** By its name in the mesh; where another cluster has that too, as before anyone is named, by its context. */
  name: string;
  platform: FirewallPlatform;
  /** Where in that cloud, as its nodes tell: the project (gcloud), the region (aws) or the subscription (az). */
  within?: string;
  nodes: number;
  nodeRanges: RulePrefix[];
  /** Where its pods have their addresses, as far as that is known. */
  podRanges: RulePrefix[];
}

/** One thing to let through, from one cluster into another. */
export interface FirewallRule {
  kind: NetworkNeed['kind'];
  /** Names of clusters. */
  from: string;
  to: string;
  protocol: NetworkNeed['protocol'];
  port?: number;
  /** Prefixes, all of one IP family. */
  sources: string[];
  destinations: string[];
  /** What has no address to name: the host name of a load balancer. */
  hostnames?: string[];
  required: boolean;
  why: string;
}

/** What no rule could be made for. */
export interface MissingRule {
  context: string;
  why: string;
  /** What makes it known: ends with a command. */
  hint?: string;
}

/** The data of `clustermesh firewall -o json`. */
export interface FirewallRules {
  clusters: FirewallCluster[];
  rules: FirewallRule[];
  unknown: MissingRule[];
  unreachable: UnreachableCluster[];
}

/** What must be let through between each two of the clusters, in both directions. */
export function firewallRules(
  snapshots: readonly ClusterSnapshot[],
  unreachable: readonly UnreachableCluster[] = [],
): FirewallRules {
  const nameOf = namesApart(snapshots);
  const places = snapshots.map((snapshot) => placeOf(snapshot, nameOf(snapshot), snapshots));
  const pairs = places.flatMap((client) =>
    places.filter((to) => to !== client).map((to) => ({ client, to, needs: needsBetween(client, to) })),
  );
  const unknown = [
    ...places.flatMap((place) => withoutAddress(place, nodeFamilies(place, pairs))),
    ...pairs.flatMap(({ client, to }) =>
      [...unknownNeeds(client.snapshot, to.snapshot), goneAddress(client.snapshot, to.snapshot) ?? []]
        .flat()
        .map(({ kind: _kind, ...more }): MissingRule => more),
    ),
    ...pairs.flatMap(({ client, to }) => withoutPods(client, to)),
    ...pairs.flatMap(({ client, to, needs }) => needs.flatMap((need) => familiesApart(need, client, to))),
  ];
  return {
    clusters: places.map(({ snapshot, name, nodes, pods, nodeCount }) => ({
      context: snapshot.context,
      name,
      ...placeInCloud(snapshot),
      nodes: nodeCount,
      nodeRanges: nodes.map(asData),
      podRanges: pods.map(asData),
    })),
    rules: pairs.flatMap(({ client, to, needs }) => needs.flatMap((need) => rulesFor(need, client, to))),
    unknown: [...new Map(unknown.map((one) => [`${one.context} ${one.why}`, one])).values()],
    unreachable: [...unreachable],
  };
}

function needsBetween(client: Place, server: Place): NetworkNeed[] {
  const isGone = goneAddress(client.snapshot, server.snapshot) !== undefined;
  return networkNeeds(client.snapshot, server.snapshot).filter(({ kind }) => kind !== 'apiserver' || !isGone);
}

/** A way from one cluster to another, and what the mesh needs on it. */
interface Way {
  client: Place;
  to: Place;
  needs: readonly NetworkNeed[];
}

/** A cluster in the network. */
interface Place {
  snapshot: ClusterSnapshot;
  name: string;
  nodeCount: number;
  nodes: Prefix[];
  pods: Prefix[];
  /** The InternalIPs, each for itself. */
  addresses: ReadonlySet<string>;
}

function placeOf(snapshot: ClusterSnapshot, name: string, all: readonly ClusterSnapshot[]): Place {
  const others = all.filter((other) => other !== snapshot);
  const foreign = others.flatMap((other) => [...nodeRanges(other), ...podRanges(other).given]);
  const { given, pools } = podRanges(snapshot);
  const taken = [...foreign, ...others.filter(lacksNodeRanges).flatMap(knownRanges)];
  // A pool also has what nodes get that are added; unless another cluster takes from it as well.
  const isOwn = pools.length > 0 && !pools.some((pool) => taken.some((other) => overlap(pool, other)));
  const holdsAll = given.every((range) => pools.some((pool) => pool.first <= range.first && pool.last >= range.last));
  return {
    snapshot,
    name,
    nodeCount: snapshot.nodes.length,
    nodes: summarise(nodeRanges(snapshot), foreign),
    pods: summarise(isOwn && holdsAll ? pools : [...given, ...(isOwn ? pools : [])], foreign),
    addresses: new Set(snapshot.nodes.flatMap(internalAddresses)),
  };
}

/** Who sends, and where to: host names have no prefix. */
function endsOf(need: NetworkNeed, client: Place, server: Place): { sources: Prefix[]; destinations: Prefix[] } {
  const { kind, hosts = [] } = need;
  const isAtNodes = kind === 'apiserver' && isNodePort(server) && hosts.every((host) => server.addresses.has(host));
  // Of a load balancer nothing beside its very addresses is let through.
  const addresses = hosts.filter(isIpAddress).flatMap((host) => summarise([parseCidr(host) ?? []].flat(), []));
  // Nodes have addresses of families that nobody dials, as beside a Service of the other one.
  const dialled = new Set(hosts.map(familyOf));
  const atNodes = isAtNodes ? server.nodes.filter(({ family }) => dialled.has(family)) : addresses;
  const destinations = kind === 'pod-to-pod' ? server.pods : kind === 'apiserver' ? atNodes : server.nodes;
  return { sources: sourcesOf(need, client), destinations };
}

/** Where no packet can get from one end to the other, so that there is no rule: they have no IP family in common. */
function familiesApart(need: NetworkNeed, client: Place, server: Place): MissingRule[] {
  // cilium-health asks a node at the addresses that it has, in no other family.
  if (!need.required) return [];
  const { sources, destinations } = endsOf(need, client, server);
  const hasNames = need.hosts?.some((host) => !isIpAddress(host));
  const [ours, theirs] = [sources, destinations].map((ends) => [...new Set(ends.map(({ family }) => family))]);
  const [one, other] = [ours?.[0], theirs?.[0]];
  if (hasNames || one === undefined || other === undefined) return [];
  if (need.families.some((family) => ours?.includes(family) && theirs?.includes(family))) return [];
  const from = need.from === 'pods' && need.kind === 'pod-to-pod' ? 'pods' : 'nodes';
  const { context } = client.snapshot;
  const apart = !ours?.some((family) => theirs?.includes(family));
  if (apart) {
    const why = `its ${from} have IPv${one} addresses only, and ${END_WORDS[need.to]} of ${server.name} IPv${other} ones only`;
    return [{ context, why }];
  }
  const [wanted = 4] = need.families;
  const lacks = ours?.includes(wanted) ? `${END_WORDS[need.to]} of ${server.name}` : `its ${from}`;
  return [{ context, why: `it sends ${need.kind} packets over IPv${wanted}, and ${lacks} have no such addresses` }];
}

const END_WORDS: Readonly<Record<NetworkNeed['to'], string>> = {
  nodes: 'the nodes',
  pods: 'the pods',
  apiserver: 'the clustermesh-apiserver',
};

/** A rule for each IP family in which it is sent, and that both ends have. */
function rulesFor(need: NetworkNeed, client: Place, server: Place): FirewallRule[] {
  const { kind, protocol, port, required, why, hosts = [] } = need;
  const { sources, destinations } = endsOf(need, client, server);
  const rule = { kind, from: client.name, to: server.name, protocol };
  const more = { ...(port === undefined ? {} : { port }) };
  const sent = destinations.filter(({ family }) => need.families.includes(family));
  const byFamily = groupBy(sent, ({ family }) => family);
  const rules = [...byFamily].flatMap(([family, to]): FirewallRule[] => {
    const from = sources.filter((source) => source.family === family);
    if (from.length === 0) return [];
    return [{ ...rule, ...more, sources: cidrsOf(from), destinations: cidrsOf(to), required, why }];
  });
  const hostnames = hosts.filter((host) => !isIpAddress(host));
  if (hostnames.length === 0) return rules;
  return [
    ...rules,
    ...[...groupBy(sources, ({ family }) => family).values()].map((from) => ({
      ...{ ...rule, ...more, sources: cidrsOf(from), destinations: [], hostnames, required, why },
    })),
  ];
}

/** With native routing nodes send to pods too; a pod that dials a load balancer does so as its node, or as itself. */
function sourcesOf({ kind, from }: NetworkNeed, { snapshot, nodes, pods }: Place): Prefix[] {
  if (kind === 'pod-to-pod') return [...pods, ...nodes];
  return from === 'pods' && !isTunnel(snapshot) ? [...nodes, ...pods] : nodes;
}

/** Any node may come to serve a NodePort, whichever are dialled now. */
function isNodePort({ snapshot }: Place): boolean {
  return serviceSpec(apiserverService(snapshot)).type === 'NodePort';
}

/** The IP families in which nodes of a cluster send to others, or are sent to, what the mesh needs. */
function nodeFamilies(place: Place, pairs: readonly Way[]): Set<4 | 6> {
  const concerned = pairs.filter(({ client, to }) => client === place || to === place);
  return new Set(
    concerned.flatMap(({ client, needs }) =>
      needs
        .filter(({ kind, required }) => required && kind !== 'apiserver')
        .filter((need) => need[client === place ? 'from' : 'to'] === 'nodes')
        .flatMap(({ families }) => families),
    ),
  );
}

/** Nodes that are in no rule, so that they would be shut out: those on which an agent is to run, without an address. */
function withoutAddress({ snapshot, nodes }: Place, families: ReadonlySet<4 | 6>): MissingRule[] {
  const { context } = snapshot;
  if (nodes.length === 0) return [{ context, why: 'no InternalIP of its nodes is known' }];
  const all = nodesForAgents(snapshot);
  const known = new Set(nodes.map(({ family }) => family));
  const unknown = all.filter((node) => internalAddresses(node).length === 0);
  // Where none has one of a family, the families of two clusters tell.
  const lacking = [...families]
    .filter((family) => known.has(family))
    .map((family) => ({
      family,
      of: all.filter((node) => !unknown.includes(node) && internalAddress(node, family) === undefined),
    }));
  const named = (of: readonly { name: string }[]) =>
    `its node${of.length === 1 ? '' : 's'} ${firstOf(of.map(({ name }) => name))}`;
  return [
    ...(unknown.length > 0 ? [{ context, why: `no InternalIP of ${named(unknown)} is known` }] : []),
    ...lacking.flatMap(({ family, of }) =>
      of.length > 0 ? [{ context, why: `no InternalIP of IPv${family} of ${named(of)} is known` }] : [],
    ),
  ];
}

function withoutPods(client: Place, server: Place): MissingRule[] {
  if (isTunnel(client.snapshot)) return [];
  return [client, server]
    .filter(({ pods, snapshot }) => pods.length === 0 || lacksNodeRanges(snapshot))
    .map(({ snapshot }) => {
      const { context, podRangesRefused: hint } = snapshot;
      return { context, why: podRanges(snapshot).otherwise, ...(hint === undefined ? {} : { hint }) };
    });
}

function cidrsOf(prefixes: readonly Prefix[]): string[] {
  return prefixes.map(({ cidr }) => cidr);
}

function asData({ cidr, addresses, holds }: Prefix): RulePrefix {
  return { cidr, addresses: Number(addresses), holds };
}

/** The clouds by the scheme of a providerID, and what it tells of the place within one: shells read that, so it is words only. */
const CLOUDS: Readonly<Record<string, { platform: FirewallPlatform; within: RegExp }>> = {
  gce: { platform: 'gcloud', within: /^gce:\/\/([a-z][a-z0-9.:-]*)\// },
  // By the zone, of which there are also those of cities: us-west-2-lax-1a.
  aws: { platform: 'aws', within: /^aws:\/\/\/?([a-z]+(?:-[a-z]+)+-\d+)/ },
  azure: { platform: 'az', within: /^azure:\/\/\/subscriptions\/([0-9a-f-]{36})\//i },
};

/**
 * By the nodes' provider. One that has just joined may not have a providerID yet; where nodes are of several clouds, or of none,
 * nobody can say.
 */
function placeInCloud({ nodes }: ClusterSnapshot): Pick<FirewallCluster, 'platform' | 'within'> {
  const ids = nodes.flatMap(({ providerId }) => providerId ?? []);
  const schemes = new Set(ids.map((id) => id.split('://')[0] ?? ''));
  const [scheme = ''] = schemes;
  const cloud = schemes.size === 1 ? CLOUDS[scheme] : undefined;
  if (!cloud) return { platform: 'unknown' };
  const places = new Set(ids.map((id) => cloud.within.exec(id)?.[1]));
  const [within] = places;
  return { platform: cloud.platform, ...(places.size === 1 && within !== undefined ? { within } : {}) };
}
