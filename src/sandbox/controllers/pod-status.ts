import { createHash } from 'node:crypto';
import {
  type Condition,
  type Container,
  type ContainerStatus,
  type Pod,
  type PodStatus,
  timestamp,
  withCondition,
} from '../objects.ts';

/** What a kubelet knows of one container. */
export interface ContainerState {
  container: Container;
  /** Set while it does not run: why. */
  waiting?: { reason: string; message?: string | undefined } | undefined;
  ready: boolean;
  restarts: number;
}

export interface PodFacts {
  /** The pod's, the first of them its primary one. */
  ips: readonly string[];
  hostIps: readonly string[];
  startedAt: Date;
  containers: readonly ContainerState[];
}

/** The fields of a pod's status that have its addresses and its node's. */
export function addressFields({ ips, hostIps }: Pick<PodFacts, 'ips' | 'hostIps'>): PodStatus {
  return {
    hostIP: hostIps[0] ?? '',
    hostIPs: hostIps.map((ip) => ({ ip })),
    podIP: ips[0] ?? '',
    podIPs: ips.map((ip) => ({ ip })),
  };
}

/** The status of a pod with containers, as a kubelet writes it. */
export function podStatus(pod: Pod, { ips, hostIps, startedAt, containers }: PodFacts, at: Date): PodStatus {
  const now = timestamp(at);
  const running = containers.every(({ waiting }) => !waiting);
  const started = containers.some(({ waiting, restarts }) => !waiting || restarts > 0);
  const unready = containers.filter(({ ready }) => !ready).map(({ container }) => container.name);
  const because: Partial<Condition> =
    unready.length === 0
      ? {}
      : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const ready: Condition['status'] = unready.length === 0 ? 'True' : 'False';
  const conditions: Condition[] = [
    { type: 'PodReadyToStartContainers', status: 'True' },
    { type: 'Initialized', status: 'True' },
    { ...because, type: 'Ready', status: ready },
    { ...because, type: 'ContainersReady', status: ready },
    { type: 'PodScheduled', status: 'True' },
  ];
  const former = pod.status?.conditions ?? [];
  const initContainers = pod.spec.initContainers ?? [];
  return {
    phase: running || started ? 'Running' : 'Pending',
    conditions: conditions.flatMap((condition) => withCondition(former, condition, now).slice(-1)),
    ...addressFields({ ips, hostIps }),
    startTime: timestamp(startedAt),
    qosClass: 'BestEffort',
    ...(initContainers.length > 0 && {
      initContainerStatuses: initContainers.map((container) => completed(pod, container, startedAt)),
    }),
    containerStatuses: containers.map((state) => containerStatus(pod, state, startedAt)),
  };
}

/**
 * The status of a pod whose containers cannot be made yet.
 * @param own what some of its containers wait for, by their name; the others wait for the reason
 */
export function pendingStatus(
  pod: Pod,
  reason: string,
  message: string,
  at: Date,
  own: ReadonlyMap<string, { reason: string; message: string }> = new Map(),
): PodStatus {
  const now = timestamp(at);
  const names = pod.spec.containers.map(({ name }) => name).join(' ');
  const because = { reason: 'ContainersNotReady', message: `containers with unready status: [${names}]` };
  const former = pod.status?.conditions ?? [];
  const conditions: Condition[] = [
    { type: 'Ready', status: 'False', ...because },
    { type: 'ContainersReady', status: 'False', ...because },
    { type: 'PodScheduled', status: 'True' },
  ];
  const initial = (pod.spec.initContainers ?? []).filter(({ name }) => own.has(name));
  const common = { reason, ...(reason === 'ContainerCreating' ? {} : { message }) };
  const waiting = ({ name, image }: Container): ContainerStatus => ({
    name,
    image,
    imageID: '',
    ready: false,
    started: false,
    restartCount: 0,
    state: { waiting: own.get(name) ?? common },
  });
  return {
    phase: 'Pending',
    conditions: conditions.flatMap((condition) => withCondition(former, condition, now).slice(-1)),
    // When the kubelet took the pod, whatever it waits for since.
    startTime: pod.status?.startTime ?? now,
    qosClass: 'BestEffort',
    ...(initial.length > 0 && { initContainerStatuses: initial.map(waiting) }),
    containerStatuses: pod.spec.containers.map(waiting),
  };
}

function containerStatus(pod: Pod, state: ContainerState, startedAt: Date): ContainerStatus {
  const { container, waiting, ready, restarts } = state;
  return {
    name: container.name,
    image: container.image,
    imageID: waiting ? '' : container.image,
    ...(!waiting && { containerID: containerId(pod, container) }),
    ready,
    started: !waiting,
    restartCount: restarts,
    state: waiting ? { waiting } : { running: { startedAt: timestamp(startedAt) } },
  };
}

function completed(pod: Pod, container: Container, at: Date): ContainerStatus {
  const time = timestamp(at);
  return {
    name: container.name,
    image: container.image,
    imageID: container.image,
    containerID: containerId(pod, container),
    ready: true,
    started: false,
    restartCount: 0,
    state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: time, finishedAt: time } },
  };
}

function containerId(pod: Pod, container: Container): string {
  return `sandbox://${createHash('sha256').update(`${pod.metadata.uid} ${container.name}`).digest('hex')}`;
}
