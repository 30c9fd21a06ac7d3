import { ofFamily } from '../fixtures/addresses.ts';
import {
  type EndpointSlice,
  isPodReady,
  matches,
  ownerReference,
  type Pod,
  podIps,
  ref,
  type Service,
  type ServicePort,
  typeOf,
} from '../objects.ts';
import { type Controller, type ControllerWorld, nameSuffix, sameJson } from './controller.ts';

const MANAGER = 'endpointslice-controller';

/** Keeps one EndpointSlice for each family of a Service with a selector. */
export function createEndpointSliceController(world: ControllerWorld): Controller {
  return ({ type, object }) => {
    const { namespace, name, labels } = object.metadata;
    if (object.kind === 'Service' && type !== 'DELETED') enqueue(world, namespace, name);
    if (object.kind !== 'Pod') return;
    for (const service of world.store.list({ ...typeOf('Service'), namespace: namespace ?? '' }) as Service[]) {
      if (matches(labels, service.spec.selector)) enqueue(world, namespace, service.metadata.name);
    }
  };
}

function enqueue(world: ControllerWorld, namespace: string | undefined, name: string) {
  world.queue.add(`EndpointSlice/${namespace}/${name}`, () => reconcile(world, namespace, name));
}

function reconcile({ store }: ControllerWorld, namespace: string | undefined, name: string) {
  const service = store.get(ref('Service', namespace, name)) as Service | undefined;
  if (!service?.spec.selector || service.metadata.deletionTimestamp) return;
  const { selector } = service.spec;
  const pods = (store.list({ ...typeOf('Pod'), namespace: namespace ?? '' }) as Pod[]).filter(
    (pod) => matches(pod.metadata.labels, selector) && pod.status?.podIP && pod.status.phase === 'Running',
  );
  const ports = (service.spec.ports ?? []).map((port) => ({
    name: port.name ?? '',
    port: targetPort(port, pods),
    protocol: port.protocol ?? 'TCP',
  }));
  const { ipFamilies = ['IPv4'] } = service.spec;
  for (const [index, addressType] of ipFamilies.entries()) {
    const endpoints = pods.flatMap((pod) => endpointOf(pod, addressType === 'IPv6' ? 6 : 4) ?? []);
    writeSlice(store, service, { addressType, ports, endpoints }, index === 0);
  }
}

function writeSlice(
  store: ControllerWorld['store'],
  service: Service,
  { addressType, ports, endpoints }: Pick<EndpointSlice, 'addressType' | 'ports' | 'endpoints'>,
  isFirst: boolean,
) {
  const { name, namespace, uid = name } = service.metadata;
  const sliceName = `${name}-${nameSuffix(addressType === 'IPv4' ? uid : `${uid} ${addressType}`, 5)}`;
  const existing = store.get(ref('EndpointSlice', namespace, sliceName)) as EndpointSlice | undefined;
  if (existing && sameJson([existing.ports, existing.endpoints], [ports, endpoints])) return;
  if (existing) {
    store.update(
      ref('EndpointSlice', namespace, sliceName),
      (slice) => Object.assign(slice, { ports, endpoints }),
      MANAGER,
    );
    return;
  }
  // The first is there in any case: whoever waits for a Service's endpoints looks at it.
  if (!isFirst && endpoints.length === 0) return;
  const slice: EndpointSlice = {
    ...typeOf('EndpointSlice'),
    metadata: {
      name: sliceName,
      namespace: namespace ?? '',
      labels: {
        'kubernetes.io/service-name': name,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
      ownerReferences: [ownerReference(service)],
    },
    addressType,
    ports,
    endpoints,
  };
  store.create(slice, MANAGER);
}

/** A named target port is looked up in the pods' containers. */
function targetPort({ targetPort: target, port }: ServicePort, pods: readonly Pod[]): number {
  if (typeof target === 'number') return target;
  if (target === undefined) return port;
  const named = pods
    .flatMap((pod) => pod.spec.containers)
    .flatMap((container) => container.ports ?? [])
    .find(({ name }) => name === target);
  return named?.containerPort ?? (Number(target) || port);
}

/** Undefined for a pod without an address of the family. */
function endpointOf(pod: Pod, family: 4 | 6): EndpointSlice['endpoints'][number] | undefined {
  const address = ofFamily(podIps(pod), family);
  if (address === undefined) return undefined;
  const ready = isPodReady(pod) && !pod.metadata.deletionTimestamp;
  return {
    addresses: [address],
    conditions: { ready, serving: ready, terminating: pod.metadata.deletionTimestamp !== undefined },
    ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
    targetRef: {
      kind: 'Pod',
      name: pod.metadata.name,
      namespace: pod.metadata.namespace ?? '',
      uid: pod.metadata.uid ?? '',
    },
  };
}
