import { loadBalancerHosts } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { overlap, parseCidr } from '../cilium/cidr.ts';
import { isTunnel } from '../cilium/datapath.ts';
import { knownRanges } from '../cilium/pod-ranges.ts';
import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { serviceSpec } from '../objects/service.ts';
import { firewallRules } from './firewall.ts';
import { networkNeeds } from './needs.ts';

/**
 * Where clouds take source ranges from beside the field: Kubernetes' own annotation (its API reference, "Well-Known Labels,
 * Annotations and Taints"), and that of cloud-provider-azure.
 */
const ANNOTATIONS = [
  'service.beta.kubernetes.io/load-balancer-source-ranges',
  'service.beta.kubernetes.io/azure-allowed-ip-ranges',
] as const;

/**
 * The only ranges from which a cluster's load balancer lets clients in; none where it lets in everyone, or where there is no
 * load balancer: node ports are open whatever is written there (Kubernetes' API reference, ServiceSpec).
 */
export function sourceRanges(server: ClusterSnapshot): string[] {
  const service = apiserverService(server);
  const { type, loadBalancerSourceRanges = [] } = serviceSpec(service);
  if (type !== 'LoadBalancer') return [];
  const annotated = ANNOTATIONS.flatMap((name) => service?.metadata.annotations?.[name]?.split(',') ?? []);
  const ranges = [...loadBalancerSourceRanges, ...annotated].map((range) => range.trim());
  return [...new Set(ranges)].filter((range) => parseCidr(range) !== undefined);
}

/**
 * The nodes of a client whose packets a server's source ranges keep out. With KVStoreMesh a pod on one of them dials, whichever
 * it is, so that one address within is enough; without it each node dials. What is dialled beside the load balancer's own
 * addresses is not judged, nor is what pods send as themselves where their range is within: NAT on the way nobody sees.
 * @returns undefined where it is not judged
 */
export function nodesKeptOut(client: ClusterSnapshot, server: ClusterSnapshot): NodeFacts[] | undefined {
  const ranges = sourceRanges(server).flatMap((range) => parseCidr(range) ?? []);
  const service = apiserverService(server);
  if (ranges.length === 0 || !service) return [];
  const balancer = loadBalancerHosts(service);
  const need = networkNeeds(client, server).find(
    ({ kind, hosts = [] }) => kind === 'apiserver' && hosts.some((host) => balancer.includes(host)),
  );
  const isWithin = (address: string) => {
    const range = parseCidr(address);
    return range !== undefined && ranges.some((own) => overlap(own, range));
  };
  const isOfPods = need?.from === 'pods';
  if (!need || (isOfPods && !isTunnel(client) && knownRanges(client).some(({ text }) => isWithin(text))))
    return undefined;
  const outside = client.nodes.filter(({ addresses }) => !addresses.some(({ address }) => isWithin(address)));
  return isOfPods && outside.length < client.nodes.length ? [] : outside;
}

/** The source ranges with which a server's load balancer lets these clients in as well: what a firewall is told of them. */
export function rangesToLetIn(clients: readonly ClusterSnapshot[], server: ClusterSnapshot): string[] {
  const { clusters, rules } = firewallRules([server, ...clients]);
  const to = clusters.find(({ context }) => context === server.context)?.name;
  const wanted = rules.filter((rule) => rule.kind === 'apiserver' && rule.to === to).flatMap(({ sources }) => sources);
  return [...new Set([...sourceRanges(server), ...wanted])];
}
