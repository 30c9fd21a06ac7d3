import type { KubeObject } from './kube-object.ts';
import { podSpec, podStatus } from './workload.ts';

/** Whether a pod runs, is ready, and is not on its way out. */
export function isPodReady(pod: KubeObject): boolean {
  const { phase, conditions } = podStatus(pod);
  const ready = conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  return !pod.metadata.deletionTimestamp && phase === 'Running' && ready === true;
}

/** Whether a pod's containers can be entered. */
export function isPodRunning(pod: KubeObject): boolean {
  return !pod.metadata.deletionTimestamp && podStatus(pod).phase === 'Running';
}

/** The node that a pod is on; undefined before it is scheduled. */
export function nodeOf(pod: KubeObject): string | undefined {
  return podSpec(pod).nodeName;
}
