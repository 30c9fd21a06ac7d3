import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { isIpAddress, loadBalancerHosts } from './endpoints.ts';

interface ServiceSpec {
  type?: string;
  loadBalancerClass?: string;
  loadBalancerIP?: string;
  ports?: Record<string, unknown>[];
}

/**
 * The cluster as it will be once the rendered Service is applied, so that a plan knows the addresses which the API server
 * has not given out yet. A load balancer that is yet to be made has none.
 */
export function withService(snapshot: ClusterSnapshot, rendered: KubeObject): ClusterSnapshot {
  const key = keyOf(refOf(rendered));
  const live = snapshot.objects.get(key);
  return { ...snapshot, objects: new Map([...snapshot.objects, [key, live ? applied(live, rendered) : rendered]]) };
}

function applied(live: KubeObject, rendered: KubeObject): KubeObject {
  const before = (live.spec ?? {}) as ServiceSpec;
  const wanted = (rendered.spec ?? {}) as ServiceSpec;
  const ports = (wanted.ports ?? []).map((port, index) => ({ ...before.ports?.[index], ...port }));
  const after: ServiceSpec = { ...before, ...wanted, ports };
  const { status, ...object } = live;
  return { ...object, spec: after, ...(keepsLoadBalancer(before, after) ? { status } : {}), ...askedFor(live, after) };
}

/** The address that a load balancer was told to have, beside the ones that it still has. */
function askedFor(live: KubeObject, { type, loadBalancerIP }: ServiceSpec): { status?: object } {
  if (type !== 'LoadBalancer' || loadBalancerIP === undefined) return {};
  const present = (live.spec as ServiceSpec | undefined)?.type === type ? loadBalancerHosts(live) : [];
  if (present.includes(loadBalancerIP)) return {};
  const ingress = [loadBalancerIP, ...present.filter(isIpAddress)].map((ip) => ({ ip }));
  return { status: { loadBalancer: { ingress } } };
}

/** Whether the load balancer goes on under its addresses. */
function keepsLoadBalancer(before: ServiceSpec, after: ServiceSpec): boolean {
  return (
    before.type === after.type &&
    before.loadBalancerIP === after.loadBalancerIP &&
    before.loadBalancerClass === after.loadBalancerClass
  );
}
