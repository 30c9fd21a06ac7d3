import { ofFamily } from '../fixtures/addresses.ts';
import { ref, type Service, typeOf } from '../objects.ts';
import { type Controller, type ControllerWorld, sameJson } from './controller.ts';
import { recordEvent } from './event.ts';

/** How the sandbox's cloud gives addresses to LoadBalancer Services. */
export interface LoadBalancers {
  /** While true, LoadBalancer Services that have no address get none. */
  pending: boolean;
  /** What the Service's status shows. `none`: no load balancers at all, as in kind. */
  readonly kind: 'ip' | 'hostname' | 'none';
  /** The n-th (from 0) address of one of this cluster's two pools. */
  address(index: number, isPublic: boolean, family: 4 | 6): string;
  /** The host name for the Service. */
  hostname(service: Service): string;
}

/** What asks a cloud for a public address. Without a word the sandbox's is private: it has no internet. */
const EXTERNAL: readonly [annotation: string, value: string][] = [
  ['networking.gke.io/load-balancer-type', 'External'],
  ['service.beta.kubernetes.io/azure-load-balancer-internal', 'false'],
  ['service.beta.kubernetes.io/aws-load-balancer-scheme', 'internet-facing'],
];

/** By what, besides `spec.loadBalancerIP`, a Service asks for an address; each provider's documentation of its annotations. */
const WISHES: readonly string[] = [
  'service.beta.kubernetes.io/azure-load-balancer-ipv4',
  'metallb.io/loadBalancerIPs',
  'metallb.universe.tf/loadBalancerIPs',
  'lbipam.cilium.io/ips',
  'io.cilium/lb-ipam-ips',
  'kube-vip.io/loadbalancerIPs',
];

/** By what a load balancer of AWS is told to be of both families (its controller's guide, "Service annotations"). */
const AWS_ADDRESS_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';

export interface LoadBalancerController {
  controller: Controller;
  /** The Services' addresses, also of those that show a host name; by `namespace/name`. */
  addresses: ReadonlyMap<string, readonly string[]>;
  /** Looks at all Services again: `pending` has changed. */
  resync(): void;
}

/** Stands in for a cloud: gives Services of type LoadBalancer an address, and takes it back. */
export function createLoadBalancerController(
  world: ControllerWorld,
  loadBalancers: LoadBalancers,
): LoadBalancerController {
  const addresses = new Map<string, readonly string[]>();
  /** Services whose address is public. */
  const exposed = new Set<string>();
  /** Services that have the address that they asked for. */
  const wished = new Set<string>();

  function reconcile(namespace: string | undefined, name: string) {
    const service = world.store.get(ref('Service', namespace, name)) as Service | undefined;
    if (!service) return;
    const status = { loadBalancer: ingressOf(service) };
    if (sameJson(service.status, status)) return;
    world.store.update(
      ref('Service', namespace, name),
      (object) => {
        object.status = status;
      },
      'cloud-controller-manager',
    );
    if (!status.loadBalancer.ingress) return;
    const text = { type: 'Normal', component: 'service-controller' } as const;
    recordEvent(world, service, { ...text, reason: 'EnsuredLoadBalancer', message: 'Ensured load balancer' });
  }

  function ingressOf(service: Service): NonNullable<NonNullable<Service['status']>['loadBalancer']> {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    if (service.spec.type !== 'LoadBalancer' || loadBalancers.kind === 'none') {
      addresses.delete(key);
      return {};
    }
    if (loadBalancers.pending && !addresses.has(key)) return {};
    const families = familiesOf(service);
    if (families.length === 0) return service.status?.loadBalancer ?? {};
    addresses.set(key, addressesOf(key, families, isExternal(service), wishOf(key, service)));
    if (loadBalancers.kind === 'ip')
      return { ingress: (addresses.get(key) ?? []).map((ip) => ({ ip, ipMode: 'VIP' })) };
    return { ingress: [{ hostname: loadBalancers.hostname(service) }] };
  }

  /** Of AWS none for a Service of IPv6, unless the load balancer is to be of both. */
  function familiesOf({ metadata, spec: { ipFamilies = ['IPv4'] } }: Service): (4 | 6)[] {
    const own = ipFamilies.map((family): 4 | 6 => (family === 'IPv6' ? 6 : 4));
    if (loadBalancers.kind !== 'hostname') return own;
    if (metadata.annotations?.[AWS_ADDRESS_TYPE] === 'dualstack') return [4, 6];
    return own.includes(6) ? [] : own;
  }

  /** Those of AWS, which have host names, give nobody the address that was asked for. */
  function wishOf(key: string, { metadata, spec }: Service): string | undefined {
    if (loadBalancers.kind !== 'ip') return undefined;
    const asked = WISHES.map((name) => metadata.annotations?.[name]).find((text) => text !== undefined);
    const [wish] = (asked ?? spec.loadBalancerIP ?? '').split(',');
    const isTaken = [...addresses].some(([other, list]) => other !== key && list.includes(wish ?? ''));
    if (!wish || isTaken) return undefined;
    wished.add(key);
    return wish;
  }

  /** Of each family the address that was asked for, that the Service has, if it is of the right pool, or the first free one. */
  function addressesOf(key: string, families: readonly (4 | 6)[], isPublic: boolean, wish?: string): string[] {
    const current = addresses.get(key) ?? [];
    const isOther = wish === undefined && (wished.delete(key) || exposed.has(key) !== isPublic);
    if (wish === undefined && isPublic) exposed.add(key);
    else if (wish === undefined) exposed.delete(key);
    const taken = new Set([...addresses.values()].flat());
    return families.map((family) => {
      const asked = wish === undefined ? undefined : ofFamily([wish], family);
      return asked ?? (isOther ? undefined : ofFamily(current, family)) ?? freeAddress(taken, isPublic, family);
    });
  }

  function freeAddress(taken: ReadonlySet<string>, isPublic: boolean, family: 4 | 6): string {
    for (let index = 0; ; index++) {
      const address = loadBalancers.address(index, isPublic, family);
      if (!taken.has(address)) return address;
    }
  }

  const controller: Controller = ({ type, object }) => {
    if (object.kind !== 'Service') return;
    const { namespace, name } = object.metadata;
    if (type === 'DELETED') addresses.delete(`${namespace}/${name}`);
    else world.queue.add(`LoadBalancer/${namespace}/${name}`, () => reconcile(namespace, name));
  };

  return {
    controller,
    addresses,
    resync() {
      for (const object of world.store.list(typeOf('Service'))) controller({ type: 'MODIFIED', object });
    },
  };
}

function isExternal({ metadata }: Service): boolean {
  return EXTERNAL.some(([annotation, value]) => metadata.annotations?.[annotation] === value);
}
