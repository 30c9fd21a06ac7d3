import { refOf } from '../../mesh/objects/kube-object.ts';
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

/**
 * Keeps an EndpointSlice for each family of a Service with a selector and each list of ports that its pods have: where they name
 * their ports otherwise, a Service's named target port is another one in each, or none (Kubernetes' endpointslice controller).
 */
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

type Content = Pick<EndpointSlice, 'addressType' | 'ports' | 'endpoints'>;

function reconcile({ store }: ControllerWorld, namespace: string | undefined, name: string) {
  const service = store.get(ref('Service', namespace, name)) as Service | undefined;
  if (!service?.spec.selector || service.metadata.deletionTimestamp) return;
  const { selector, ipFamilies = ['IPv4'] } = service.spec;
  const pods = (store.list({ ...typeOf('Pod'), namespace: namespace ?? '' }) as Pod[]).filter(
    (pod) => matches(pod.metadata.labels, selector) && pod.status?.podIP && pod.status.phase === 'Running',
  );
  const contents = ipFamilies.flatMap((addressType) => contentsOf(service, addressType, pods));
  // There is one in any case: whoever waits for a Service's endpoints looks at it.
  const [addressType = 'IPv4'] = ipFamilies;
  const wanted = contents.length > 0 ? contents : [{ addressType, ports: [], endpoints: [] }];
  const names = wanted.map((content) => writeSlice(store, service, content));
  for (const slice of store.list({ ...typeOf('EndpointSlice'), namespace: namespace ?? '', labels: labelsOf(name) })) {
    if (!names.includes(slice.metadata.name)) store.delete(refOf(slice));
  }
}

/** Of the pods with an address of the family, those with the same ports together. */
function contentsOf({ spec }: Service, addressType: string, pods: readonly Pod[]): Content[] {
  const byPorts = new Map<string, Content>();
  for (const pod of pods) {
    const endpoint = endpointOf(pod, addressType === 'IPv6' ? 6 : 4);
    if (!endpoint) continue;
    const ports = (spec.ports ?? []).flatMap((port) => {
      const target = targetPort(port, pod);
      return target === undefined ? [] : [{ name: port.name ?? '', port: target, protocol: port.protocol ?? 'TCP' }];
    });
    const key = JSON.stringify(ports);
    const { endpoints = [] } = byPorts.get(key) ?? {};
    byPorts.set(key, { addressType, ports, endpoints: [...endpoints, endpoint] });
  }
  return [...byPorts.values()];
}

function labelsOf(service: string) {
  return {
    'kubernetes.io/service-name': service,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
}

/** @returns its name */
function writeSlice(
  store: ControllerWorld['store'],
  service: Service,
  { addressType, ports, endpoints }: Content,
): string {
  const { name, namespace, uid = name } = service.metadata;
  const sliceName = `${name}-${nameSuffix(JSON.stringify([uid, addressType, ports]), 5)}`;
  const existing = store.get(ref('EndpointSlice', namespace, sliceName)) as EndpointSlice | undefined;
  if (existing && sameJson(existing.endpoints, endpoints)) return sliceName;
  if (existing) {
    store.update(ref('EndpointSlice', namespace, sliceName), (slice) => Object.assign(slice, { endpoints }), MANAGER);
    return sliceName;
  }
  const slice: EndpointSlice = {
    ...typeOf('EndpointSlice'),
    metadata: {
      name: sliceName,
      namespace: namespace ?? '',
      labels: labelsOf(name),
      ownerReferences: [ownerReference(service)],
    },
    addressType,
    ports,
    endpoints,
  };
  store.create(slice, MANAGER);
  return sliceName;
}

/** A named target port is looked up in the pod's containers; undefined where none has it. */
function targetPort({ targetPort: target, port, protocol = 'TCP' }: ServicePort, { spec }: Pod): number | undefined {
  if (typeof target !== 'string') return target ?? port;
  const named = spec.containers
    .flatMap((container) => container.ports ?? [])
    .find((one) => one.name === target && (one.protocol ?? 'TCP') === protocol);
  return named?.containerPort;
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
