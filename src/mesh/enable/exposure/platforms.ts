import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { partOf } from '../../counted.ts';

/** A place where clusters run, and how it can be told from what the cluster says. */
export interface Platform {
  name: string;
  /** What `--platform` calls it; only of those with load balancers. */
  flag?: string;
  /** What a LoadBalancer Service needs so that it stays off the public internet; undefined: it has no load balancers. */
  privateAnnotations?: Readonly<Record<string, string>>;
  /** Why there are no load balancers, for people; only without `privateAnnotations`. */
  lacks?: string;
  /** `scheme` of the nodes' `spec.providerID`. */
  schemes: readonly string[];
  /** Prefixes of node labels. */
  labels: readonly string[];
  /** Names of API groups, or their ends with a leading dot. */
  apiGroups: readonly string[];
  /** Ends of the API server's host name. */
  hosts: readonly string[];
  /** How its tools name contexts. */
  contexts: readonly RegExp[];
}

/** How sure a piece of evidence makes; the smaller, the surer. */
const SOURCES = ['providerID', 'node label', 'API group', 'server'] as const;
export type EvidenceSource = (typeof SOURCES)[number];

export interface PlatformEvidence {
  platform: Platform;
  source: EvidenceSource;
  /** What was seen, for people. */
  seen: string;
}

/** Clients in all regions of the network, and nobody outside of it. */
const GLOBAL_ACCESS = 'networking.gke.io/internal-load-balancer-allow-global-access';

/**
 * The platforms that are known. Annotations: each provider's documentation of its Service annotations. For AWS both the
 * in-tree controller's and the AWS Load Balancer Controller's are set, because either may be the one that acts.
 */
export const PLATFORMS: readonly Platform[] = [
  {
    name: 'Google Cloud',
    flag: 'gke',
    privateAnnotations: {
      'networking.gke.io/load-balancer-type': 'Internal',
      [GLOBAL_ACCESS]: 'true',
    },
    schemes: ['gce'],
    labels: ['cloud.google.com/gke-'],
    apiGroups: ['networking.gke.io', 'cloud.google.com', 'auto.gke.io'],
    hosts: ['.gke.goog'],
    contexts: [/^gke_/],
  },
  {
    name: 'Azure',
    flag: 'aks',
    privateAnnotations: { 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' },
    schemes: ['azure'],
    labels: ['kubernetes.azure.com/'],
    apiGroups: ['.kubernetes.azure.com'],
    hosts: ['.azmk8s.io'],
    contexts: [/\baks\b/],
  },
  {
    name: 'AWS',
    flag: 'eks',
    privateAnnotations: {
      'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internal',
      'service.beta.kubernetes.io/aws-load-balancer-internal': 'true',
    },
    schemes: ['aws'],
    labels: ['eks.amazonaws.com/', 'alpha.eksctl.io/', 'k8s.io/cloud-provider-aws'],
    apiGroups: ['elbv2.k8s.aws', 'vpcresources.k8s.aws', 'crd.k8s.amazonaws.com', '.k8s.aws'],
    hosts: ['.eks.amazonaws.com', '.eks.amazonaws.com.cn', '.elb.amazonaws.com'],
    contexts: [/^arn:aws[a-z-]*:eks:/, /\.eksctl\.io$/],
  },
  {
    name: 'OpenStack',
    flag: 'openstack',
    privateAnnotations: { 'service.beta.kubernetes.io/openstack-internal-load-balancer': 'true' },
    schemes: ['openstack'],
    labels: ['topology.cinder.csi.openstack.org/'],
    apiGroups: [],
    hosts: [],
    contexts: [],
  },
  {
    name: 'Oracle Cloud',
    flag: 'oke',
    privateAnnotations: { 'service.beta.kubernetes.io/oci-load-balancer-internal': 'true' },
    schemes: ['ocid1', 'oci'],
    labels: ['oci.oraclecloud.com/', 'oke.oraclecloud.com/'],
    apiGroups: ['oci.oraclecloud.com'],
    hosts: ['.oraclecloud.com'],
    contexts: [],
  },
  {
    name: 'Alibaba Cloud',
    flag: 'ack',
    privateAnnotations: { 'service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type': 'intranet' },
    schemes: ['alicloud'],
    labels: ['alibabacloud.com/', 'node.alibabacloud.com/'],
    apiGroups: ['.alibabacloud.com'],
    hosts: ['.aliyuncs.com'],
    contexts: [],
  },
  {
    name: 'IBM Cloud',
    flag: 'iks',
    privateAnnotations: { 'service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type': 'private' },
    schemes: ['ibm'],
    labels: ['ibm-cloud.kubernetes.io/'],
    apiGroups: [],
    hosts: ['.containers.cloud.ibm.com'],
    contexts: [],
  },
  {
    name: 'DigitalOcean',
    flag: 'doks',
    privateAnnotations: { 'service.beta.kubernetes.io/do-loadbalancer-network': 'INTERNAL' },
    schemes: ['digitalocean'],
    labels: ['doks.digitalocean.com/'],
    apiGroups: [],
    hosts: ['.k8s.ondigitalocean.com'],
    contexts: [/^do-[a-z]{3}\d-/],
  },
  {
    name: 'Hetzner Cloud',
    flag: 'hetzner',
    privateAnnotations: { 'load-balancer.hetzner.cloud/use-private-ip': 'true' },
    schemes: ['hcloud'],
    labels: ['instance.hetzner.cloud/', 'csi.hetzner.cloud/'],
    apiGroups: [],
    hosts: [],
    contexts: [],
  },
  {
    name: 'Akamai (Linode)',
    flag: 'lke',
    // It has none: its load balancers are public, and a firewall is the way to close them.
    privateAnnotations: {},
    schemes: ['linode'],
    labels: ['lke.linode.com/', 'node.k8s.linode.com/'],
    apiGroups: [],
    hosts: ['.linodelke.net'],
    contexts: [/^lke\d+-ctx$/],
  },
  {
    name: 'kind',
    lacks: 'a kind cluster has no load balancer of its own',
    schemes: ['kind'],
    labels: [],
    apiGroups: [],
    hosts: [],
    contexts: [/^kind-/],
  },
  {
    name: 'minikube',
    lacks: 'minikube has no load balancer unless `minikube tunnel` runs',
    schemes: ['minikube'],
    labels: ['minikube.k8s.io/'],
    apiGroups: [],
    hosts: [],
    contexts: [/^minikube$/],
  },
];

/** What `--platform` may name: the known ones with load balancers, and clusters whose load balancers are within their network. */
export const PLATFORM_FLAGS: readonly string[] = [...PLATFORMS.flatMap(({ flag }) => flag ?? []), 'bare-metal'];

/** The annotations that keep a load balancer private there; undefined where there are none to that end. */
export function privateAnnotationsOf(flag: string): Readonly<Record<string, string>> | undefined {
  if (flag === 'bare-metal') return {};
  const { privateAnnotations = {} } = PLATFORMS.find((platform) => platform.flag === flag) ?? {};
  return Object.keys(privateAnnotations).length > 0 ? privateAnnotations : undefined;
}

/** Whether an annotation of a Service keeps its load balancer off the public internet; GKE's global access is within it. */
export function keepsPrivate(name: string, value: string | undefined): boolean {
  if (name === GLOBAL_ACCESS) return false;
  return value !== undefined && PLATFORMS.some(({ privateAnnotations }) => privateAnnotations?.[name] === value);
}

/** What tells where a cluster runs, the strongest first. The context's name is not evidence: anyone may call it anything. */
export function platformEvidence(snapshot: ClusterSnapshot): PlatformEvidence[] {
  const { nodes, apiGroups, server } = snapshot;
  const total = nodes.length;
  const host = hostOf(server);
  const found = PLATFORMS.flatMap((platform): (PlatformEvidence & { count: number })[] => {
    const evidence: (PlatformEvidence & { count: number })[] = [];
    const add = (source: EvidenceSource, count: number, seen: string) =>
      evidence.push({ platform, source, count, seen: `${seen} (${platform.name})` });
    for (const scheme of platform.schemes) {
      const count = nodes.filter(({ providerId }) => schemeOf(providerId) === scheme).length;
      if (count > 0)
        add('providerID', count, `${partOf(count, total, 'node', ['has', 'have'])} a providerID ${scheme}://`);
    }
    for (const prefix of platform.labels) {
      const count = nodes.filter(({ labels }) => Object.keys(labels).some((label) => label.startsWith(prefix))).length;
      if (count > 0) add('node label', count, `${partOf(count, total, 'node', ['has', 'have'])} a label ${prefix}…`);
    }
    const group = apiGroups.find((name) => platform.apiGroups.some((known) => matches(name, known)));
    if (group) add('API group', 1, `the API server serves ${group}`);
    const end = platform.hosts.find((known) => host.endsWith(known));
    if (end) add('server', 1, `the API server is at *${end}`);
    return evidence;
  });
  return found.sort((a, b) => SOURCES.indexOf(a.source) - SOURCES.indexOf(b.source) || b.count - a.count);
}

/** The platform whose tools name contexts so; never enough alone. */
export function platformOfContextName(context: string): Platform | undefined {
  return PLATFORMS.find(({ contexts }) => contexts.some((pattern) => pattern.test(context)));
}

/** Provider id schemes that are none of the known platforms', e.g. `metal3`. */
export function unknownSchemes(snapshot: ClusterSnapshot): string[] {
  const known = new Set(PLATFORMS.flatMap(({ schemes }) => schemes));
  return providerSchemes(snapshot).filter((scheme) => !known.has(scheme));
}

/** The schemes of the provider ids that nodes have, each once. */
export function providerSchemes({ nodes }: Pick<ClusterSnapshot, 'nodes'>): string[] {
  return [...new Set(nodes.flatMap(({ providerId }) => schemeOf(providerId) ?? []))];
}

/** The schemes of a platform by what `--platform` calls it. */
export function schemesOfPlatform(flag: string): readonly string[] {
  return PLATFORMS.find((platform) => platform.flag === flag)?.schemes ?? [];
}

/** `gce` of `gce://project/…`, `ocid1` of `ocid1.instance.…`. */
function schemeOf(providerId: string | undefined): string | undefined {
  return providerId === undefined ? undefined : /^([a-z0-9]+)(:\/\/|\.)/.exec(providerId)?.[1];
}

function matches(name: string, known: string): boolean {
  return known.startsWith('.') ? name.endsWith(known) : name === known;
}

function hostOf(server: string): string {
  return URL.canParse(server) ? new URL(server).hostname : '';
}
