import type { CiliumSettings } from '../mesh/cilium-install.ts';
import type { ServiceType } from '../mesh/service-type.ts';
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
  replicas: number;
  kvstoremesh: boolean;
}
