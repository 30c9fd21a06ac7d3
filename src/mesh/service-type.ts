import type { ClusterSnapshot } from './snapshot.ts';

export type ServiceType = 'LoadBalancer' | 'NodePort' | 'ClusterIP';
export const SERVICE_TYPES: readonly ServiceType[] = ['LoadBalancer', 'NodePort', 'ClusterIP'];

/** Whether traffic to a node is also passed on to other nodes' pods (`Cluster`), at the cost of the source address. */
export type TrafficPolicy = 'Cluster' | 'Local';

/** How the clustermesh-apiserver is exposed, and why. */
export interface ServiceExposure {
  type: ServiceType;
  annotations: Readonly<Record<string, string>>;
  /** What was seen, strongest first; for the plan. */
  evidence: readonly string[];
  /** Set when the choice is a fallback that the operator should know of. */
  warning?: string | undefined;
}

interface Platform {
  name: string;
  /** `scheme` of the nodes' `spec.providerID`. */
  schemes: readonly string[];
  type: ServiceType;
  annotations: Readonly<Record<string, string>>;
  warning?: string;
}

/**
 * Annotations that keep the load balancer off the public internet; a mesh is a private matter of its members.
 * Sources: each provider's documentation of its Service annotations. For AWS both the in-tree controller's and the AWS Load
 * Balancer Controller's are set, because either may be the one that acts.
 */
const PLATFORMS: readonly Platform[] = [
  {
    name: 'Google Cloud',
    schemes: ['gce'],
    type: 'LoadBalancer',
    annotations: {
      'networking.gke.io/load-balancer-type': 'Internal',
      'networking.gke.io/internal-load-balancer-allow-global-access': 'true',
    },
  },
  {
    name: 'Azure',
    schemes: ['azure'],
    type: 'LoadBalancer',
    annotations: { 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' },
  },
  {
    name: 'AWS',
    schemes: ['aws'],
    type: 'LoadBalancer',
    annotations: {
      'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internal',
      'service.beta.kubernetes.io/aws-load-balancer-internal': 'true',
    },
  },
  {
    name: 'OpenStack',
    schemes: ['openstack'],
    type: 'LoadBalancer',
    annotations: { 'service.beta.kubernetes.io/openstack-internal-load-balancer': 'true' },
  },
  {
    name: 'Oracle Cloud',
    schemes: ['ocid1', 'oci'],
    type: 'LoadBalancer',
    annotations: { 'service.beta.kubernetes.io/oci-load-balancer-internal': 'true' },
  },
  {
    name: 'Alibaba Cloud',
    schemes: ['alicloud'],
    type: 'LoadBalancer',
    annotations: { 'service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type': 'intranet' },
  },
  {
    name: 'IBM Cloud',
    schemes: ['ibm'],
    type: 'LoadBalancer',
    annotations: { 'service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type': 'private' },
  },
  {
    name: 'DigitalOcean',
    schemes: ['digitalocean'],
    type: 'LoadBalancer',
    annotations: { 'service.beta.kubernetes.io/do-loadbalancer-network': 'INTERNAL' },
  },
  {
    name: 'Hetzner Cloud',
    schemes: ['hcloud'],
    type: 'LoadBalancer',
    annotations: { 'load-balancer.hetzner.cloud/use-private-ip': 'true' },
  },
];

const NO_LOAD_BALANCER: readonly { name: string; schemes: readonly string[]; reason: string }[] = [
  { name: 'kind', schemes: ['kind'], reason: 'a kind cluster has no load balancer of its own' },
  { name: 'minikube', schemes: ['minikube'], reason: 'minikube has no load balancer unless `minikube tunnel` runs' },
];

/**
 * How to expose the clustermesh-apiserver in this cluster, from what the nodes say of their cloud. Never decided by the
 * context's name.
 */
export function detectServiceExposure(snapshot: ClusterSnapshot): ServiceExposure {
  const schemes = providerSchemes(snapshot);
  for (const [scheme, count] of schemes) {
    const platform = PLATFORMS.find((candidate) => candidate.schemes.includes(scheme));
    const evidence = `${count} of ${snapshot.nodes.length} nodes have a providerID ${scheme}://`;
    if (platform) {
      return { type: platform.type, annotations: platform.annotations, evidence: [`${evidence} (${platform.name})`] };
    }
    const local = NO_LOAD_BALANCER.find((candidate) => candidate.schemes.includes(scheme));
    if (local) {
      return { type: 'NodePort', annotations: {}, evidence: [`${evidence} (${local.name})`], warning: local.reason };
    }
  }
  return {
    type: 'NodePort',
    annotations: {},
    evidence: [schemes.length === 0 ? 'no node has a providerID' : `unknown providerID ${schemes[0]?.[0]}://`],
    warning: 'no cloud and no load balancer was recognised; if there is one, use --service-type LoadBalancer',
  };
}

/** Provider id schemes of the nodes, the most frequent first. */
function providerSchemes(snapshot: ClusterSnapshot): [scheme: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { providerId } of snapshot.nodes) {
    const scheme = providerId && /^([a-z0-9]+)(:\/\/|\.)/.exec(providerId)?.[1];
    if (scheme) counts.set(scheme, (counts.get(scheme) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}
