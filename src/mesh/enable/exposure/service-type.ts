import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { type OptionPlace, optionName, optionWith } from '../option-name.ts';
import { ipv6Annotations } from './ipv6-annotations.ts';
import { loadBalancerCapabilities } from './load-balancer-capability.ts';
import { platformEvidence, platformOfContextName, unknownSchemes } from './platforms.ts';

export const SERVICE_TYPES = ['LoadBalancer', 'NodePort', 'ClusterIP'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

/** Whether traffic to a node is also passed on to other nodes' pods (`Cluster`), at the cost of the source address. */
export type TrafficPolicy = 'Cluster' | 'Local';

/** What a Service's spec depends on, beside its type. */
export interface ServiceOptions {
  /** With type NodePort; absent lets the cluster choose. */
  nodePort?: number | undefined;
  /** With type LoadBalancer, as the next two. */
  loadBalancerClass?: string | undefined;
  loadBalancerIp?: string | undefined;
  /** CIDRs that may reach it; empty or absent: all. */
  loadBalancerSourceRanges?: readonly string[] | undefined;
  /** Default `Cluster`. */
  externalTrafficPolicy?: TrafficPolicy | undefined;
}

/** What an operator may choose of the Service. */
export interface ServiceChoices extends ServiceOptions {
  serviceType?: ServiceType | undefined;
  serviceAnnotations?: Readonly<Record<string, string>> | undefined;
}

/** The choices that are about Services of one type. */
const CHOICES_OF_TYPE: readonly (readonly [keyof ServiceOptions, ServiceType])[] = [
  ['nodePort', 'NodePort'],
  ['loadBalancerClass', 'LoadBalancer'],
  ['loadBalancerIp', 'LoadBalancer'],
  ['loadBalancerSourceRanges', 'LoadBalancer'],
];

/** The choices that mean nothing to a Service of a type, each with the type that it is about. */
export function idleChoices(type: string): typeof CHOICES_OF_TYPE {
  return CHOICES_OF_TYPE.filter(([, of]) => of !== type);
}

/** Choices without those that mean nothing to a Service of a type. */
export function withoutIdle<T extends ServiceChoices>(choices: T, type: string): Partial<T> {
  const idle = idleChoices(type).map(([field]): string => field);
  return Object.fromEntries(Object.entries(choices).filter(([field]) => !idle.includes(field))) as Partial<T>;
}

/** How the clustermesh-apiserver is exposed, and why. */
export interface ServiceExposure {
  type: ServiceType;
  annotations: Readonly<Record<string, string>>;
  /** What was seen, strongest first; for the plan. */
  evidence: readonly string[];
  /** Set when the choice is something that the operator should know of. */
  warning?: string | undefined;
}

/**
 * How to expose the clustermesh-apiserver in this cluster: on a cloud by its load balancer, kept private; elsewhere by
 * what gives Services addresses there; else by NodePort. The strongest evidence decides, never the context's name.
 * @param place where another choice would be made
 */
export function detectServiceExposure(snapshot: ClusterSnapshot, place: OptionPlace = {}): ServiceExposure {
  const evidence = platformEvidence(snapshot);
  const platform = evidence[0]?.platform;
  const seen = evidence.filter((one) => one.platform === platform).map((one) => one.seen);
  if (platform?.privateAnnotations) {
    const isPublic = Object.keys(platform.privateAnnotations).length === 0;
    return {
      type: 'LoadBalancer',
      annotations: { ...platform.privateAnnotations, ...ipv6Annotations(platform, snapshot) },
      evidence: seen,
      ...(isPublic ? { warning: `load balancers of ${platform.name} are public; close them by a firewall` } : {}),
    };
  }
  const capabilities = loadBalancerCapabilities(snapshot);
  if (capabilities.length > 0) {
    return { type: 'LoadBalancer', annotations: {}, evidence: [...seen, ...capabilities] };
  }
  const nothing = [
    ...(seen.length > 0 ? seen : [nodesSay(snapshot)]),
    'no MetalLB, Cilium LB-IPAM, k3s ServiceLB or kube-vip was found',
  ];
  return {
    type: 'NodePort',
    annotations: {},
    evidence: nothing,
    warning: fallbackWarning(snapshot, platform?.lacks, place),
  };
}

function nodesSay(snapshot: ClusterSnapshot): string {
  const [scheme] = unknownSchemes(snapshot);
  return scheme ? `unknown providerID ${scheme}://` : 'no node has a providerID';
}

function fallbackWarning({ context }: ClusterSnapshot, lacks: string | undefined, place: OptionPlace): string {
  if (lacks) return lacks;
  const named = platformOfContextName(context);
  const advice = `if there is a load balancer, use ${optionWith('serviceType', 'LoadBalancer', place)}`;
  return named?.privateAnnotations
    ? `the context is named as on ${named.name}, which alone proves nothing; ${advice}`
    : `no cloud and no load balancer was recognised; ${advice}`;
}

/** What makes a load balancer reachable from the internet, by annotation: `value` is the private one. */
const PRIVATE: ReadonlyMap<string, string> = new Map([
  ['service.beta.kubernetes.io/aws-load-balancer-scheme', 'internal'],
  ['service.beta.kubernetes.io/aws-load-balancer-internal', 'true'],
  ['networking.gke.io/load-balancer-type', 'Internal'],
  ['service.beta.kubernetes.io/azure-load-balancer-internal', 'true'],
]);

const AWS_SCHEME = 'service.beta.kubernetes.io/aws-load-balancer-scheme';
const AWS_INTERNAL = 'service.beta.kubernetes.io/aws-load-balancer-internal';

/** The annotations with those that the operator chose at a place, and a warning where they open what was private. */
export function withChosenAnnotations(
  exposure: ServiceExposure,
  chosen: Readonly<Record<string, string>> = {},
  place: OptionPlace = {},
): ServiceExposure {
  const annotations = mergeAnnotations(exposure.annotations, chosen);
  const opened = Object.entries(chosen).find(
    ([name, value]) => PRIVATE.has(name) && PRIVATE.get(name)?.toLowerCase() !== value.toLowerCase(),
  );
  const warning = opened
    ? `${optionName('serviceAnnotations', place, '--service-annotation')} ${opened.join('=')} makes the load balancer reachable from the internet`
    : exposure.warning;
  return { ...exposure, annotations, ...(warning ? { warning } : {}) };
}

/**
 * Annotations with those that are chosen now. On AWS two annotations say the same to two controllers: choosing one otherwise
 * takes the other one along, so that they never contradict each other.
 */
export function mergeAnnotations(
  present: Readonly<Record<string, string>>,
  chosen: Readonly<Record<string, string>>,
): Record<string, string> {
  const annotations = { ...present, ...chosen };
  if (chosen[AWS_SCHEME] === 'internet-facing' && chosen[AWS_INTERNAL] === undefined) delete annotations[AWS_INTERNAL];
  if (chosen[AWS_INTERNAL] === 'false' && chosen[AWS_SCHEME] === undefined) delete annotations[AWS_SCHEME];
  return annotations;
}
