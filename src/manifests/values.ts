import type { CaBundle } from '../mesh/certificates/ca-bundle.ts';
import type { CiliumSettings } from '../mesh/cilium/install.ts';
import type { CiliumVersion } from '../mesh/cilium/versions/versions.ts';
import type { ServiceType } from '../mesh/enable/exposure/service-type.ts';
import type { ApiserverSettings } from '../mesh/enable/settings.ts';

/** Everything that the objects of Cluster Mesh depend on. */
export interface RenderValues extends ApiserverSettings {
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
  /** By which its programs verify, where that is not the file beside their certificates (`tls.caBundle` of the chart). */
  caBundle?: CaBundle | undefined;
  /** The namespace enforces Pod Security's level `restricted`. */
  restricted?: boolean | undefined;
}
