import type { ClusterClient } from '../kube/client.ts';
import { orRefusal, readOr, unlessRefused } from '../kube/unless-refused.ts';
import { givenToNodes } from '../mesh/cilium/nodes.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

type PodAddresses = Pick<
  ClusterSnapshot,
  'ciliumPodCidrs' | 'podSubnets' | 'podPools' | 'podRangesRefused' | 'networkCidrs' | 'endpointAddresses'
>;

/**
 * Where the pods of a cluster have their addresses from, as Cilium's own objects tell. Nothing of it where the user may
 * not look, but the way to be let, or the kinds are not there.
 * @param nodes all CiliumNodes, as they were read
 * @param ipam the option of Cilium's cilium-config
 */
export async function readPodAddresses(
  client: ClusterClient,
  nodes: readonly KubeObject[] | MeshctlError | undefined,
  ipam: string | undefined,
): Promise<PodAddresses> {
  const pools =
    ipam === 'multi-pool' ? await listOrRefusal(client, 'cilium.io/v2alpha1', 'CiliumPodIPPool') : undefined;
  const endpoints = ipam === 'delegated-plugin' ? await readEndpointAddresses(client) : undefined;
  const podRangesRefused = [nodes, pools, endpoints].flatMap((read) =>
    read instanceof MeshctlError ? (read.hint ?? []) : [],
  )[0];
  const podPools = unlessRefused(pools)?.flatMap(({ spec }) => {
    const { ipv4, ipv6 } = (spec ?? {}) as { ipv4?: { cidrs?: string[] }; ipv6?: { cidrs?: string[] } };
    return [...(ipv4?.cidrs ?? []), ...(ipv6?.cidrs ?? [])];
  });
  const own = unlessRefused(nodes);
  const endpointAddresses = unlessRefused(endpoints);
  if (!own) return { podPools, endpointAddresses, podRangesRefused };
  const { podCidrs, addresses, subnets, networks } = givenToNodes(own);
  return {
    ciliumPodCidrs: ipam === 'crd' ? addresses : podCidrs,
    podSubnets: subnets,
    networkCidrs: networks,
    podPools,
    endpointAddresses,
    podRangesRefused,
  };
}

/** The addresses of all pods that Cilium knows; undefined where there is no such kind, or the refusal where they may not be listed. */
function readEndpointAddresses(client: ClusterClient): Promise<string[] | MeshctlError | undefined> {
  const addressesOf = ({ status }: KubeObject) => {
    const { networking } = (status ?? {}) as { networking?: { addressing?: { ipv4?: string; ipv6?: string }[] } };
    return (networking?.addressing ?? []).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((one) => one || []));
  };
  const read = client.collect({ apiVersion: 'cilium.io/v2', kind: 'CiliumEndpoint' }, addressesOf);
  return readOr(orRefusal(read), { absent: undefined, forbidden: undefined });
}

/** All CiliumNodes; undefined where there is no such kind, or the refusal where they may not be listed. */
export function readCiliumNodes(client: ClusterClient): Promise<KubeObject[] | MeshctlError | undefined> {
  return listOrRefusal(client, 'cilium.io/v2', 'CiliumNode');
}

/** The ranges of all ServiceCIDRs; undefined where there are none, or the refusal where they may not be listed. */
export async function readServiceCidrs(client: ClusterClient): Promise<string[] | MeshctlError | undefined> {
  const read = await listOrRefusal(client, 'networking.k8s.io/v1', 'ServiceCIDR');
  if (read instanceof MeshctlError) return read;
  const ranges = read?.flatMap(({ spec }) => ((spec ?? {}) as { cidrs?: string[] }).cidrs ?? []) ?? [];
  return ranges.length > 0 ? ranges : undefined;
}

function listOrRefusal(
  client: ClusterClient,
  apiVersion: string,
  kind: string,
): Promise<KubeObject[] | MeshctlError | undefined> {
  return readOr(orRefusal(client.listAll({ apiVersion, kind })), { absent: undefined, forbidden: undefined });
}
