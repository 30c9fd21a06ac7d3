import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import type { Step } from './plan.ts';

/**
 * What is being deleted takes what is written to it along, as soon as its finalizers are done: a plan must neither change nor
 * count on it.
 * @throws MeshctlError `Conflict`, for the first such object that the plan changes or keeps in this cluster
 */
export function requireStaying(
  { context, objects }: Pick<ClusterSnapshot, 'context' | 'objects'>,
  steps: readonly Step[],
): void {
  const going = steps.find(
    ({ cluster, action, object }) =>
      cluster === context &&
      action !== 'delete' &&
      objects.get(keyOf(object))?.metadata.deletionTimestamp !== undefined,
  );
  if (!going) return;
  const { kind, namespace, name } = going.object;
  const finalizers = objects.get(keyOf(going.object))?.metadata.finalizers ?? [];
  const held =
    finalizers.length > 0
      ? `, held by ${finalizers.length === 1 ? 'its finalizer' : 'its finalizers'} ${finalizers.join(', ')}`
      : '';
  const object = `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
  const wait = ['wait', '--for=delete', `${kind.toLowerCase()}/${name}`, '--timeout=5m'];
  throw new MeshctlError('Conflict', `context "${context}": ${object} is being deleted${held}`, {
    hint: `Run the same command again once it is gone: ${kubectlCommand({ context, namespace }, wait)}`,
    details: { context, object },
  });
}
