import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { objectAt, objectsAt, valueAt } from '../fields/json.ts';
import {
  AGE,
  at,
  CONTAINERS,
  type Column,
  IMAGES,
  labelsText,
  NAME,
  NONE,
  SELECTOR,
  since,
  text,
  wide,
} from './table-cells.ts';

const jobStatus = (job: KubeObject): string => {
  const conditions = objectsAt(objectAt(job, 'status'), 'conditions').filter(({ status }) => status === 'True');
  const said = ['Complete', 'Failed', 'Suspended'].find((type) => conditions.some((one) => one.type === type));
  return said ?? (valueAt(job, 'spec', 'suspend') === true ? 'Suspended' : 'Running');
};

const hosts = (ingress: KubeObject): string => {
  const named = objectsAt(objectAt(ingress, 'spec'), 'rules').map(({ host }) => text(host, '*'));
  return text(named.join(','), '*');
};

const addresses = (object: KubeObject): string =>
  objectsAt(objectAt(object, 'status', 'loadBalancer'), 'ingress')
    .map(({ ip, hostname }) => String(ip ?? hostname ?? ''))
    .join(',');

/** The columns of kinds that nothing in the sandbox works on. */
export const IDLE_KIND_COLUMNS: Record<string, Column[]> = {
  Job: [
    NAME,
    { name: 'Status', cell: jobStatus },
    {
      name: 'Completions',
      cell: (job) =>
        `${Number(valueAt(job, 'status', 'succeeded') ?? 0)}/${Number(valueAt(job, 'spec', 'completions') ?? 1)}`,
    },
    {
      name: 'Duration',
      cell: (job, now) => (valueAt(job, 'status', 'startTime') ? since(valueAt(job, 'status', 'startTime'), now) : ''),
    },
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
  ],
  CronJob: [
    NAME,
    at('Schedule', 'spec.schedule'),
    at('Timezone', 'spec.timeZone'),
    { name: 'Suspend', cell: (job) => (valueAt(job, 'spec', 'suspend') === true ? 'True' : 'False') },
    { name: 'Active', cell: (job) => objectsAt(objectAt(job, 'status'), 'active').length },
    {
      name: 'Last Schedule',
      cell: (job, now) => {
        const last = valueAt(job, 'status', 'lastScheduleTime');
        return last ? since(last, now) : NONE;
      },
    },
    AGE,
    wide({ name: 'Containers', cell: (job) => jobContainers(job, 'name') }),
    wide({ name: 'Images', cell: (job) => jobContainers(job, 'image') }),
    wide({ name: 'Selector', cell: () => NONE }),
  ],
  PodDisruptionBudget: [
    NAME,
    { name: 'Min Available', cell: (budget) => text(valueAt(budget, 'spec', 'minAvailable'), 'N/A') },
    { name: 'Max Unavailable', cell: (budget) => text(valueAt(budget, 'spec', 'maxUnavailable'), 'N/A') },
    { name: 'Allowed Disruptions', cell: (budget) => Number(valueAt(budget, 'status', 'disruptionsAllowed') ?? 0) },
    AGE,
  ],
  NetworkPolicy: [
    NAME,
    { name: 'Pod-Selector', cell: (policy) => labelsText(objectAt(policy, 'spec', 'podSelector', 'matchLabels')) },
    AGE,
  ],
  Ingress: [
    NAME,
    at('Class', 'spec.ingressClassName'),
    { name: 'Hosts', cell: hosts },
    { name: 'Address', cell: addresses },
    { name: 'Ports', cell: (ingress) => (objectsAt(objectAt(ingress, 'spec'), 'tls').length > 0 ? '80, 443' : '80') },
    AGE,
  ],
};

function jobContainers(job: KubeObject, field: string): string {
  const spec = objectAt(job, 'spec', 'jobTemplate', 'spec', 'template', 'spec');
  return text(
    objectsAt(spec, 'containers')
      .map((container) => container[field])
      .join(','),
  );
}
