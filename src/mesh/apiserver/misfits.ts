import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER, ETCD_PORT, KVSTOREMESH_CONTAINER } from '../objects/names.ts';
import { serviceSpec } from '../objects/service.ts';
import { templateSpec, workloadSpec } from '../objects/workload.ts';
import { runsKvstoremesh } from './deployment.ts';
import { lackOfService } from './service-lack.ts';

/**
 * What keeps everybody out although the Deployment and the Service are there, and each is well by itself: nothing that runs
 * tells, and the API server takes it.
 */
export type MisfitId =
  | 'container-missing'
  | 'kvstoremesh-missing'
  | 'service-type'
  | 'service-selector'
  | 'service-port'
  | 'service-target-port';

export interface Misfit {
  id: MisfitId;
  object: KubeObject;
  /** The field that is wrong, written as in plans. */
  path: string;
  /** In words: one clause without a final stop. */
  says: string;
  /** The field of the Service as a JSON pointer, and what would serve; absent where one field does not do it. */
  right?: { pointer: string; value: unknown } | undefined;
}

/** Everything by which a Service and a Deployment of the clustermesh-apiserver do not do for anybody, each thing once. */
export function misfitsOf(service: KubeObject | undefined, deployment: KubeObject | undefined): Misfit[] {
  if (!deployment) return [];
  return [...missingContainers(deployment), ...(service ? serviceMisfits(service, deployment) : [])];
}

/** etcd and what fills it are in the Deployment of every version (Cilium's charts from 1.16 on). */
function missingContainers(deployment: KubeObject): Misfit[] {
  const { containers } = templateSpec(deployment);
  if (!containers) return [];
  const needed = ['etcd', 'apiserver', ...(runsKvstoremesh(deployment) ? [KVSTOREMESH_CONTAINER] : [])];
  return needed
    .filter((name) => !containers.some((container) => container.name === name))
    .map((name) => ({
      id: name === KVSTOREMESH_CONTAINER ? 'kvstoremesh-missing' : 'container-missing',
      object: deployment,
      path: `spec.template.spec.containers[${name}]`,
      says: `its clustermesh-apiserver has no container ${name}`,
    }));
}

function serviceMisfits(service: KubeObject, deployment: KubeObject): Misfit[] {
  const lack = lackOfService({ context: '' }, service);
  if (lack) {
    const says = `its Service leads to no pod of its clustermesh-apiserver: it is ${lack.is}`;
    return [{ id: 'service-type', object: service, path: lack.path, says }];
  }
  return [...selectorMisfits(service, deployment), ...portMisfits(service, deployment)];
}

function selectorMisfits(service: KubeObject, deployment: KubeObject): Misfit[] {
  const { selector = {} } = serviceSpec(service);
  const { selector: own, template } = workloadSpec(deployment);
  const labels = template?.metadata?.labels;
  const wanted = Object.entries(selector);
  if (!labels || (wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value))) return [];
  const selected = wanted.map((pair) => pair.join('=')).join(',');
  return [
    {
      id: 'service-selector',
      object: service,
      path: 'spec.selector',
      says: `its Service leads to no pod of its clustermesh-apiserver: it selects ${selected || 'nothing'}`,
      right: { pointer: '/spec/selector', value: own?.matchLabels ?? { 'k8s-app': APISERVER } },
    },
  ];
}

function portMisfits(service: KubeObject, deployment: KubeObject): Misfit[] {
  const { ports = [] } = serviceSpec(service);
  const [first] = ports;
  if (!first) return [];
  const listening = clientPorts(deployment);
  const misled = ports.flatMap((entry, index): Misfit[] => {
    // The first one is what peers dial; others may be somebody's own.
    if (index > 0 && entry.port !== ETCD_PORT) return [];
    const { port, targetPort = port } = entry;
    const target = typeof targetPort === 'number' ? targetPort : portNamed(deployment, targetPort);
    if (target !== undefined && listening.includes(target)) return [];
    return [
      {
        id: 'service-target-port',
        object: service,
        path: `spec.ports[${port}/${entry.protocol ?? 'TCP'}].targetPort`,
        says: `its Service leads to port ${targetPort}, and its etcd listens on ${listening.join(', ')}`,
        right: { pointer: `/spec/ports/${index}/targetPort`, value: listening[0] },
      },
    ];
  });
  // Agents find the cache at this port of the Service, whatever peers dial (cachedPeerFile).
  if (!runsKvstoremesh(deployment) || ports.some(({ port }) => port === ETCD_PORT)) return misled;
  return [
    {
      id: 'service-port',
      object: service,
      path: `spec.ports[${first.port}/${first.protocol ?? 'TCP'}].port`,
      says: `its Service has port ${first.port}, and its agents read from KVStoreMesh at ${ETCD_PORT}`,
      right: { pointer: '/spec/ports/0/port', value: ETCD_PORT },
    },
    ...misled,
  ];
}

/** Where etcd takes clients, by its arguments. */
function clientPorts(deployment: KubeObject): number[] {
  const etcd = templateSpec(deployment).containers?.find(({ name }) => name === 'etcd');
  const urls = etcd?.args?.find((arg) => arg.startsWith('--listen-client-urls=')) ?? '';
  const ports = [...urls.matchAll(/:(\d+)(?=,|$)/g)].map(([, port]) => Number(port));
  return ports.length > 0 ? [...new Set(ports)] : [ETCD_PORT];
}

function portNamed(deployment: KubeObject, name: string): number | undefined {
  const ports = templateSpec(deployment).containers?.flatMap((container) => container.ports ?? []);
  return ports?.find((port) => port.name === name)?.containerPort;
}
