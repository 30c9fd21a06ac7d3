import { isPodOver } from '../../mesh/objects/pods.ts';
import type { PullTrouble } from '../fixtures/images.ts';
import { type Container, type Node, type Pod, type PodStatus, ref, typeOf } from '../objects.ts';
import {
  changedVolumes,
  containerFiles,
  expandVariables,
  MountError,
  mountsObject,
  readEnvironment,
  readVolumes,
  type VolumeFiles,
} from '../pods/mounts.ts';
import type { ContainerProcess, StartProcess } from '../pods/process.ts';
import { type Crashes, containerState, missingImages } from './container-state.ts';
import { type Controller, type ControllerWorld, sameJson } from './controller.ts';
import { recordContainerEvent, recordEvent } from './event.ts';
import { createPodAddresses } from './pod-addresses.ts';
import { addressFields, pendingStatus, podStatus } from './pod-status.ts';

export interface KubeletTimings {
  /** How long after a change a mounted Secret or ConfigMap is refreshed. */
  secretSyncMs: number;
  /** From a pod's binding to its containers' start. */
  podStartMs: number;
}

/** A pod whose containers run. */
export interface RunningPod {
  readonly pod: Pod;
  /** Of the pod: one of each family that its node has. */
  readonly ips: readonly string[];
  readonly processes: ReadonlyMap<string, ContainerProcess>;
  /** The mounted files now, by volume. */
  readonly volumes: ReadonlyMap<string, VolumeFiles>;
}

/** All nodes' kubelets: runs pods' containers, refreshes their files, writes their status. */
export interface Kubelet {
  controller: Controller;
  find(namespace: string, name: string): RunningPod | undefined;
  /** All programs that run. */
  processes(): ContainerProcess[];
  /** Ends a pod's programs and keeps them down, as if they hung: the pod stays, not ready. */
  stop(namespace: string, name: string): void;
  /** Runs a stopped pod's programs again. */
  start(namespace: string, name: string): void;
  close(): void;
}

interface Running extends RunningPod {
  hostIps: readonly string[];
  startedAt: Date;
  processes: Map<string, ContainerProcess>;
  crashes: Map<string, Crashes>;
  volumes: Map<string, VolumeFiles>;
  annotations: unknown;
}

const alreadyPresent = (image: string): string =>
  `Container image "${image}" already present on machine and can be accessed by the pod`;

/** What the nodes do with containers. */
export interface ContainerRuntime {
  /** What keeps an image from being pulled; undefined where nothing does. */
  pullTrouble(image: string): PullTrouble | undefined;
  start: StartProcess;
}

export function createKubelet(world: ControllerWorld, timings: KubeletTimings, runtime: ContainerRuntime): Kubelet {
  const { store, queue, now } = world;
  const running = new Map<string, Running>();
  const stopped = new Set<string>();
  /** Pods that were accepted and are not begun yet. */
  const starting = new Set<string>();
  const addresses = createPodAddresses();
  const draining = new Set<ContainerProcess>();
  let closed = false;

  const keyOfPod = (namespace: string | undefined, name: string) => `${namespace}/${name}`;
  const enqueue = (namespace: string | undefined, name: string) =>
    queue.add(`Kubelet/${namespace}/${name}`, () => reconcile(namespace, name));

  function controller({ type, object }: Parameters<Controller>[0]) {
    const { namespace, name } = object.metadata;
    if (object.kind === 'Pod') {
      const pod = running.get(keyOfPod(namespace, name));
      if (pod && (type === 'DELETED' || pod.pod.metadata.uid !== object.metadata.uid)) terminate(pod);
      // A kubelet syncs a pod, with its mounts, as soon as the pod itself changes.
      else if (pod && !sameJson(pod.annotations, object.metadata.annotations)) {
        pod.annotations = object.metadata.annotations;
        queue.add(`Mounts/${namespace}/${name}`, () => refresh(pod));
      }
      if (type !== 'DELETED') enqueue(namespace, name);
      else stopped.delete(keyOfPod(namespace, name));
    }
    if (object.kind === 'Secret' || object.kind === 'ConfigMap') filesMayChange(object.kind, namespace, name);
    if (object.kind === 'Node' && type === 'DELETED') evacuate(name);
  }

  function filesMayChange(kind: string, namespace: string | undefined, name: string) {
    for (const pod of running.values()) {
      if (pod.pod.metadata.namespace !== namespace || !mountsObject(pod.pod, kind, name)) continue;
      queue.addAfter(timings.secretSyncMs, `Mounts/${keyOfPod(namespace, pod.pod.metadata.name)}`, () => refresh(pod));
    }
    // Pods that wait for a missing Secret or ConfigMap.
    for (const pod of store.list({ ...typeOf('Pod'), namespace: namespace ?? '' }) as Pod[]) {
      if (pod.spec.nodeName && !running.has(keyOfPod(namespace, pod.metadata.name)))
        enqueue(namespace, pod.metadata.name);
    }
  }

  function evacuate(node: string) {
    for (const pod of store.list(typeOf('Pod')) as Pod[]) {
      if (pod.spec.nodeName === node) store.delete(ref('Pod', pod.metadata.namespace, pod.metadata.name));
    }
  }

  function reconcile(namespace: string | undefined, name: string) {
    const pod = store.get(ref('Pod', namespace, name)) as Pod | undefined;
    const key = keyOfPod(namespace, name);
    const current = running.get(key);
    if (!pod?.spec.nodeName) return;
    if (pod.metadata.deletionTimestamp) {
      if (current) terminate(current);
      store.delete(ref('Pod', namespace, name));
      return;
    }
    if (isPodOver(pod)) {
      if (current) terminate(current);
      return;
    }
    if (current) writeStatus(current);
    else if (starting.has(key)) return;
    else if (!pod.status?.startTime && timings.podStartMs > 0) {
      starting.add(key);
      setStatus(pod, pendingStatus(pod, 'ContainerCreating', '', now()));
      queue.addAfter(timings.podStartMs, `Start/${key}`, () => {
        starting.delete(key);
        begin(namespace, name);
      });
    } else begin(namespace, name);
  }

  function begin(namespace: string | undefined, name: string) {
    const pod = store.get(ref('Pod', namespace, name)) as Pod | undefined;
    if (!pod || running.has(keyOfPod(namespace, name))) return;
    const node = store.get(ref('Node', undefined, pod.spec.nodeName ?? '')) as Node | undefined;
    if (!node) return;
    const missing = missingImages(pod, runtime.pullTrouble);
    if (missing.size > 0) {
      setStatus(pod, pendingStatus(pod, 'ContainerCreating', '', now(), missing));
      for (const [container, { message }] of missing)
        recordContainerEvent(world, pod, container, 'Failed', message, 'Warning');
      return;
    }
    const hostIps = (node.status?.addresses ?? []).flatMap(({ type, address }) =>
      type === 'InternalIP' ? address : [],
    );
    let volumes: Map<string, VolumeFiles>;
    try {
      volumes = readVolumes(store, pod);
    } catch (error) {
      if (!(error instanceof MountError)) throw error;
      refuse(pod, 'ContainerCreating', error.message, 'FailedMount');
      return;
    }
    const ips = pod.spec.hostNetwork ? hostIps : addresses.allocate(node);
    const withAddress: Pod = { ...pod, status: { ...pod.status, ...addressFields({ ips, hostIps }) } };
    let environments: Map<Container, Map<string, string>>;
    try {
      environments = new Map(
        pod.spec.containers.map((container) => [container, readEnvironment(store, withAddress, container)]),
      );
    } catch (error) {
      addresses.release(ips);
      if (!(error instanceof MountError)) throw error;
      refuse(pod, 'CreateContainerConfigError', error.message, 'Failed');
      return;
    }
    const state: Running = {
      pod: withAddress,
      ips,
      hostIps,
      startedAt: now(),
      processes: new Map(),
      crashes: new Map(),
      volumes,
      annotations: pod.metadata.annotations,
    };
    running.set(keyOfPod(namespace, name), state);
    if (!stopped.has(keyOfPod(namespace, name))) launch(state, environments);
    writeStatus(state);
  }

  function launch(state: Running, environments: ReadonlyMap<Container, ReadonlyMap<string, string>>) {
    const { namespace, name } = state.pod.metadata;
    for (const [container, environment] of environments) {
      const argv = [...(container.command ?? []), ...(container.args ?? [])].map((word) =>
        expandVariables(word, environment),
      );
      const process = runtime.start({
        pod: state.pod,
        container,
        argv,
        environment,
        files: () => containerFiles(container, state.volumes),
        siblings: state.processes,
        changed: () => enqueue(namespace, name),
      });
      state.processes.set(container.name, process);
      recordContainerEvent(world, state.pod, container.name, 'Pulled', alreadyPresent(container.image));
      recordContainerEvent(world, state.pod, container.name, 'Created', 'Container created');
      recordContainerEvent(world, state.pod, container.name, 'Started', 'Container started');
    }
  }

  function refuse(pod: Pod, reason: string, message: string, event: string) {
    setStatus(pod, pendingStatus(pod, reason, message, now()));
    recordEvent(world, pod, { type: 'Warning', reason: event, message, component: 'kubelet' });
  }

  function refresh(state: Running) {
    if (!running.has(keyOfPod(state.pod.metadata.namespace, state.pod.metadata.name))) return;
    let volumes: Map<string, VolumeFiles>;
    try {
      volumes = readVolumes(store, state.pod);
    } catch (error) {
      // Like a kubelet: a Secret that has gone leaves the files as they were.
      if (error instanceof MountError) return;
      throw error;
    }
    const changed = new Set(changedVolumes(state.volumes, volumes));
    state.volumes = volumes;
    for (const container of state.pod.spec.containers) {
      if (container.volumeMounts?.some(({ name }) => changed.has(name)))
        state.processes.get(container.name)?.filesChanged?.();
    }
  }

  function writeStatus(state: Running) {
    const pod = store.get(ref('Pod', state.pod.metadata.namespace, state.pod.metadata.name)) as Pod | undefined;
    if (!pod || pod.metadata.uid !== state.pod.metadata.uid) return;
    const containers = pod.spec.containers.map((container) => containerState(container, state));
    const facts = { ips: state.ips, hostIps: state.hostIps, startedAt: state.startedAt, containers };
    setStatus(pod, podStatus(pod, facts, now()));
  }

  function setStatus(pod: Pod, status: PodStatus) {
    if (sameJson(pod.status, status)) return;
    store.update(
      ref('Pod', pod.metadata.namespace, pod.metadata.name),
      (object) => {
        object.status = status;
      },
      'kubelet',
    );
  }

  function closeProcesses(state: Running) {
    for (const process of state.processes.values()) process.close();
    state.processes.clear();
  }

  function end(state: Running) {
    running.delete(keyOfPod(state.pod.metadata.namespace, state.pod.metadata.name));
    addresses.release(state.ips);
    closeProcesses(state);
  }

  /** Ends a deleted pod, whose programs may need a moment; its address stays theirs until then. */
  function terminate(state: Running) {
    for (const container of state.pod.spec.containers)
      recordContainerEvent(world, state.pod, container.name, 'Killing', `Stopping container ${container.name}`);
    const lasting = [...state.processes].filter(([, { drainMs = 0 }]) => drainMs > 0);
    for (const [name, process] of lasting) {
      state.processes.delete(name);
      draining.add(process);
      queue.addAfter(process.drainMs ?? 0, `Drain/${state.pod.metadata.uid}/${name}`, () => {
        process.close();
        draining.delete(process);
        addresses.release(state.ips);
      });
    }
    end(state);
    if (lasting.length > 0) addresses.keep(state.ips);
  }

  return {
    controller: (event) => {
      if (!closed) controller(event);
    },
    processes: () => [...running.values()].flatMap((state) => [...state.processes.values()]),
    find: (namespace, name) => running.get(keyOfPod(namespace, name)),
    stop(namespace, name) {
      stopped.add(keyOfPod(namespace, name));
      const state = running.get(keyOfPod(namespace, name));
      if (!state) return;
      closeProcesses(state);
      enqueue(namespace, name);
    },
    start(namespace, name) {
      stopped.delete(keyOfPod(namespace, name));
      const state = running.get(keyOfPod(namespace, name));
      if (state) end(state);
      enqueue(namespace, name);
    },
    close() {
      closed = true;
      for (const state of [...running.values()]) end(state);
      for (const process of draining) process.close();
    },
  };
}
