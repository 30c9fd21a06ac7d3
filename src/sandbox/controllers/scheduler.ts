import { unmetChoice } from '../../mesh/objects/node-affinity.ts';
import { repels } from '../../mesh/objects/taints.ts';
import { choosable, matches, type Node, type Pod, ref, timestamp, typeOf, withCondition } from '../objects.ts';
import type { Controller, ControllerWorld } from './controller.ts';
import { recordEvent, recordScheduled } from './event.ts';

/**
 * Binds pods to nodes: those that match the node selector, are not cordoned and have no taint that the pod does not
 * tolerate; of those the one with the fewest pods of the same labels. What runs already stays, unless a taint of its node
 * evicts it (`NoExecute`): then it is deleted, as the taint-eviction-controller does.
 */
export function createScheduler(world: ControllerWorld): Controller {
  const enqueue = (namespace: string | undefined, name: string) =>
    world.queue.add(`Scheduler/${namespace}/${name}`, () => schedule(world, namespace, name));
  return ({ type, object }) => {
    if (type === 'DELETED') return;
    if (object.kind === 'Pod' && !(object as Pod).spec.nodeName)
      enqueue(object.metadata.namespace, object.metadata.name);
    if (object.kind !== 'Node') return;
    for (const pod of world.store.list(typeOf('Pod')) as Pod[]) {
      const { namespace, name } = pod.metadata;
      if (!pod.spec.nodeName) enqueue(namespace, name);
      else if (isEvicted(pod, object as Node))
        world.queue.add(`Eviction/${namespace}/${name}`, () => evict(world, pod));
    }
  };
}

function schedule(world: ControllerWorld, namespace: string | undefined, name: string) {
  const { store, now } = world;
  const pod = store.get(ref('Pod', namespace, name)) as Pod | undefined;
  if (!pod || pod.spec.nodeName) return;
  const all = store.list(typeOf('Node')) as Node[];
  const refusals = all.map((node) => refusalOf(node, pod));
  const nodes = all.filter((_, index) => refusals[index] === undefined);
  const pods = store.list(typeOf('Pod')) as Pod[];
  const alike = (node: Node) =>
    pods.filter(
      (other) => other.spec.nodeName === node.metadata.name && matches(other.metadata.labels, pod.metadata.labels),
    ).length;
  const loads = nodes.map((node) => ({ node, load: alike(node) }));
  const chosen = loads.sort((a, b) => a.load - b.load)[0]?.node;
  if (chosen) {
    store.update(
      ref('Pod', namespace, name),
      (object) => {
        (object as Pod).spec.nodeName = chosen.metadata.name;
      },
      'kube-scheduler',
    );
    recordScheduled(world, pod, chosen.metadata.name);
    return;
  }
  const message = unschedulableMessage(refusals);
  const before = pod.status?.conditions ?? [];
  if (before.some((condition) => condition.message === message)) return;
  const at = timestamp(now());
  store.update(ref('Pod', namespace, name), (object) => {
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const;
    object.status = { phase: 'Pending', conditions: withCondition(before, condition, at) };
  });
  recordEvent(world, pod, { type: 'Warning', reason: 'FailedScheduling', message, component: 'default-scheduler' });
}

function isEvicted({ spec }: Pod, { metadata, spec: { taints = [] } }: Node): boolean {
  const { tolerations = [] } = spec;
  const evicting = taints.filter(({ effect }) => effect === 'NoExecute');
  return spec.nodeName === metadata.name && evicting.some((taint) => repels(taint, tolerations));
}

function evict({ store }: ControllerWorld, { metadata: { namespace, name, uid } }: Pod): void {
  const pod = ref('Pod', namespace, name);
  if (store.get(pod)?.metadata.uid === uid) store.delete(pod);
}

/** Why a node does not take a pod, in the words of the kube-scheduler's filters; undefined where it does. */
function refusalOf({ metadata, spec }: Node, pod: Pod): string | undefined {
  const { tolerations = [] } = pod.spec;
  if (spec.unschedulable) return 'were unschedulable';
  const taint = (spec.taints ?? []).find((one) => repels(one, tolerations));
  if (taint) return `had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  const isUnmet = unmetChoice(pod.spec, choosable(metadata)) !== undefined;
  return isUnmet ? "didn't match Pod's node affinity/selector" : undefined;
}

function unschedulableMessage(refusals: readonly (string | undefined)[]): string {
  const reasons = [...new Set(refusals)].map(
    (reason) => `${refusals.filter((other) => other === reason).length} node(s) ${reason}`,
  );
  return `0/${refusals.length} nodes are available: ${reasons.length > 0 ? reasons.join(', ') : 'no nodes'}.`;
}
