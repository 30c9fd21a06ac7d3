import { kubectlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { nodeOf } from '../objects/pods.ts';
import { heldBy, isGoing, waitForEnd } from '../plan/going.ts';

/** Pods of a clustermesh-apiserver that are left without their Deployment: who disables it has not disabled it as yet. */
export interface PodsLeft {
  /** `pods of kube-system/… are left, which serve as long as they run: a on node n`. */
  says: string;
  /** What ends them, or waits for that. */
  hint: string;
  /** No one deletes some of them, so that no waiting ends them. */
  areStaying: boolean;
}

/** Those of a cluster that has no such Deployment any more; undefined without any. @param pods that are not over */
export function podsLeft(
  place: { context: string; namespace: string },
  pods: readonly KubeObject[],
): PodsLeft | undefined {
  if (pods.length === 0) return undefined;
  const areStaying = !pods.every(isGoing);
  const hint = areStaying ? wayOn(place, pods) : `They are ending: ${waitForEnd(place.context, pods)}`;
  return { says: saysLeft(place, pods), hint, areStaying };
}

function saysLeft({ namespace }: { namespace: string }, pods: readonly KubeObject[]): string {
  const names = pods.map((pod) => `${pod.metadata.name}${placeOf(pod)}${heldBy(pod)}`).join('; ');
  return `pods of ${namespace}/${APISERVER} are left, which serve as long as they run: ${names}`;
}

/**
 * That pods of a clustermesh-apiserver are left whose Deployment was removed: they let peers in as long as they run. A pod goes once the
 * kubelet of its node has ended it, which one that is cut off cannot (Kubernetes' pod termination); one that nobody deletes, as after
 * `kubectl delete --cascade=orphan`, stays.
 * @param pods those that are left; some at least
 * @param waitedMs for so long
 */
export function podsRemain(
  { context, namespace }: { context: string; namespace: string },
  pods: readonly KubeObject[],
  waitedMs: number,
): MeshctlError {
  return new MeshctlError(
    'Timeout',
    `context "${context}": all objects are removed, and after ${waitedMs / 1000} s ${saysLeft({ namespace }, pods)}`,
    {
      hint: `The same command waits for them again. ${wayOn({ context, namespace }, pods)}`,
      details: { context, pods: pods.map((pod) => pod.metadata.name), timeoutMs: waitedMs },
    },
  );
}

function placeOf(pod: KubeObject): string {
  const node = nodeOf(pod);
  return node === undefined ? '' : ` on node ${node}`;
}

function wayOn(place: { context: string; namespace: string }, pods: readonly KubeObject[]): string {
  const { context } = place;
  const named = (some: readonly KubeObject[]) => ['pods', ...some.map((pod) => pod.metadata.name)];
  const left = pods.filter((pod) => !isGoing(pod));
  if (left.length > 0)
    return `No one deletes them any more, so do that: ${kubectlCommand(place, ['delete', ...named(left)])}`;
  const held = pods.filter((pod) => heldBy(pod) !== '');
  if (held.length > 0) return `They are held: ${waitForEnd(context, held)}`;
  const force = kubectlCommand(place, ['delete', ...named(pods), '--grace-period=0', '--force']);
  const nodes = kubectlCommand({ context }, ['get', 'nodes', '-o', 'wide']);
  return `The kubelet of the node ends a pod once it can be reached; see whether the node is ready: ${nodes}; or once that machine is switched off for good, forget its pod: ${force}`;
}
