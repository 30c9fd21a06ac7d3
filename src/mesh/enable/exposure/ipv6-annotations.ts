import { apiserverService } from '../../apiserver/live.ts';
import { familyOf, IP_FAMILIES } from '../../cilium/cidr.ts';
import { ipFamilies } from '../../cilium/datapath.ts';
import { hasAddressesOfCloud } from '../../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import { APISERVER } from '../../objects/names.ts';
import { serviceFamilies, serviceSpec } from '../../objects/service.ts';
import { type Platform, platformEvidence } from './platforms.ts';

const ADDRESS_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';

/**
 * What the load balancer of a platform is to be told besides where the Service has, or gets, an IPv6 address; nothing where it has
 * none, or where that is not known.
 *
 * The AWS Load Balancer Controller makes one of IPv4 unless it is told otherwise, and stops at a Service of IPv6, alone or beside IPv4,
 * then ("unsupported IPv6 configuration, lb not dual-stack"; its guide, "Service annotations", `aws-load-balancer-ip-address-type`). Over
 * IPv6 it sends to pods, not to nodes (EKS user guide, "Load balancing"), which needs pods with addresses of the VPC. Google Cloud and
 * Azure go by the Service's `ipFamilies` alone ("LoadBalancer Service parameters" of GKE; "Dual-stack networking" of AKS).
 */
export function ipv6Annotations({ flag }: Platform, snapshot: ClusterSnapshot): Readonly<Record<string, string>> {
  if (flag !== 'eks' || !hasIpv6(snapshot)) return {};
  const { ciliumConfig = {} } = snapshot;
  const areOfVpc = hasAddressesOfCloud(ciliumConfig) || ciliumConfig['cni-chaining-mode'] === 'aws-cni';
  return {
    [ADDRESS_TYPE]: 'dualstack',
    ...(areOfVpc ? { 'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type': 'ip' } : {}),
  };
}

/**
 * The rendered objects, their Service with what its load balancer is to be told where the Service comes to have an IPv6 address, as by
 * `--set` of its families. Where somebody has said already what it is to be, or there is a load balancer of that kind, it stays.
 * @param planned the cluster with the Service as it will be
 */
export function withIpv6Annotations(objects: readonly KubeObject[], planned: ClusterSnapshot): KubeObject[] {
  const service = apiserverService(planned);
  const platform = platformEvidence(planned)[0]?.platform;
  const isTold = (one: KubeObject | undefined) => one?.metadata.annotations?.[ADDRESS_TYPE] !== undefined;
  if (!platform || serviceSpec(service).type !== 'LoadBalancer' || isTold(service)) return [...objects];
  const missing = Object.entries(ipv6Annotations(platform, planned)).filter(
    ([name]) => service?.metadata.annotations?.[name] === undefined,
  );
  if (missing.length === 0) return [...objects];
  return objects.map((object) => {
    const { kind, metadata } = object;
    if (kind !== 'Service' || metadata.name !== APISERVER || isTold(object)) return object;
    const annotations = { ...Object.fromEntries(missing), ...metadata.annotations };
    return { ...object, metadata: { ...metadata, annotations } };
  });
}

/**
 * Whether the Service has, or comes to have, an IPv6 address: of those that are given it takes the first family, unless told otherwise,
 * or both where it is to have both and the cluster has them (Kubernetes' docs, "IPv4/IPv6 dual-stack").
 */
function hasIpv6(snapshot: ClusterSnapshot): boolean {
  const service = apiserverService(snapshot);
  const { serviceCidrs = [], ciliumConfig = {} } = snapshot;
  const given = serviceCidrs.length > 0 ? serviceCidrs.map(familyOf) : ipFamilies(ciliumConfig);
  const present = serviceFamilies(service);
  const [first] = present.length > 0 ? present : given;
  const { ipFamilyPolicy } = serviceSpec(service);
  if (ipFamilyPolicy === 'SingleStack') return first === 6;
  const isBoth =
    ipFamilyPolicy === 'RequireDualStack' ||
    (ipFamilyPolicy === 'PreferDualStack' && IP_FAMILIES.every((family) => given.includes(family)));
  return isBoth || first === 6 || present.includes(6);
}
