import type { KubeObject } from './kube-object.ts';
import type { Toleration } from './taints.ts';

/** Of a pod's spec what meshctl reads (Kubernetes API reference, PodSpec). */
export interface PodSpec {
  nodeName?: string;
  serviceAccountName?: string;
  securityContext?: SecurityContext;
  containers?: Container[];
  initContainers?: Container[];
  imagePullSecrets?: { name: string }[];
  volumes?: Volume[];
  hostAliases?: { ip: string; hostnames: string[] }[];
  tolerations?: Toleration[];
  nodeSelector?: Record<string, string>;
  affinity?: { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector } };
}

interface NodeSelector {
  nodeSelectorTerms?: NodeSelectorTerm[];
}

/** All of it has to be so; an empty one takes no node. */
export interface NodeSelectorTerm {
  matchExpressions?: NodeRequirement[];
  /** Of fields there is only `metadata.name`. */
  matchFields?: NodeRequirement[];
}

export interface NodeRequirement {
  key: string;
  operator: string;
  values?: string[];
}

interface Volume {
  name: string;
  emptyDir?: { medium?: string };
  configMap?: { name?: string; optional?: boolean };
  secret?: { secretName?: string; optional?: boolean };
  projected?: { sources?: { configMap?: Projection; secret?: Projection }[] };
}

/** One object of a volume; without items, all of its keys as files of their names. */
interface Projection {
  name?: string;
  optional?: boolean;
  items?: { key: string; path: string }[];
}

export interface Container {
  name: string;
  image?: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string }[];
  ports?: ContainerPort[];
  resources?: ResourceRequirements;
  securityContext?: SecurityContext;
}

export interface ContainerPort {
  name?: string;
  containerPort: number;
}

/** Quantities by resource, e.g. `{ cpu: '100m', memory: '64Mi' }`. */
export interface ResourceRequirements {
  requests?: Readonly<Record<string, string>>;
  limits?: Readonly<Record<string, string>>;
}

export interface SecurityContext {
  runAsNonRoot?: boolean;
  allowPrivilegeEscalation?: boolean;
  capabilities?: { drop?: string[] };
  seccompProfile?: { type?: string };
}

/** Of a Deployment's or DaemonSet's spec. */
interface WorkloadSpec {
  replicas?: number;
  paused?: boolean;
  selector?: { matchLabels?: Record<string, string> };
  strategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string } };
  /** Of a DaemonSet. */
  updateStrategy?: { type?: string };
  template?: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec?: PodSpec };
}

/** Of a Deployment's or DaemonSet's status; a DaemonSet counts in fields of its own. */
interface WorkloadStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  availableReplicas?: number;
  desiredNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberMisscheduled?: number;
  numberReady?: number;
  conditions?: Condition[];
}

export interface PodStatus {
  phase?: string;
  /** Why it has ended, or is not taken by its node. */
  reason?: string;
  message?: string;
  podIP?: string;
  podIPs?: { ip: string }[];
  startTime?: string;
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface ContainerStatus {
  name: string;
  image?: string;
  ready?: boolean;
  restartCount?: number;
  state?: { waiting?: { reason?: string; message?: string }; running?: { startedAt?: string } };
  lastState?: { terminated?: { reason?: string; message?: string; exitCode?: number } };
}

/** The spec of a Deployment or DaemonSet; empty for none. */
export function workloadSpec(workload: KubeObject | undefined): WorkloadSpec {
  return (workload?.spec ?? {}) as WorkloadSpec;
}

/** The status of a Deployment or DaemonSet; empty for none. */
export function workloadStatus(workload: KubeObject | undefined): WorkloadStatus {
  return (workload?.status ?? {}) as WorkloadStatus;
}

/** The spec of the pods that a Deployment or DaemonSet makes; empty for none. */
export function templateSpec(workload: KubeObject | undefined): PodSpec {
  return workloadSpec(workload).template?.spec ?? {};
}

/** What pods cannot start without, of what they mount and run as: kinds and names. */
export function neededBy({ volumes = [], serviceAccountName }: PodSpec): { kind: string; name: string }[] {
  const sources = volumes.flatMap(({ configMap, secret, projected }) => [
    { kind: 'ConfigMap', ...configMap },
    { kind: 'Secret', ...secret, name: secret?.secretName },
    ...(projected?.sources ?? []).flatMap((source) => [
      { kind: 'ConfigMap', ...source.configMap },
      { kind: 'Secret', ...source.secret },
    ]),
  ]);
  const account = { kind: 'ServiceAccount', name: serviceAccountName };
  return [...sources, account].flatMap(
    ({ kind, name, optional }: { kind: string; name?: string | undefined; optional?: boolean }) =>
      name === undefined || optional ? [] : [{ kind, name }],
  );
}

/** A pod's spec. */
export function podSpec(pod: KubeObject): PodSpec {
  return (pod.spec ?? {}) as PodSpec;
}

/** A pod's status; empty before a kubelet has seen it. */
export function podStatus(pod: KubeObject): PodStatus {
  return (pod.status ?? {}) as PodStatus;
}
