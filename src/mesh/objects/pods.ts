import type { KubeObject } from './kube-object.ts';

interface PodStatus {
  phase?: string;
  conditions?: { type: string; status: string }[];
}

/** Whether a pod runs, is ready, and is not on its way out. */
export function isPodReady(pod: KubeObject): boolean {
  const status = pod.status as PodStatus | undefined;
  const ready = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  return !pod.metadata.deletionTimestamp && status?.phase === 'Running' && ready === true;
}

/** Whether a pod's containers can be entered. */
export function isPodRunning(pod: KubeObject): boolean {
  return !pod.metadata.deletionTimestamp && (pod.status as PodStatus | undefined)?.phase === 'Running';
}

/** The node that a pod is on; undefined before it is scheduled. */
export function nodeOf(pod: KubeObject): string | undefined {
  return (pod.spec as { nodeName?: string } | undefined)?.nodeName;
}
