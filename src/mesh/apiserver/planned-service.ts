import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { type ServiceSpec, serviceSpec } from '../objects/service.ts';

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
  const before = serviceSpec(live);
  const wanted = serviceSpec(rendered);
  const ports = (wanted.ports ?? []).map((port, index) => ({ ...before.ports?.[index], ...port }));
  const after: ServiceSpec = { ...before, ...wanted, ports };
  const { status, ...object } = live;
  return {
    ...object,
    spec: after,
    ...(keepsLoadBalancer(before, after) ? { status } : {}),
    ...askedFor(before, after),
  };
}

/** The address that a load balancer is now told to have; whether it gives up the one that it has, its provider decides. */
function askedFor(before: ServiceSpec, { type, loadBalancerIP }: ServiceSpec): { status?: object } {
  if (type !== 'LoadBalancer' || loadBalancerIP === undefined) return {};
  if (before.type === type && before.loadBalancerIP === loadBalancerIP) return {};
  return { status: { loadBalancer: { ingress: [{ ip: loadBalancerIP }] } } };
}

/** Whether the load balancer goes on under its addresses. */
function keepsLoadBalancer(before: ServiceSpec, after: ServiceSpec): boolean {
  return (
    before.type === after.type &&
    before.loadBalancerIP === after.loadBalancerIP &&
    before.loadBalancerClass === after.loadBalancerClass
  );
}
