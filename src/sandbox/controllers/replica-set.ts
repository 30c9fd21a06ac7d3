import { isPodOver } from '../../mesh/objects/pods.ts';
import { isPodReady, ownerReference, type Pod, type ReplicaSet, ref, typeOf } from '../objects.ts';
import {
  CONTROLLER_MANAGER,
  type Controller,
  type ControllerWorld,
  enqueuer,
  followOwned,
  nameSuffix,
  podsOf,
  storeStatus,
} from './controller.ts';
import { recordEvent } from './event.ts';

/** Keeps as many pods as a ReplicaSet asks for. */
export function createReplicaSetController(world: ControllerWorld): Controller {
  return followOwned('ReplicaSet', 'Pod', enqueuer(world, 'ReplicaSet', reconcile));
}

function reconcile(world: ControllerWorld, namespace: string | undefined, name: string) {
  const { store } = world;
  const set = store.get(ref('ReplicaSet', namespace, name)) as ReplicaSet | undefined;
  if (!set || set.metadata.deletionTimestamp) return;
  const pods = podsOf(world, set).filter((pod) => !isPodOver(pod));
  const wanted = set.spec.replicas ?? 1;
  if (pods.length < wanted) createPods(world, set, pods, wanted - pods.length);
  if (pods.length > wanted) {
    for (const pod of leastUsefulFirst(pods).slice(0, pods.length - wanted)) {
      store.delete(ref('Pod', namespace, pod.metadata.name));
      recordPodEvent(world, set, 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    }
  }
  writeStatus(world, set, pods);
}

function createPods(world: ControllerWorld, set: ReplicaSet, pods: Pod[], count: number) {
  const { store } = world;
  const { template } = set.spec;
  const taken = new Set(pods.map((pod) => pod.metadata.name));
  for (let serial = 0, left = count; left > 0; serial++) {
    // The resourceVersion changes with every scaling, so a successor does not take a dead pod's name.
    const name = `${set.metadata.name}-${nameSuffix(`${set.metadata.uid} ${set.metadata.resourceVersion} ${serial}`, 5)}`;
    if (taken.has(name) || store.get(ref('Pod', set.metadata.namespace, name))) continue;
    const pod: Pod = {
      ...typeOf('Pod'),
      metadata: {
        ...template.metadata,
        name,
        generateName: `${set.metadata.name}-`,
        namespace: set.metadata.namespace ?? '',
        ownerReferences: [ownerReference(set)],
      },
      spec: template.spec,
    };
    store.create(pod, CONTROLLER_MANAGER);
    recordPodEvent(world, set, 'SuccessfulCreate', `Created pod: ${name}`);
    left--;
  }
}

function recordPodEvent(world: ControllerWorld, set: ReplicaSet, reason: string, message: string) {
  recordEvent(world, set, { type: 'Normal', reason, message, component: 'replicaset-controller' });
}

function leastUsefulFirst(pods: readonly Pod[]): Pod[] {
  return [...pods].sort(
    (a, b) =>
      Number(isPodReady(a)) - Number(isPodReady(b)) ||
      (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  );
}

function writeStatus(world: ControllerWorld, set: ReplicaSet, pods: Pod[]) {
  const ready = pods.filter(isPodReady).length;
  const status = {
    replicas: pods.length,
    ...(pods.length > 0 && { fullyLabeledReplicas: pods.length }),
    ...(ready > 0 && { readyReplicas: ready, availableReplicas: ready }),
    observedGeneration: set.metadata.generation,
  };
  storeStatus(world, set, status);
}
