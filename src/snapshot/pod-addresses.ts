import type { ClusterClient } from '../kube/client.ts';
import { readOr } from '../kube/unless-refused.ts';
import { givenToNodes } from '../mesh/cilium/nodes.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

type PodAddresses = Pick<ClusterSnapshot, 'ciliumPodCidrs' | 'podSubnets' | 'podPools'>;

/**
 * Where the pods of a cluster have their addresses from, as Cilium's own objects tell. Nothing of it where the user may
 * not look, or the kinds are not there.
 * @param ipam the option of Cilium's cilium-config
 */
export async function readPodAddresses(
  client: ClusterClient,
  nodes: readonly KubeObject[] | undefined,
  ipam: string | undefined,
): Promise<PodAddresses> {
  const pools =
    ipam === 'multi-pool' ? await listIfAllowed(client, 'cilium.io/v2alpha1', 'CiliumPodIPPool') : undefined;
  const podPools = pools?.flatMap(({ spec }) => {
    const { ipv4, ipv6 } = (spec ?? {}) as { ipv4?: { cidrs?: string[] }; ipv6?: { cidrs?: string[] } };
    return [...(ipv4?.cidrs ?? []), ...(ipv6?.cidrs ?? [])];
  });
  if (!nodes) return { podPools };
  const { podCidrs, addresses, subnets } = givenToNodes(nodes);
  return { ciliumPodCidrs: ipam === 'crd' ? addresses : podCidrs, podSubnets: subnets, podPools };
}

/** All CiliumNodes; undefined where they may not be listed. */
export function readCiliumNodes(client: ClusterClient): Promise<KubeObject[] | undefined> {
  return listIfAllowed(client, 'cilium.io/v2', 'CiliumNode');
}

/** The ranges of all ServiceCIDRs; undefined where there are none, or they may not be listed. */
export async function readServiceCidrs(client: ClusterClient): Promise<string[] | undefined> {
  const found = await listIfAllowed(client, 'networking.k8s.io/v1', 'ServiceCIDR');
  const ranges = found?.flatMap(({ spec }) => ((spec ?? {}) as { cidrs?: string[] }).cidrs ?? []) ?? [];
  return ranges.length > 0 ? ranges : undefined;
}

function listIfAllowed(client: ClusterClient, apiVersion: string, kind: string): Promise<KubeObject[] | undefined> {
  return readOr(client.listAll({ apiVersion, kind }), { absent: undefined, forbidden: undefined });
}
