import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type CommandPlace, describeCommand, kubectlCommand, meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { admissionHint } from '../objects/admission-hint.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { APISERVER, APISERVER_SELECTOR, apiserverDeploymentRef } from '../objects/names.ts';
import { workloadSpec, workloadStatus } from '../objects/workload.ts';
import { refusedPods } from '../objects/workload-trouble.ts';
import type { Step } from '../plan/plan.ts';

/** What keeps a Deployment from getting new pods, whatever they would be like, with the command after which it does. */
export interface Stall {
  /** In words, as a clause about the Deployment. */
  says: string;
  hint: string;
}

/**
 * What waiting does not help: a Deployment that is being deleted, or is paused while pods of its newest template are lacking
 * (Kubernetes, "Pausing and Resuming a rollout": it still scales those that it has). Undefined for every other.
 */
export function stallOf(
  place: CommandPlace & { context: string },
  deployment: KubeObject | undefined,
): Stall | undefined {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0 } = workloadStatus(deployment);
  const isSeen = observedGeneration >= (deployment?.metadata.generation ?? 0);
  const isLacking = isSeen && (replicas === 0 || updatedReplicas < replicas);
  return deployment?.metadata.deletionTimestamp || isLacking ? holdOf(place, deployment) : undefined;
}

/** What keeps a Deployment from getting pods of a new template. */
function holdOf(place: CommandPlace & { context: string }, deployment: KubeObject | undefined): Stall | undefined {
  const name = `deployment/${APISERVER}`;
  if (deployment?.metadata.deletionTimestamp) {
    return { says: 'its Deployment is being deleted', hint: afterDeletion(place, name) };
  }
  if (!workloadSpec(deployment).paused) return undefined;
  return { says: 'its Deployment is paused', hint: kubectlCommand(place, ['rollout', 'resume', name]) };
}

/**
 * What refuses the pods of a Deployment when they are made, as a quota does: of those nothing is to be seen. It may pass by
 * itself, so whoever waits for them waits on. Undefined where none is refused.
 */
export function refusalOfPods(
  place: CommandPlace & { context: string },
  deployment: KubeObject | undefined,
): Stall | undefined {
  const message = refusedPods(deployment);
  if (message === undefined) return undefined;
  const describe = describeCommand(place, 'replicasets', { selector: APISERVER_SELECTOR });
  return { says: `its pods are refused: ${message}`, hint: admissionHint(place, message) ?? describe };
}

/** Waits until an object is gone, which its finalizers may hold up, and makes it anew. @param name as in `service/NAME` */
export function afterDeletion(place: CommandPlace & { context: string }, name: string): string {
  const wait = kubectlCommand(place, ['wait', '--for=delete', name, '--timeout=5m']);
  return `${wait} && ${meshctlCommand('clustermesh enable', { context: place.context })}`;
}

/**
 * Refuses a plan that waits for pods in vain.
 * @throws MeshctlError `Conflict`, where it needs new pods of a Deployment that gets none
 */
export function requireRolling(snapshot: ClusterSnapshot, steps: readonly Step[]): void {
  const { context, namespace } = snapshot;
  const ref = apiserverDeploymentRef(namespace);
  const stall = holdOf(snapshot, snapshot.objects.get(keyOf(ref)));
  const changed = steps.find(({ object }) => keyOf(object) === keyOf(ref))?.changes ?? [];
  if (!stall || !changed.some(({ path }) => path.startsWith('spec.template'))) return;
  const object = `Deployment ${namespace}/${APISERVER}`;
  throw new MeshctlError(
    'Conflict',
    `context "${context}": ${stall.says}, and this change needs new pods (${object})`,
    {
      hint: stall.hint,
      details: { context, object },
    },
  );
}
