import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { objectAt, objectsAt, valueAt } from '../fields/json.ts';
import type { ResourceType } from '../storage/kinds.ts';

import {
  AGE,
  at,
  CONTAINERS,
  type Column,
  count,
  IMAGES,
  labelsText,
  NAME,
  NONE,
  podSpecOf,
  SELECTOR,
  since,
  text,
  wide,
} from './table-cells.ts';
import { IDLE_KIND_COLUMNS } from './table-columns-idle.ts';

const POD: Column[] = [
  NAME,
  {
    name: 'Ready',
    cell: (object) => {
      const ready = objectsAt(objectAt(object, 'status'), 'containerStatuses').filter(
        (status) => status.ready === true,
      );
      return `${ready.length}/${objectsAt(objectAt(object, 'spec'), 'containers').length}`;
    },
  },
  { name: 'Status', cell: podStatus },
  {
    name: 'Restarts',
    cell: (object) => {
      const statuses = objectsAt(objectAt(object, 'status'), 'containerStatuses');
      return String(statuses.reduce((sum, status) => sum + Number(status.restartCount ?? 0), 0));
    },
  },
  AGE,
  wide(at('IP', 'status.podIP')),
  wide(at('Node', 'spec.nodeName')),
  wide(at('Nominated Node', 'status.nominatedNodeName')),
  wide({
    name: 'Readiness Gates',
    cell: (object) => {
      const gates = objectsAt(objectAt(object, 'spec'), 'readinessGates');
      return gates.length === 0 ? NONE : `${gates.length}`;
    },
  }),
];

function podStatus(pod: KubeObject): string {
  if (pod.metadata.deletionTimestamp) return 'Terminating';
  const status = objectAt(pod, 'status');
  for (const container of objectsAt(status, 'containerStatuses')) {
    const reason =
      valueAt(container, 'state', 'waiting', 'reason') ?? valueAt(container, 'state', 'terminated', 'reason');
    if (typeof reason === 'string' && reason !== '') return reason;
  }
  return text(status?.reason ?? status?.phase, 'Unknown');
}

const addressOf = (node: KubeObject, type: string): string =>
  text(objectsAt(objectAt(node, 'status'), 'addresses').find((address) => address.type === type)?.address);

const NODE: Column[] = [
  NAME,
  {
    name: 'Status',
    cell: (node) => {
      const ready = objectsAt(objectAt(node, 'status'), 'conditions').find((condition) => condition.type === 'Ready');
      const state = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
      return valueAt(node, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state;
    },
  },
  {
    name: 'Roles',
    cell: (node) => {
      const prefix = 'node-role.kubernetes.io/';
      const roles = Object.keys(node.metadata.labels ?? {}).filter((label) => label.startsWith(prefix));
      return text(roles.map((label) => label.slice(prefix.length)).join(','));
    },
  },
  AGE,
  at('Version', 'status.nodeInfo.kubeletVersion'),
  wide({ name: 'Internal-IP', cell: (node) => addressOf(node, 'InternalIP') }),
  wide({ name: 'External-IP', cell: (node) => addressOf(node, 'ExternalIP') }),
  wide(at('OS-Image', 'status.nodeInfo.osImage')),
  wide(at('Kernel-Version', 'status.nodeInfo.kernelVersion')),
  wide(at('Container-Runtime', 'status.nodeInfo.containerRuntimeVersion')),
];

function externalAddress(service: KubeObject): string {
  const spec = objectAt(service, 'spec') ?? {};
  const ingress = objectsAt(objectAt(service, 'status', 'loadBalancer'), 'ingress').map(
    (entry) => entry.ip ?? entry.hostname,
  );
  const external = Array.isArray(spec.externalIPs) ? spec.externalIPs : [];
  if (spec.type === 'ExternalName') return text(spec.externalName);
  if (spec.type === 'LoadBalancer') return text([...ingress, ...external].join(','), '<pending>');
  return text(external.join(','));
}

const SERVICE: Column[] = [
  NAME,
  at('Type', 'spec.type'),
  at('Cluster-IP', 'spec.clusterIP'),
  { name: 'External-IP', cell: externalAddress },
  {
    name: 'Port(s)',
    cell: (service) => {
      const ports = objectsAt(objectAt(service, 'spec'), 'ports');
      return text(
        ports
          .map(
            (port) =>
              `${String(port.port)}${port.nodePort ? `:${String(port.nodePort)}` : ''}/${String(port.protocol)}`,
          )
          .join(','),
      );
    },
  },
  AGE,
  wide({ name: 'Selector', cell: (service) => labelsText(objectAt(service, 'spec', 'selector')) }),
];

const dataCount: Column = {
  name: 'Data',
  cell: (object) => Object.keys({ ...objectAt(object, 'data'), ...objectAt(object, 'binaryData') }).length,
};

const subjects = (kind: string): Column =>
  wide({
    name: `${kind}s`,
    cell: (binding) => {
      const named = objectsAt(binding, 'subjects').filter((subject) => subject.kind === kind);
      return named
        .map((subject) => (subject.namespace ? `${String(subject.namespace)}/${String(subject.name)}` : subject.name))
        .join(', ');
    },
  });
const BINDING: Column[] = [
  NAME,
  {
    name: 'Role',
    cell: (binding) => `${text(valueAt(binding, 'roleRef', 'kind'))}/${text(valueAt(binding, 'roleRef', 'name'))}`,
  },
  AGE,
  subjects('User'),
  subjects('Group'),
  { ...subjects('ServiceAccount'), name: 'ServiceAccounts' },
];
const CREATED_AT: Column = { name: 'Created At', type: 'date', cell: (object) => object.metadata.creationTimestamp };

const COLUMNS: Record<string, Column[]> = {
  Pod: POD,
  Node: NODE,
  Service: SERVICE,
  Deployment: [
    NAME,
    {
      name: 'Ready',
      cell: (object) =>
        `${Number(valueAt(object, 'status', 'readyReplicas') ?? 0)}/${Number(valueAt(object, 'spec', 'replicas') ?? 0)}`,
    },
    count('Up-to-date', 'status.updatedReplicas'),
    count('Available', 'status.availableReplicas'),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
  ],
  DaemonSet: [
    NAME,
    count('Desired', 'status.desiredNumberScheduled'),
    count('Current', 'status.currentNumberScheduled'),
    count('Ready', 'status.numberReady'),
    count('Up-to-date', 'status.updatedNumberScheduled'),
    count('Available', 'status.numberAvailable'),
    { name: 'Node Selector', cell: (object) => labelsText(objectAt(podSpecOf(object), 'nodeSelector')) },
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
  ],
  ReplicaSet: [
    NAME,
    count('Desired', 'spec.replicas'),
    count('Current', 'status.replicas'),
    count('Ready', 'status.readyReplicas'),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
  ],
  StatefulSet: [
    NAME,
    {
      name: 'Ready',
      cell: (object) =>
        `${Number(valueAt(object, 'status', 'readyReplicas') ?? 0)}/${Number(valueAt(object, 'spec', 'replicas') ?? 0)}`,
    },
    AGE,
    CONTAINERS,
    IMAGES,
  ],
  Secret: [NAME, at('Type', 'type'), dataCount, AGE],
  ConfigMap: [NAME, dataCount, AGE],
  Namespace: [NAME, at('Status', 'status.phase'), AGE],
  ServiceAccount: [NAME, AGE],
  Event: [
    {
      name: 'Last Seen',
      cell: (event, now) => since(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, now),
    },
    at('Type', 'type'),
    at('Reason', 'reason'),
    {
      name: 'Object',
      cell: (event) =>
        `${text(valueAt(event, 'involvedObject', 'kind')).toLowerCase()}/${text(valueAt(event, 'involvedObject', 'name'))}`,
    },
    at('Message', 'message'),
    wide(NAME),
  ],
  EndpointSlice: [
    NAME,
    at('AddressType', 'addressType'),
    {
      name: 'Ports',
      cell: (slice) =>
        text(
          objectsAt(slice, 'ports')
            .map((port) => port.port)
            .join(','),
          '<unset>',
        ),
    },
    {
      name: 'Endpoints',
      cell: (slice) =>
        text(
          objectsAt(slice, 'endpoints')
            .flatMap((endpoint) => (Array.isArray(endpoint.addresses) ? endpoint.addresses : []))
            .join(','),
          '<unset>',
        ),
    },
    AGE,
  ],
  ...IDLE_KIND_COLUMNS,
  Role: [NAME, CREATED_AT],
  ClusterRole: [NAME, CREATED_AT],
  RoleBinding: BINDING,
  ClusterRoleBinding: BINDING,
  CustomResourceDefinition: [NAME, CREATED_AT],
};

/** The columns of a kind: name and age where it has none of its own. */
export function columnsOf(resource: ResourceType): Column[] {
  return (resource.custom ? undefined : COLUMNS[resource.kind]) ?? [NAME, AGE];
}
