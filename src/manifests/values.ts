import type { ContainerResources, EtcdStorage } from '../mesh/apiserver-deployment.ts';
import type { CiliumSettings } from '../mesh/cilium-install.ts';
import type { ServiceType, TrafficPolicy } from '../mesh/service-type.ts';
import type { CiliumVersion } from '../mesh/versions.ts';

/** Everything that the objects of Cluster Mesh depend on. */
export interface RenderValues {
  ciliumVersion: CiliumVersion;
  /** The clustermesh-apiserver's image, with its tag. */
  image: string;
  namespace: string;
  clusterName: string;
  maxConnectedClusters: number;
  /** What cilium-config says. */
  settings: CiliumSettings;
  serviceType: ServiceType;
  serviceAnnotations: Readonly<Record<string, string>>;
  /** With type NodePort; absent lets the cluster choose. */
  nodePort?: number | undefined;
  /** With type LoadBalancer. */
  loadBalancerClass?: string | undefined;
  /** With type LoadBalancer. */
  loadBalancerIp?: string | undefined;
  /** CIDRs that may reach a LoadBalancer; empty or absent: all. */
  loadBalancerSourceRanges?: readonly string[] | undefined;
  /** Default `Cluster`. */
  externalTrafficPolicy?: TrafficPolicy | undefined;
  replicas: number;
  kvstoremesh: boolean;
  /** Requests and limits by container; absent containers have none. */
  resources?: ContainerResources | undefined;
  /** Names of Secrets with credentials for the image's registry. */
  pullSecrets?: readonly string[] | undefined;
  /** Where etcd keeps its data; default `disk`, the node's. */
  etcdStorage?: EtcdStorage | undefined;
  podDisruptionBudget?: boolean | undefined;
  serviceMonitor?: boolean | undefined;
  podAnnotations?: Readonly<Record<string, string>> | undefined;
}
