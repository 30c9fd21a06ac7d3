import type { Condition, Deployment, ReplicaSet } from '../objects.ts';
import { isControlledBy, ownerReference, ref as refTo, timestamp, typeOf, withCondition } from '../objects.ts';
import {
  CONTROLLER_MANAGER,
  type Controller,
  type ControllerWorld,
  enqueuer,
  followOwned,
  nameSuffix,
  resolveCount,
  sameJson,
  stableJson,
} from './controller.ts';
import { recordEvent } from './event.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MOST = 'deployment.kubernetes.io/max-replicas';

/** Keeps one ReplicaSet per pod template and moves replicas to the newest, within surge and unavailability. */
export function createDeploymentController(world: ControllerWorld): Controller {
  return followOwned('Deployment', 'ReplicaSet', enqueuer(world, 'Deployment', reconcile));
}

function reconcile(world: ControllerWorld, namespace: string | undefined, name: string) {
  const { store } = world;
  const deployment = store.get(refTo('Deployment', namespace, name)) as Deployment | undefined;
  if (!deployment || deployment.metadata.deletionTimestamp) return;
  const sets = replicaSetsOf(world, deployment);
  const hash = nameSuffix(stableJson(deployment.spec.template), 10);
  const current = sets.find((set) => set.metadata.labels?.['pod-template-hash'] === hash);
  if (deployment.spec.paused !== true) {
    if (!current) {
      createReplicaSet(world, deployment, hash, sets);
      return;
    }
    scale(world, deployment, current, sets);
    prune(world, deployment, current, sets);
  }
  writeStatus(world, deployment, current, replicaSetsOf(world, deployment));
}

function replicaSetsOf({ store }: ControllerWorld, deployment: Deployment): ReplicaSet[] {
  const namespace = deployment.metadata.namespace ?? '';
  return (store.list({ ...typeOf('ReplicaSet'), namespace }) as ReplicaSet[]).filter((set) =>
    isControlledBy(set, deployment),
  );
}

function createReplicaSet(world: ControllerWorld, deployment: Deployment, hash: string, sets: ReplicaSet[]) {
  const { template, selector } = deployment.spec;
  const labels = { ...template.metadata?.labels, 'pod-template-hash': hash };
  const revision = String(Math.max(0, ...sets.map(revisionOf)) + 1);
  const set: ReplicaSet = {
    ...typeOf('ReplicaSet'),
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: { [REVISION]: revision },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: 0,
      selector: { matchLabels: { ...selector.matchLabels, 'pod-template-hash': hash } },
      template: { metadata: { ...template.metadata, labels }, spec: template.spec },
    },
  };
  world.store.create(set, CONTROLLER_MANAGER);
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

function scale(world: ControllerWorld, deployment: Deployment, current: ReplicaSet, sets: ReplicaSet[]) {
  const wanted = deployment.spec.replicas ?? 1;
  const { strategy } = deployment.spec;
  const others = sets.filter((set) => set !== current);
  const running = others.reduce((sum, set) => sum + (set.status?.replicas ?? 0), 0);
  const askedFor = others.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
  if (strategy?.type === 'Recreate') {
    for (const set of others) setReplicas(world, deployment, set, 0);
    if (running + askedFor === 0) setReplicas(world, deployment, current, wanted);
    return;
  }
  const surge = surgeOf(deployment);
  const mayLack = resolveCount(strategy?.rollingUpdate?.maxUnavailable, wanted, 'down', Math.floor(wanted / 4));
  // Neither surge nor unavailability would stop a rollout for ever; Kubernetes then allows one to be unavailable.
  const unavailable = surge === 0 && mayLack === 0 ? 1 : mayLack;
  const room = wanted + surge - Math.max(running, askedFor);
  setReplicas(world, deployment, current, Math.min(wanted, Math.max(current.spec.replicas ?? 0, room, 0)));
  const ready = current.status?.readyReplicas ?? 0;
  let keep = Math.max(0, wanted - unavailable - ready);
  for (const set of others) {
    const replicas = Math.min(set.spec.replicas ?? 0, keep);
    keep -= replicas;
    setReplicas(world, deployment, set, replicas);
  }
}

/** How many pods more than wanted there may be while they are replaced. */
function surgeOf({ spec: { strategy, replicas = 1 } }: Deployment): number {
  if (strategy?.type === 'Recreate') return 0;
  return resolveCount(strategy?.rollingUpdate?.maxSurge, replicas, 'up', Math.ceil(replicas / 4));
}

function setReplicas(world: ControllerWorld, deployment: Deployment, set: ReplicaSet, replicas: number) {
  const former = set.spec.replicas ?? 0;
  if (former === replicas) return;
  world.store.update(
    refTo('ReplicaSet', set.metadata.namespace, set.metadata.name),
    (object) => {
      (object as ReplicaSet).spec.replicas = replicas;
      const wanted = deployment.spec.replicas ?? 1;
      const sizes = { [DESIRED]: String(wanted), [MOST]: String(wanted + surgeOf(deployment)) };
      object.metadata.annotations = { ...object.metadata.annotations, ...sizes };
    },
    CONTROLLER_MANAGER,
  );
  const direction = replicas > former ? 'up' : 'down';
  recordEvent(world, deployment, {
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message: `Scaled ${direction} replica set ${set.metadata.name} from ${former} to ${replicas}`,
    component: 'deployment-controller',
  });
}

function prune({ store }: ControllerWorld, deployment: Deployment, current: ReplicaSet, sets: ReplicaSet[]) {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const empty = sets.filter((set) => set !== current && !set.spec.replicas && !set.status?.replicas);
  const oldestFirst = empty.sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const set of oldestFirst.slice(0, Math.max(0, empty.length - limit))) {
    store.delete(refTo('ReplicaSet', set.metadata.namespace, set.metadata.name));
  }
}

function writeStatus(
  world: ControllerWorld,
  deployment: Deployment,
  current: ReplicaSet | undefined,
  sets: ReplicaSet[],
) {
  const wanted = deployment.spec.replicas ?? 1;
  const total = (field: 'replicas' | 'readyReplicas' | 'availableReplicas') =>
    sets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0);
  const replicas = total('replicas');
  const ready = total('readyReplicas');
  const newest = sets.find((set) => set.metadata.uid === current?.metadata.uid);
  const updated = newest?.status?.replicas ?? 0;
  const askedFor = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
  const unavailable = Math.max(0, askedFor - ready);
  const mayLack = resolveCount(
    deployment.spec.strategy?.rollingUpdate?.maxUnavailable,
    wanted,
    'down',
    Math.floor(wanted / 4),
  );
  const now = timestamp(world.now());
  const available: Condition =
    ready >= wanted - mayLack
      ? condition('Available', true, 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : condition('Available', false, 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');
  const done = updated === wanted && replicas === wanted && ready === wanted;
  const name = newest?.metadata.name ?? deployment.metadata.name;
  const progressing: Condition = done
    ? condition('Progressing', true, 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
    : condition('Progressing', true, 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`);
  const former = deployment.status?.conditions ?? [];
  const status = {
    observedGeneration: deployment.metadata.generation,
    ...(replicas > 0 && { replicas }),
    ...(updated > 0 && { updatedReplicas: updated }),
    ...(ready > 0 && { readyReplicas: ready, availableReplicas: ready }),
    ...(unavailable > 0 && { unavailableReplicas: unavailable }),
    terminatingReplicas: 0,
    conditions: withUpdated(withUpdated(former, available, now), progressing, now).sort((a, b) =>
      a.type.localeCompare(b.type),
    ),
  };
  const revision = newest?.metadata.annotations?.[REVISION];
  const same = sameJson(status, deployment.status);
  if (same && (revision === undefined || deployment.metadata.annotations?.[REVISION] === revision)) return;
  world.store.update(
    refTo('Deployment', deployment.metadata.namespace, deployment.metadata.name),
    (object) => {
      object.status = status;
      if (revision !== undefined)
        object.metadata.annotations = { ...object.metadata.annotations, [REVISION]: revision };
    },
    CONTROLLER_MANAGER,
  );
}

/** As withCondition, with the time at which what the condition says has changed. */
function withUpdated(conditions: readonly Condition[], next: Condition, now: string): Condition[] {
  const old = conditions.find(({ type }) => type === next.type);
  const isSame = old?.status === next.status && old.reason === next.reason && old.message === next.message;
  return withCondition(conditions, { ...next, lastUpdateTime: isSame ? (old.lastUpdateTime ?? now) : now }, now);
}

function condition(type: string, status: boolean, reason: string, message: string): Condition {
  return { type, status: status ? 'True' : 'False', reason, message };
}
