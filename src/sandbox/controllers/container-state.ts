import type { PullTrouble } from '../fixtures/images.ts';
import type { Container, Pod } from '../objects.ts';
import type { ContainerProcess } from '../pods/process.ts';
import type { ContainerState } from './pod-status.ts';

/** How often a container's program has ended by itself, and whether it is down now. */
export interface Crashes {
  count: number;
  down: boolean;
}

/** What the containers of a pod do, by name. */
interface Containers {
  processes: ReadonlyMap<string, ContainerProcess>;
  crashes: Map<string, Crashes>;
}

/** Looks at a container; counts it when its program has gone down since the last look. */
export function containerState(container: Container, { processes, crashes: all }: Containers): ContainerState {
  const process = processes.get(container.name);
  const crashes = all.get(container.name) ?? { count: 0, down: false };
  all.set(container.name, crashes);
  const message = process?.crashed?.();
  if (message !== undefined && !crashes.down) crashes.count += 1;
  crashes.down = message !== undefined;
  const waiting = !process
    ? { reason: 'RunContainerError', message: 'stopped in the sandbox' }
    : message === undefined
      ? undefined
      : { reason: 'CrashLoopBackOff', message };
  return { container, waiting, ready: !waiting && (process?.ready() ?? false), restarts: crashes.count };
}

/** What keeps images of a pod from being pulled, by container. A pod waits as a whole for what one of its containers lacks. */
export function missingImages(
  pod: Pod,
  pullTrouble: (image: string) => PullTrouble | undefined,
): Map<string, PullTrouble> {
  return new Map(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(({ name, image }) => {
      const trouble = pullTrouble(image);
      return trouble ? [[name, trouble] as const] : [];
    }),
  );
}
