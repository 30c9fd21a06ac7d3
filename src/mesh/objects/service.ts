import { canonicalIp } from '../cilium/cidr.ts';
import type { KubeObject } from './kube-object.ts';

/** Of a Service's spec what meshctl reads (Kubernetes API reference, ServiceSpec). */
export interface ServiceSpec {
  type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  externalName?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  externalIPs?: string[];
  ipFamilies?: string[];
  ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  selector?: Record<string, string>;
  ports?: { name?: string; port: number; targetPort?: number | string; nodePort?: number; protocol?: string }[];
  externalTrafficPolicy?: 'Cluster' | 'Local';
  internalTrafficPolicy?: 'Cluster' | 'Local';
  trafficDistribution?: string;
  loadBalancerClass?: string;
  loadBalancerIP?: string;
  loadBalancerSourceRanges?: string[];
}

interface ServiceStatus {
  loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] };
}

/** A Service's spec; empty for none. */
export function serviceSpec(service: KubeObject | undefined): ServiceSpec {
  return (service?.spec ?? {}) as ServiceSpec;
}

/** The IP families of a Service: of a cluster's own choice where it names none. */
export function serviceFamilies(service: KubeObject | undefined): (4 | 6)[] {
  return (serviceSpec(service).ipFamilies ?? []).map((family) => (family === 'IPv6' ? 6 : 4));
}

/** What a load balancer has given a Service: addresses, in one spelling each, and host names. */
export function ingressOf(service: KubeObject | undefined): { ip?: string; hostname?: string }[] {
  const { ingress = [] } = ((service?.status ?? {}) as ServiceStatus).loadBalancer ?? {};
  return ingress.map(({ ip, ...more }) => ({ ...more, ...(ip === undefined ? {} : { ip: canonicalIp(ip) }) }));
}

/** The addresses of a Service in its cluster, one of each IP family that it has; none of a headless one. */
export function clusterAddresses(service: KubeObject | undefined): string[] {
  const { clusterIP = 'None', clusterIPs = [clusterIP] } = serviceSpec(service);
  return clusterIPs.filter((address) => address !== 'None').map(canonicalIp);
}
