import type { KubeObject } from './kube-object.ts';
import { podSpec, podStatus } from './workload.ts';

/**
 * What selects the pods of a workload, without those that are over (`isPodOver`): kubelet leaves them when it evicts a pod or its node
 * is shut down, and they keep their labels until somebody deletes them; the workload has replaced them by then
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection).
 */
export function livingPods(namespace: string | undefined, labelSelector: string) {
  const fieldSelector = 'status.phase!=Failed,status.phase!=Succeeded';
  return { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector, fieldSelector };
}

/** Whether a pod runs, is ready, and is not on its way out. */
export function isPodReady(pod: KubeObject): boolean {
  const { phase, conditions } = podStatus(pod);
  const ready = conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  return !pod.metadata.deletionTimestamp && phase === 'Running' && ready === true;
}

/** Whether one container of a pod is ready, whatever the others are. */
export function isContainerReady(pod: KubeObject, container: string): boolean {
  const { containerStatuses = [] } = podStatus(pod);
  return !pod.metadata.deletionTimestamp && containerStatuses.some(({ name, ready }) => name === container && ready);
}

/** Whether a pod's containers can be entered. */
export function isPodRunning(pod: KubeObject): boolean {
  return !pod.metadata.deletionTimestamp && podStatus(pod).phase === 'Running';
}

/** Whether a pod has ended for good, or is one that its node did not take (kubelet's admission: `OutOfcpu`, `NodeAffinity`). */
export function isPodOver(pod: KubeObject): boolean {
  return ['Failed', 'Succeeded'].includes(podStatus(pod).phase ?? '');
}

/** Whether a pod's Ready condition says that it is not: its phase stays `Running` while its program fails, and when its node has died. */
export function isPodUnready(pod: KubeObject): boolean {
  return podStatus(pod).conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True') ?? false;
}

/** When the program of a pod was started, in its only or its youngest container; undefined where it does not tell. */
export function startedAt(pod: KubeObject): Date | undefined {
  const { containerStatuses = [], startTime } = podStatus(pod);
  const running = containerStatuses.flatMap(({ state }) => state?.running?.startedAt ?? []);
  const times = (running.length > 0 ? running : [startTime ?? '']).map((time) => Date.parse(time));
  const latest = Math.max(...times);
  return Number.isFinite(latest) ? new Date(latest) : undefined;
}

/** The node that a pod is on; undefined before it is scheduled. */
export function nodeOf(pod: KubeObject): string | undefined {
  return podSpec(pod).nodeName;
}

/** A pod's addresses, the primary one first; none before it has any. */
export function podAddresses(pod: KubeObject): string[] {
  const { podIP, podIPs = [] } = podStatus(pod);
  return [...new Set([podIP ?? [], podIPs.map(({ ip }) => ip)].flat())];
}
