import { unmetChoice } from '../../mesh/objects/node-affinity.ts';
import { isPodOver } from '../../mesh/objects/pods.ts';
import { OF_DAEMON_SETS, repels } from '../../mesh/objects/taints.ts';
import { choosable, type DaemonSet, isPodReady, type Node, ownerReference, type Pod, ref, typeOf } from '../objects.ts';
import {
  CONTROLLER_MANAGER,
  type Controller,
  type ControllerWorld,
  enqueuer,
  followOwned,
  nameSuffix,
  podsOf,
  resolveCount,
  stableJson,
  storeStatus,
} from './controller.ts';
import { recordEvent, recordScheduled } from './event.ts';

const HASH = 'controller-revision-hash';

/** Keeps one pod per node, and replaces pods of a former template within the update's unavailability. */
export function createDaemonSetController(world: ControllerWorld): Controller {
  const enqueue = enqueuer(world, 'DaemonSet', reconcile);
  const followSets = followOwned('DaemonSet', 'Pod', enqueue);
  return (event) => {
    followSets(event);
    if (event.object.kind !== 'Node') return;
    for (const { metadata } of world.store.list(typeOf('DaemonSet'))) enqueue(metadata.namespace, metadata.name);
  };
}

function reconcile(world: ControllerWorld, namespace: string | undefined, name: string) {
  const { store } = world;
  const set = store.get(ref('DaemonSet', namespace, name)) as DaemonSet | undefined;
  if (!set || set.metadata.deletionTimestamp) return;
  const hash = nameSuffix(stableJson(set.spec.template), 10);
  const chosen = (store.list(typeOf('Node')) as Node[]).filter(
    ({ metadata }) => unmetChoice(set.spec.template.spec, choosable(metadata)) === undefined,
  );
  const nodes = chosen.filter((node) => !isTainted(set, node));
  const pods = podsOf(world, set);
  // A node is to have one that runs: what is left of another goes, so that the next look makes its successor.
  for (const pod of pods.filter(isPodOver)) deletePod(world, set, pod);
  const podOf = new Map(pods.map((pod) => [pod.spec.nodeName, pod]));
  for (const node of nodes) {
    if (!podOf.has(node.metadata.name)) createPod(world, set, node.metadata.name, hash);
  }
  // A taint that came later leaves what runs, unless it evicts it.
  const names = new Set(
    chosen.filter((node) => !isTainted(set, node, 'NoExecute')).map(({ metadata }) => metadata.name),
  );
  for (const pod of pods) {
    if (!names.has(pod.spec.nodeName ?? '')) deletePod(world, set, pod);
  }
  replaceOutdated(world, set, pods, hash, nodes.length);
  writeStatus(world, set, pods, hash, nodes.length);
}

/** @param effect only by taints of this effect */
function isTainted({ spec: { template } }: DaemonSet, { spec: { taints = [] } }: Node, effect?: string): boolean {
  const tolerations = [...(template.spec.tolerations ?? []), ...OF_DAEMON_SETS];
  return taints.some((taint) => (effect === undefined || taint.effect === effect) && repels(taint, tolerations));
}

function createPod(world: ControllerWorld, set: DaemonSet, nodeName: string, hash: string) {
  const { store } = world;
  const { metadata, spec } = set.spec.template;
  const taken = (name: string) => store.get(ref('Pod', set.metadata.namespace, name)) !== undefined;
  let name: string;
  let serial = 0;
  do {
    const seed = `${set.metadata.uid} ${set.metadata.resourceVersion} ${nodeName} ${serial++}`;
    name = `${set.metadata.name}-${nameSuffix(seed, 5)}`;
  } while (taken(name));
  const pod: Pod = {
    ...typeOf('Pod'),
    metadata: {
      ...metadata,
      name,
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? '',
      labels: { ...metadata?.labels, [HASH]: hash, 'pod-template-generation': String(set.metadata.generation ?? 1) },
      ownerReferences: [ownerReference(set)],
    },
    spec: { ...spec, nodeName },
  };
  const created = store.create(pod, CONTROLLER_MANAGER);
  recordPodEvent(world, set, 'SuccessfulCreate', `Created pod: ${name}`);
  recordScheduled(world, created, nodeName);
}

function deletePod(world: ControllerWorld, set: DaemonSet, { metadata }: Pod) {
  world.store.delete(ref('Pod', metadata.namespace, metadata.name));
  recordPodEvent(world, set, 'SuccessfulDelete', `Deleted pod: ${metadata.name}`);
}

function recordPodEvent(world: ControllerWorld, set: DaemonSet, reason: string, message: string) {
  recordEvent(world, set, { type: 'Normal', reason, message, component: 'daemonset-controller' });
}

function replaceOutdated(world: ControllerWorld, set: DaemonSet, pods: Pod[], hash: string, nodes: number) {
  const { updateStrategy } = set.spec;
  if (updateStrategy?.type === 'OnDelete') return;
  const allowed = resolveCount(updateStrategy?.rollingUpdate?.maxUnavailable, nodes, 'up', 1);
  const outdated = pods.filter((pod) => pod.metadata.labels?.[HASH] !== hash);
  const unready = nodes - pods.filter(isPodReady).length;
  const broken = outdated.filter((pod) => !isPodReady(pod));
  const working = outdated.filter(isPodReady).slice(0, Math.max(0, allowed - unready));
  for (const pod of [...broken, ...working]) deletePod(world, set, pod);
}

function writeStatus(world: ControllerWorld, set: DaemonSet, pods: Pod[], hash: string, nodes: number) {
  const ready = pods.filter(isPodReady).length;
  const updated = pods.filter((pod) => pod.metadata.labels?.[HASH] === hash).length;
  const status = {
    currentNumberScheduled: pods.length,
    numberMisscheduled: 0,
    desiredNumberScheduled: nodes,
    numberReady: ready,
    observedGeneration: set.metadata.generation,
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(ready > 0 && { numberAvailable: ready }),
    ...(nodes > ready && { numberUnavailable: nodes - ready }),
  };
  storeStatus(world, set, status);
}
