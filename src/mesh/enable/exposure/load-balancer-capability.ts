import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import { templateSpec } from '../../objects/workload.ts';

/**
 * What in a cluster outside of the clouds gives addresses to Services of type LoadBalancer, as sentences for the plan;
 * empty when nothing was found. Judged from the objects that {@link LOAD_BALANCER_PROBES} names.
 */
export function loadBalancerCapabilities({ probed = [], nodes, kubernetesVersion = '' }: ClusterSnapshot): string[] {
  const of = (kind: string) => probed.filter((object) => object.kind === kind);
  const found: string[] = [];
  const metallbPool = of('IPAddressPool').find(assignsByItself);
  if (metallbPool) found.push(`MetalLB has the IPAddressPool ${metallbPool.metadata.name}`);
  const ciliumPool = of('CiliumLoadBalancerIPPool').find((pool) => !isDisabled(pool) && servesEveryService(pool));
  if (ciliumPool) found.push(`Cilium LB-IPAM has the CiliumLoadBalancerIPPool ${ciliumPool.metadata.name}`);
  const kubeVip = [...of('DaemonSet'), ...of('Deployment')].find(isKubeVip);
  if (kubeVip) found.push(`kube-vip runs (${kubeVip.kind} ${kubeVip.metadata.namespace}/${kubeVip.metadata.name})`);
  const serviceLb = of('DaemonSet').find(({ metadata }) => metadata.labels?.[SERVICE_LB_LABEL] !== undefined);
  const marked = nodes.find(({ labels }) => Object.keys(labels).some((label) => label.startsWith(SERVICE_LB_PREFIX)));
  if (serviceLb)
    found.push(`k3s ServiceLB runs (DaemonSet ${serviceLb.metadata.namespace}/${serviceLb.metadata.name})`);
  else if (marked) found.push(`k3s ServiceLB is switched on (a label of node ${marked.name})`);
  else if (kubernetesVersion.includes('+k3s')) {
    found.push(`Kubernetes is ${kubernetesVersion}, and k3s has ServiceLB unless it is switched off`);
  }
  return found;
}

/** A list that enable takes in addition. */
export interface LoadBalancerProbe {
  /** The newest first: of these the first one that is served is asked. */
  apiVersions: readonly string[];
  kind: string;
  /** The API group without which there is nothing to list. */
  group?: string;
  labelSelector?: string;
}

export const LOAD_BALANCER_PROBES: readonly LoadBalancerProbe[] = [
  { apiVersions: ['metallb.io/v1beta1'], kind: 'IPAddressPool', group: 'metallb.io' },
  // v2 since Cilium 1.18; since then the API server warns of v2alpha1.
  { apiVersions: ['cilium.io/v2', 'cilium.io/v2alpha1'], kind: 'CiliumLoadBalancerIPPool', group: 'cilium.io' },
  { apiVersions: ['apps/v1'], kind: 'DaemonSet' },
  { apiVersions: ['apps/v1'], kind: 'Deployment', labelSelector: 'app.kubernetes.io/name=kube-vip-cloud-provider' },
];

/** Of the DaemonSets that k3s makes for each LoadBalancer Service (k3s, pkg/cloudprovider/servicelb.go). */
const SERVICE_LB_LABEL = 'svccontroller.k3s.cattle.io/svcname';
const SERVICE_LB_PREFIX = 'svccontroller.k3s.cattle.io/';

/** MetalLB takes addresses of a pool only by annotation where `autoAssign` is false. */
function assignsByItself(pool: KubeObject): boolean {
  return (pool.spec as { autoAssign?: boolean } | undefined)?.autoAssign !== false;
}

function isDisabled(pool: KubeObject): boolean {
  return (pool.spec as { disabled?: boolean } | undefined)?.disabled === true;
}

/** A pool with a selector may be for other Services. */
function servesEveryService(pool: KubeObject): boolean {
  const { serviceSelector } = (pool.spec ?? {}) as { serviceSelector?: Record<string, unknown> };
  return serviceSelector === undefined || Object.keys(serviceSelector).length === 0;
}

/** kube-vip in Service mode: its cloud provider, or the DaemonSet with `svc_enable` (kube-vip.io, flags and environment). */
function isKubeVip(workload: KubeObject): boolean {
  const { labels = {}, name } = workload.metadata;
  if (labels['app.kubernetes.io/name'] === 'kube-vip-cloud-provider') return true;
  if (labels['app.kubernetes.io/name'] !== 'kube-vip' && !name.startsWith('kube-vip')) return false;
  return (templateSpec(workload).containers ?? []).some(
    ({ args = [], env = [] }) =>
      args.includes('--services') || env.some(({ name: key, value }) => key === 'svc_enable' && value === 'true'),
  );
}
