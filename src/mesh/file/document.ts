import type { ContainerResources, EtcdStorage } from '../apiserver/deployment.ts';
import type { ServiceType, TrafficPolicy } from '../enable/exposure/service-type.ts';
import type { Toleration } from '../objects/taints.ts';
import type { CredentialChoice } from '../peers/credential-kind.ts';
import type { Affinity } from '../services/annotations.ts';

/** A mesh as it is written in a file: what `templates/schemas/mesh.schema.json` describes, once it has been checked. */

export const MESH_KIND = 'Mesh';
export const MESH_API_VERSION = 'meshctl.io/v1alpha1';

/** Annotation of a file that was exported while part of its mesh could not be read: what is missing, a line each. Nothing is applied by it. */
export const MISSING_ANNOTATION = 'meshctl.io/missing';
/** The same for contexts that `--all` left out, which are missing from nothing. */
export const LEFT_OUT_ANNOTATION = 'meshctl.io/left-out';

export interface MeshDocument {
  apiVersion: typeof MESH_API_VERSION;
  kind: typeof MESH_KIND;
  metadata: { name: string; annotations?: Readonly<Record<string, string>> };
  spec: WrittenSpec;
}

export interface WrittenSpec {
  defaults?: ClusterPlace & ClusterMaking;
  clusters: readonly WrittenCluster[];
  topology: Topology;
  credentials?: WrittenCredentials;
  endpoints?: readonly WrittenEndpoint[];
  services?: readonly WrittenService[];
  /** Names of clusters that others look after. */
  external?: readonly string[];
}

/** `kept`: as it was chosen for each peer. */
export type WrittenCredentials = CredentialChoice | 'kept';

export interface WrittenCluster extends ClusterPlace, ClusterMaking {
  name: string;
  context?: string;
}

interface ClusterPlace {
  kubeconfig?: string;
  /** Cilium's. */
  namespace?: string;
}

interface ClusterMaking {
  /** Its clustermesh-apiserver is somebody else's. */
  connectOnly?: boolean;
  enable?: WrittenEnable;
}

/** What `enable` takes by flags. */
export interface WrittenEnable {
  serviceType?: ServiceType;
  serviceAnnotations?: Readonly<Record<string, string>>;
  nodePort?: number;
  loadBalancerClass?: string;
  loadBalancerIp?: string;
  loadBalancerSourceRanges?: readonly string[];
  externalTrafficPolicy?: TrafficPolicy;
  image?: string;
  pullSecrets?: readonly string[];
  tolerations?: readonly Toleration[];
  replicas?: number;
  kvstoremesh?: boolean;
  resources?: ContainerResources;
  etcdStorage?: EtcdStorage;
  podDisruptionBudget?: boolean;
  serviceMonitor?: boolean;
  /** By `Kind/name:path`. */
  set?: Readonly<Record<string, unknown>>;
  /** The cluster whose CA a cluster gets that has none. */
  caFrom?: string;
  /** A span, e.g. `8760h`. */
  certValidity?: string;
  keySize?: number;
  ciliumVersion?: string;
  maxConnectedClusters?: number;
}

export type Topology =
  | { type: 'mesh' }
  | { type: 'hub'; hubs: readonly string[] }
  | { type: 'pairs'; pairs: readonly (readonly [string, string] | OneWay)[] }
  | { type: 'regions'; regions: readonly Region[] };

/** `from` dials `to`, and not the other way round. */
export interface OneWay {
  from: string;
  to: string;
}

export interface Region {
  name: string;
  clusters: readonly string[];
  hub?: string;
}

export interface WrittenEndpoint {
  to: string;
  /** Absent: all that dial it. */
  from?: readonly string[];
  /** `host[:port]`. */
  addresses: readonly string[];
}

export interface WrittenService {
  namespace: string;
  name: string;
  affinity?: Affinity;
  shared?: boolean;
  /** Absent: every cluster that has it. */
  clusters?: readonly string[];
}
