import {
  type EndpointSlice,
  isPodReady,
  matches,
  ownerReference,
  type Pod,
  ref,
  type Service,
  type ServicePort,
  typeOf,
} from '../objects.ts';
import { type Controller, type ControllerWorld, nameSuffix, sameJson } from './controller.ts';

const MANAGER = 'endpointslice-controller';

/** Keeps one EndpointSlice per Service with a selector. */
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
  const endpoints = pods.map((pod) => endpointOf(pod));
  const sliceName = `${name}-${nameSuffix(service.metadata.uid ?? name, 5)}`;
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
    addressType: 'IPv4',
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

function endpointOf(pod: Pod): EndpointSlice['endpoints'][number] {
  const ready = isPodReady(pod) && !pod.metadata.deletionTimestamp;
  return {
    addresses: [pod.status?.podIP ?? ''],
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
