import { matches, type Node, type Pod, ref, timestamp, typeOf, withCondition } from '../objects.ts';
import type { Controller, ControllerWorld } from './controller.ts';

/** Binds pods to nodes: those that match the node selector, the one with the fewest pods of the same labels first. */
export function createScheduler(world: ControllerWorld): Controller {
  const enqueue = (namespace: string | undefined, name: string) =>
    world.queue.add(`Scheduler/${namespace}/${name}`, () => schedule(world, namespace, name));
  return ({ type, object }) => {
    if (type === 'DELETED') return;
    if (object.kind === 'Pod' && !(object as Pod).spec.nodeName)
      enqueue(object.metadata.namespace, object.metadata.name);
    if (object.kind !== 'Node') return;
    for (const pod of world.store.list(typeOf('Pod')) as Pod[]) {
      if (!pod.spec.nodeName) enqueue(pod.metadata.namespace, pod.metadata.name);
    }
  };
}

function schedule({ store, now }: ControllerWorld, namespace: string | undefined, name: string) {
  const pod = store.get(ref('Pod', namespace, name)) as Pod | undefined;
  if (!pod || pod.spec.nodeName) return;
  const selector = pod.spec.nodeSelector ?? {};
  const nodes = (store.list(typeOf('Node')) as Node[]).filter(
    (node) =>
      !node.spec.unschedulable && (Object.keys(selector).length === 0 || matches(node.metadata.labels, selector)),
  );
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
    return;
  }
  const message = `0/${nodes.length} nodes are available: no node matches the pod's node selector.`;
  const before = pod.status?.conditions ?? [];
  if (before.some((condition) => condition.message === message)) return;
  const at = timestamp(now());
  store.update(ref('Pod', namespace, name), (object) => {
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const;
    object.status = { phase: 'Pending', conditions: withCondition(before, condition, at) };
  });
}
