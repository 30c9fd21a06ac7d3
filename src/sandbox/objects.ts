/** The parts of Kubernetes objects that the sandbox's controllers and stand-ins read and write. */
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import type { PodSpec as Placement } from '../mesh/objects/workload.ts';

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
    secretKeyRef?: { name: string; key: string; optional?: boolean };
    fieldRef?: { fieldPath: string };
  };
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  volumeMounts?: { name: string; mountPath: string; subPath?: string }[];
}

/** Where files of a volume come from: one Secret or ConfigMap, with `items` choosing and renaming keys. */
export interface FileSource {
  name?: string;
  secretName?: string;
  optional?: boolean;
  items?: { key: string; path: string }[];
}

export interface Volume {
  name: string;
  secret?: FileSource;
  configMap?: FileSource;
  projected?: { sources?: { secret?: FileSource; configMap?: FileSource }[] };
}

export interface PodSpec {
  nodeName?: string;
  hostNetwork?: boolean;
  serviceAccountName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: NonNullable<Placement['affinity']>;
  tolerations?: NonNullable<Placement['tolerations']>;
  hostAliases?: { ip: string; hostnames?: string[] }[] | null;
  initContainers?: Container[];
  containers: Container[];
  volumes?: Volume[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  lastTransitionTime?: string | undefined;
  lastUpdateTime?: string | undefined;
  reason?: string | undefined;
  message?: string | undefined;
}

export interface ContainerStatus {
  name: string;
  image: string;
  imageID: string;
  containerID?: string | undefined;
  ready: boolean;
  started: boolean;
  restartCount: number;
  state: Record<string, Record<string, unknown>>;
}

export interface PodStatus {
  phase?: string;
  conditions?: Condition[];
  hostIP?: string;
  hostIPs?: { ip: string }[];
  podIP?: string;
  podIPs?: { ip: string }[];
  startTime?: string;
  qosClass?: string;
  initContainerStatuses?: ContainerStatus[];
  containerStatuses?: ContainerStatus[];
}

export interface Pod extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

export interface Selector {
  matchLabels?: Record<string, string>;
}

export interface Deployment extends KubeObject {
  spec: {
    replicas?: number;
    paused?: boolean;
    selector: Selector;
    template: PodTemplate;
    revisionHistoryLimit?: number;
    strategy?: {
      type?: string;
      rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } | null;
    };
  };
  status?: Record<string, unknown> & { conditions?: Condition[] };
}

export interface ReplicaSet extends KubeObject {
  spec: { replicas?: number; selector: Selector; template: PodTemplate };
  status?: { replicas?: number; readyReplicas?: number; availableReplicas?: number; observedGeneration?: number };
}

export interface DaemonSet extends KubeObject {
  spec: {
    selector: Selector;
    template: PodTemplate;
    updateStrategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string } | null };
  };
  status?: Record<string, unknown>;
}

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
  nodePort?: number;
}

export interface Service extends KubeObject {
  spec: {
    type?: string;
    selector?: Record<string, string> | null;
    clusterIP?: string;
    clusterIPs?: string[];
    externalIPs?: string[];
    loadBalancerIP?: string;
    loadBalancerSourceRanges?: string[];
    externalTrafficPolicy?: string;
    internalTrafficPolicy?: string;
    ipFamilies?: string[];
    ports?: ServicePort[];
  };
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string; ipMode?: string }[] } };
}

export interface EndpointConditions {
  ready?: boolean;
  serving?: boolean;
  terminating?: boolean;
}

export interface EndpointSlice extends KubeObject {
  addressType: string;
  ports: { name?: string; port: number; protocol: string }[];
  endpoints: {
    addresses: string[];
    conditions?: EndpointConditions;
    nodeName?: string;
    targetRef?: Record<string, string>;
  }[];
}

export interface Node extends KubeObject {
  spec: {
    podCIDR?: string;
    podCIDRs?: string[];
    providerID?: string;
    unschedulable?: boolean;
    taints?: { key: string; value?: string; effect: string }[];
  };
  status?: { addresses?: { type: string; address: string }[]; conditions?: Condition[] };
}

/** Of a node what pods can choose it by. */
export function choosable({ name, labels = {} }: Node['metadata']) {
  return { name, labels };
}

export interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

const API_VERSIONS = {
  Pod: 'v1',
  Node: 'v1',
  Service: 'v1',
  Secret: 'v1',
  ConfigMap: 'v1',
  ServiceAccount: 'v1',
  Namespace: 'v1',
  Event: 'v1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  CiliumNode: 'cilium.io/v2',
  CiliumNetworkPolicy: 'cilium.io/v2',
  CiliumClusterwideNetworkPolicy: 'cilium.io/v2',
  NetworkPolicy: 'networking.k8s.io/v1',
  CiliumBGPAdvertisement: 'cilium.io/v2',
} as const;

/** The kinds that the sandbox's own parts handle. */
export type Kind = keyof typeof API_VERSIONS;

/** The apiVersion and kind for a list or a new object. */
export function typeOf(kind: Kind): { apiVersion: string; kind: string } {
  return { apiVersion: API_VERSIONS[kind], kind };
}

export function ref(kind: Kind, namespace: string | undefined, name: string): ObjectRef {
  return { ...typeOf(kind), namespace, name };
}

/** Whether labels carry all of a selector's. An absent or empty selector matches nothing, as in a Service. */
export function matches(
  labels: Record<string, string> | undefined,
  selector: Record<string, string> | null | undefined,
) {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

/** A pod's addresses; none before it is begun. */
export function podIps({ status }: Pod): string[] {
  return (status?.podIPs ?? []).map(({ ip }) => ip);
}

/** The addresses of a Service in its cluster; none of a headless one. */
export function clusterIps({ spec: { clusterIP, clusterIPs = [clusterIP ?? 'None'] } }: Service): string[] {
  return clusterIPs.filter((address) => address !== 'None');
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** An endpoint of which nothing is said is ready. */
export function isEndpointReady({ conditions }: { conditions?: EndpointConditions | undefined }): boolean {
  return conditions?.ready ?? true;
}

/** The reference that makes `owner` the controller of another object. */
export function ownerReference(owner: KubeObject): NonNullable<KubeObject['metadata']['ownerReferences']>[number] {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;
}

/** Puts a condition in, keeping its transition time while the status stays the same. */
export function withCondition(conditions: readonly Condition[], next: Condition, now: string): Condition[] {
  const old = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? now) : now;
  return [...conditions.filter(({ type }) => type !== next.type), { ...next, lastTransitionTime }];
}

/** RFC 3339 to the second, as Kubernetes writes times. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
