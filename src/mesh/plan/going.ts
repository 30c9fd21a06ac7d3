import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import type { Step } from './plan.ts';

/** Whether an object is on its way out: it was deleted, and something still holds it. */
export function isGoing(object: KubeObject | undefined): boolean {
  return object?.metadata.deletionTimestamp !== undefined;
}

/** A cluster by what will be left of it: what is on its way out is no evidence of anything that is to be kept. */
export function withoutGoing(snapshot: ClusterSnapshot): ClusterSnapshot {
  const { namespace, objects, tlsSecrets } = snapshot;
  if (![...objects.values()].some(isGoing)) return snapshot;
  const isStaying = (name: string) => !isGoing(objects.get(keyOf(secretRef(namespace, name))));
  return {
    ...snapshot,
    objects: new Map([...objects].filter(([, object]) => !isGoing(object))),
    tlsSecrets: new Map([...tlsSecrets].filter(([name]) => isStaying(name))),
  };
}

/** `, held by its finalizer example.com/x`; nothing where there is none. */
export function heldBy({ metadata: { finalizers = [] } }: KubeObject): string {
  if (finalizers.length === 0) return '';
  return `, held by its ${finalizers.length === 1 ? 'finalizer' : 'finalizers'} ${finalizers.join(', ')}`;
}

/**
 * What is being deleted takes what is written to it along, as soon as its finalizers are done: a plan must neither change nor
 * count on it. What is to be deleted anyway may go.
 * @throws MeshctlError `Conflict`, for the first such object
 */
export function requireStaying(steps: readonly Step[]): void {
  const going = steps.find(({ write, before }) => write?.method !== 'delete' && isGoing(before));
  if (going?.before) throw beingDeleted(going.cluster, going.before);
}

/** Why nothing is written to an object that is on its way out, and how to wait for its end. */
export function beingDeleted(context: string, object: KubeObject): MeshctlError {
  const words = describeRef(refOf(object));
  return new MeshctlError('Conflict', `context "${context}": ${words} is being deleted${heldBy(object)}`, {
    hint: `Run the same command again once it is gone: ${waitForEnd(context, [object])}`,
    details: { context, object: words },
  });
}

/** The command line that waits until objects of one namespace, or of none, are gone. */
export function waitForEnd(context: string, objects: readonly KubeObject[]): string {
  const refs = objects.map(refOf);
  const names = refs.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`);
  const namespace = refs.flatMap((ref) => ref.namespace ?? [])[0];
  return kubectlCommand({ context, namespace }, ['wait', '--for=delete', ...names, '--timeout=5m']);
}
