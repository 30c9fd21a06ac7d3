import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import type { Kinds } from '../storage/kinds.ts';
import type { ObjectLog } from '../storage/object-log.ts';
import { allocateServiceAddresses } from '../storage/service-addresses.ts';
import { childObject, equal, objectAt, objectsAt, setDefaults, valueAt } from './json.ts';

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
const PRIORITIES: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

const EVICTION_TOLERATIONS = ['not-ready', 'unreachable'].map((condition) => ({
  key: `node.kubernetes.io/${condition}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

/** As the admission plugins Priority and DefaultTolerationSeconds do. */
function admitPod(pod: KubeObject): void {
  const spec = childObject(pod, 'spec');
  setDefaults(spec, {
    priority: PRIORITIES[String(spec.priorityClassName)] ?? 0,
    preemptionPolicy: 'PreemptLowerPriority',
  });
  const tolerations = objectsAt(spec, 'tolerations');
  const isTolerated = (key: string): boolean =>
    tolerations.some(
      (toleration) =>
        (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute'),
    );
  const missing = EVICTION_TOLERATIONS.filter(({ key }) => !isTolerated(key));
  if (missing.length > 0) spec.tolerations = [...tolerations, ...missing];
}

/** Counts the changes of a DaemonSet's template, in the annotation that old clients read. */
function countTemplates(daemonSet: KubeObject, before: KubeObject | undefined): void {
  const former = Number(before?.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
  const isSame =
    before !== undefined && equal(valueAt(before, 'spec', 'template'), valueAt(daemonSet, 'spec', 'template'));
  childObject(daemonSet.metadata, 'annotations')[TEMPLATE_GENERATION] = String(isSame ? former : former + 1);
}

/**
 * Sets the fields of a built-in kind that the server gives a value beside its defaults; they belong to nobody.
 * `before` is undefined for a creation. Changes the object. Throws 422 where an address cannot be had.
 */
export function setServerFields(
  state: { log: ObjectLog; kinds: Kinds },
  object: KubeObject,
  before?: KubeObject,
): void {
  switch (object.kind) {
    case 'Namespace':
      if (!before) setDefaults(childObject(object, 'spec'), { finalizers: ['kubernetes'] });
      break;
    case 'Service':
      allocateServiceAddresses(state.log, state.kinds, object, before);
      break;
    case 'DaemonSet':
      countTemplates(object, before);
      break;
    case 'Pod': {
      if (!before) admitPod(object);
      const status = objectAt(object, 'status');
      if (status?.podIP) setDefaults(status, { podIPs: [{ ip: status.podIP }] });
      break;
    }
  }
}
