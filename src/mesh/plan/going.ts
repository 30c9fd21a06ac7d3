import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { groupBy } from '../pairs.ts';
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
 * count on it. What is to be deleted anyway may go. Nor does a namespace take anything new that is on its way out itself.
 * @param homes where what is written is to stay; none for steps that only take away
 * @throws MeshctlError `Conflict`, naming all such objects
 */
export function requireStaying(steps: readonly Step[], homes: readonly Home[]): void {
  const leaving = homes.flatMap(({ context, namespace, goingNamespace: object }) => {
    const isWritten = ({ cluster, object: ref, write, action }: Step) =>
      cluster === context && ref.namespace === namespace && action !== 'keep' && write?.method !== 'delete';
    return object && steps.some(isWritten) ? [{ context, namespace, object }] : [];
  });
  const going = steps.flatMap(({ write, before, cluster: context, object: { namespace } }) =>
    write?.method !== 'delete' &&
    before &&
    isGoing(before) &&
    !leaving.some((home) => home.context === context && home.namespace === namespace)
      ? [{ context, object: before }]
      : [],
  );
  const [first, ...more] = [...leaving, ...going];
  if (first) throw beingDeleted(first, ...more);
}

/** A namespace of a cluster, with its object where that is being deleted. */
export type Home = Pick<ClusterSnapshot, 'context' | 'namespace' | 'goingNamespace'>;

/** An object, and the context that it is in. */
interface Placed {
  context: string;
  object: KubeObject;
}

/** Why nothing is written to objects that are on their way out, and how to wait for the end of all of them. */
export function beingDeleted(...going: readonly [Placed, ...Placed[]]): MeshctlError {
  const [{ context, object }] = going;
  const says = [...groupBy(going, (one) => one.context)].map(
    ([where, held]) => `context "${where}": ${held.map((one) => saysGoing(one.object)).join('; ')}`,
  );
  // One wait is for objects of one namespace.
  const homes = groupBy(going, (one) => [one.context, one.object.metadata.namespace].join('/'));
  const waits = [...homes.values()].flatMap((held) => {
    const [one] = held;
    return one
      ? [
          waitForEnd(
            one.context,
            held.map((each) => each.object),
          ),
        ]
      : [];
  });
  return new MeshctlError('Conflict', says.join('; '), {
    hint: `Run the same command again once ${going.length > 1 ? 'all of it' : 'it'} is gone: ${waits.join(' && ')}`,
    details: { context, object: describeRef(refOf(object)) },
  });
}

/** `Secret kube-system/… is being deleted, held by its finalizer …`. */
export function saysGoing(object: KubeObject): string {
  return `${describeRef(refOf(object))} is being deleted${heldBy(object)}`;
}

/** The command line that waits until objects of one namespace, or of none, are gone. */
export function waitForEnd(context: string, objects: readonly KubeObject[]): string {
  const refs = objects.map(refOf);
  const names = refs.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`);
  const namespace = refs.flatMap((ref) => ref.namespace ?? [])[0];
  return kubectlCommand({ context, namespace }, ['wait', '--for=delete', ...names, '--timeout=5m']);
}
