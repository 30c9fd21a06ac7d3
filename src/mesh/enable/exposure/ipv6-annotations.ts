import { apiserverService } from '../../apiserver/live.ts';
import { familyOf } from '../../cilium/cidr.ts';
import { ipFamilies } from '../../cilium/datapath.ts';
import { hasAddressesOfCloud } from '../../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { serviceFamilies } from '../../objects/service.ts';
import type { Platform } from './platforms.ts';

/**
 * What the load balancer of a platform is to be told besides where the Service has, or gets, an IPv6 address; nothing where it has
 * none, or where that is not known.
 *
 * The AWS Load Balancer Controller makes one of IPv4 unless it is told otherwise, and stops at a Service of IPv6 then ("unsupported
 * IPv6 configuration, lb not dual-stack"; its guide, "Service annotations", `aws-load-balancer-ip-address-type`). Over IPv6 it sends to
 * pods, not to nodes (EKS user guide, "Load balancing"), which needs pods with addresses of the VPC.
 */
export function ipv6Annotations({ flag }: Platform, snapshot: ClusterSnapshot): Readonly<Record<string, string>> {
  if (flag !== 'eks' || !hasIpv6(snapshot)) return {};
  const { ciliumConfig = {} } = snapshot;
  const areOfVpc = hasAddressesOfCloud(ciliumConfig) || ciliumConfig['cni-chaining-mode'] === 'aws-cni';
  return {
    'service.beta.kubernetes.io/aws-load-balancer-ip-address-type': 'dualstack',
    ...(areOfVpc ? { 'service.beta.kubernetes.io/aws-load-balancer-nlb-target-type': 'ip' } : {}),
  };
}

/** Whether the Service has, or comes to have, an IPv6 address: of those that are given it takes the first family, unless told otherwise. */
function hasIpv6(snapshot: ClusterSnapshot): boolean {
  const present = serviceFamilies(apiserverService(snapshot));
  if (present.length > 0) return present.includes(6);
  const [first] = snapshot.serviceCidrs ?? [];
  return first === undefined ? ipFamilies(snapshot.ciliumConfig ?? {})[0] === 6 : familyOf(first) === 6;
}
