import type { PodSubnet } from '../cluster-snapshot.ts';
import type { KubeObject } from '../objects/kube-object.ts';

/** What CiliumNodes say of the addresses of pods. */
export interface GivenToNodes {
  /** `spec.ipam`: ranges of the node, with `multi-pool` those of each pool. */
  podCidrs: string[];
  /** `spec.ipam.pool`: single addresses; with `ipam: crd` there is nothing else. */
  addresses: string[];
  /** Of the node's cloud interfaces. */
  subnets: PodSubnet[];
  /** The primary ranges of the networks (VPCs) that these are in, each once. */
  networks: string[];
}

interface CiliumNode {
  spec?: {
    ipam?: {
      podCIDRs?: string[];
      pool?: Record<string, unknown>;
      pools?: { allocated?: { cidrs?: string[] }[] };
    };
    'alibaba-cloud'?: { 'cidr-block'?: string };
  };
  status?: {
    eni?: { enis?: Record<string, { subnet?: { cidr?: string }; vpc?: { id?: string; 'primary-cidr'?: string } }> };
    'alibaba-cloud'?: { enis?: Record<string, { vswitch?: { cidr?: string }; vpc?: { 'vpc-id'?: string } }> };
    azure?: { interfaces?: { cidr?: string; addresses?: { ip?: string; subnet?: string }[] }[] };
  };
}

/** Reads CiliumNodes (Cilium's pkg/ipam/types, pkg/aws/eni/types, pkg/alibabacloud/eni/types, pkg/azure/types). */
export function givenToNodes(nodes: readonly KubeObject[]): GivenToNodes {
  const known = nodes as unknown as readonly CiliumNode[];
  const ipam = known.map(({ spec }) => spec?.ipam ?? {});
  return {
    podCidrs: ipam.flatMap(({ podCIDRs = [], pools }) => [
      ...podCIDRs,
      ...(pools?.allocated ?? []).flatMap(({ cidrs = [] }) => cidrs),
    ]),
    addresses: ipam.flatMap(({ pool = {} }) => Object.keys(pool)),
    subnets: known.flatMap(({ status = {} }) => subnetsOf(status)),
    networks: [...new Set(known.flatMap((node) => networkOf(node) ?? []))],
  };
}

/** The range that an agent takes for that of its network (Cilium's pkg/ipam/crd.go, `deriveVpcCIDRs`). */
function networkOf({ spec = {}, status = {} }: CiliumNode): string | undefined {
  const ofEnis = Object.values(status.eni?.enis ?? {}).flatMap(({ vpc }) => vpc?.['primary-cidr'] || []);
  const ofAzure = (status.azure?.interfaces ?? []).flatMap(({ cidr }) => cidr || []);
  const hasAlibaba = Object.keys(status['alibaba-cloud']?.enis ?? {}).length > 0;
  return ofEnis[0] ?? ofAzure[0] ?? (hasAlibaba ? spec['alibaba-cloud']?.['cidr-block'] || undefined : undefined);
}

function subnetsOf({ eni, azure, 'alibaba-cloud': alibaba }: NonNullable<CiliumNode['status']>): PodSubnet[] {
  const found = [
    ...Object.values(eni?.enis ?? {}).map(({ subnet, vpc }) => ({ cidr: subnet?.cidr, network: vpc?.id })),
    ...Object.values(alibaba?.enis ?? {}).map(({ vswitch, vpc }) => ({
      cidr: vswitch?.cidr,
      network: vpc?.['vpc-id'],
    })),
    ...(azure?.interfaces ?? []).flatMap(({ cidr, addresses = [] }) => {
      const network = azureNetwork(addresses[0]?.subnet);
      return cidr ? [{ cidr, network }] : addresses.map(({ ip }) => ({ cidr: ip, network }));
    }),
  ];
  return found.flatMap(({ cidr, network }) => (cidr ? [{ cidr, network: network || undefined }] : []));
}

/** `…/virtualNetworks/NAME` of a subnet's resource id, which names the subscription and the group as well. */
function azureNetwork(subnet: string | undefined): string | undefined {
  return /^(.*\/virtualNetworks\/[^/]+)/i.exec(subnet ?? '')?.[1]?.toLowerCase();
}
