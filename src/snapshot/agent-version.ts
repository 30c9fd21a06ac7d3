import type { ClusterClient } from '../kube/client.ts';
import { type ProgramPod, versionIn, versionsOfPods } from '../mesh/cilium/versions/running-versions.ts';
import { formatVersion, parseVersion } from '../mesh/cilium/versions/versions.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { AGENT_CONTAINER, AGENT_SELECTOR } from '../mesh/objects/names.ts';
import { isPodRunning, isPodUnready, livingPods, nodeOf } from '../mesh/objects/pods.ts';
import { podSpec } from '../mesh/objects/workload.ts';

/** A version is nice to have: whatever does not say it soon is shown by its image. */
export const LONGEST_ANSWER_MS = 5000;

/** `Daemon: 1.20.0 0a1b2c3d 2026-…` of `cilium-dbg version`. */
const DAEMON = /^Daemon: (\S+)/m;

/**
 * The versions of a cluster's agents by their pods, whatever the DaemonSet has by now; where an image does not tell, one agent
 * of it is asked. One that is not ready waits as long as any is: its node may be dead. Where none is, those are what there is.
 * @param namespace Cilium's
 * @throws MeshctlError `Forbidden` where pods may not be listed
 */
export async function readRunningVersions(
  client: ClusterClient,
  namespace: string,
): Promise<ReturnType<typeof versionsOfPods>> {
  const selection = livingPods(namespace, AGENT_SELECTOR);
  const found = await client.collect(selection, keepAgent);
  const pods = withReadyFirst(found);
  const untold = pods.filter(({ image, isRunning }) => isRunning && versionIn(image) === undefined);
  const byImage = new Map(untold.map(({ image, pod }) => [image, pod]));
  const told = await Promise.all(
    [...byImage].map(async ([image, pod]) => [image, await askVersion(client, namespace, pod)] as const),
  );
  return versionsOfPods(pods, new Map(told));
}

/** An agent's pod as it is remembered. */
export type AgentPod = ProgramPod & { pod: string; isUnready: boolean };

/** Pods of which those that are not ready do not count as running as long as any is. */
export function withReadyFirst(found: readonly AgentPod[]): (ProgramPod & { pod: string })[] {
  const isAnyReady = found.some(({ isRunning, isUnready }) => isRunning && !isUnready);
  return found.map(({ isUnready, ...pod }) => ({ ...pod, isRunning: pod.isRunning && !(isUnready && isAnyReady) }));
}

/** One function, so that a client that remembers knows what was kept. Not those that are ending, nor what only bears the label. */
export const keepAgent = (pod: KubeObject): AgentPod[] => {
  const image = imageIn(pod, AGENT_CONTAINER);
  const { name, deletionTimestamp, ownerReferences = [] } = pod.metadata;
  const isOfDaemonSet = ownerReferences.some(({ kind, controller }) => kind === 'DaemonSet' && controller === true);
  if (image === undefined || deletionTimestamp || !isOfDaemonSet) return [];
  const place = `${name} on ${nodeOf(pod) ?? 'no node'}`;
  return [{ image, pod: name, place, isRunning: isPodRunning(pod), isUnready: isPodUnready(pod) }];
};

/** The image of one container of a pod. */
export function imageIn(pod: KubeObject, container: string): string | undefined {
  return podSpec(pod).containers?.find(({ name }) => name === container)?.image;
}

async function askVersion(client: ClusterClient, namespace: string, pod: string): Promise<string | undefined> {
  const command = ['cilium-dbg', 'version'];
  const run = { namespace, pod, container: AGENT_CONTAINER, command, timeoutMs: LONGEST_ANSWER_MS };
  try {
    const version = parseVersion(DAEMON.exec((await client.exec(run)).stdout)?.[1] ?? '');
    return version && formatVersion(version);
  } catch (error) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') return undefined;
    throw error;
  }
}
