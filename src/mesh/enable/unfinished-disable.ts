import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, keyOf, refOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef } from '../objects/names.ts';
import { isOurs } from '../objects/ownership.ts';
import { heldBy, isGoing, waitForEnd } from '../plan/going.ts';

/** What a disable has deleted, and others still hold. */
export interface UnfinishedDisable {
  /** `a disable is unfinished: Service kube-system/… is being deleted, held by its finalizer …`. */
  says: string;
  /** The command line that waits until all of it is gone. */
  wait: string;
}

/** A disable that took the Deployment away, and of which other objects of meshctl's are not gone yet; undefined without one. */
export function unfinishedDisable(snapshot: ClusterSnapshot): UnfinishedDisable | undefined {
  const { context, namespace, objects, unread } = snapshot;
  if (apiserverDeployment(snapshot) || unread?.has(keyOf(apiserverDeploymentRef(namespace)))) return undefined;
  const held = [...objects.values()].filter((object) => isGoing(object) && isOurs(object));
  if (held.length === 0) return undefined;
  const what = held.map((object) => `${describeRef(refOf(object))} is being deleted${heldBy(object)}`);
  return {
    says: `a disable is unfinished: ${what.join('; ')}`,
    wait: waitForEnd(context, held),
  };
}

/** That a disable is why something is not enabled, as the end of a sentence; empty where there is none. */
export function sinceDisable(unfinished: UnfinishedDisable | undefined): string {
  return unfinished === undefined ? '' : `; ${unfinished.says}`;
}

/** The command line that enables clusters, once what unfinished disables have deleted there is gone. */
export function enableOnceGone(snapshots: readonly ClusterSnapshot[]): string {
  const waits = snapshots.flatMap((snapshot) => unfinishedDisable(snapshot)?.wait ?? []);
  const context = snapshots.map((snapshot) => snapshot.context);
  return [...waits, meshctlCommand('clustermesh enable', { context })].join(' && ');
}

/** Refuses to enable what is on its way out. @throws MeshctlError `Conflict`, with who holds it */
export function requireDisabled(snapshot: ClusterSnapshot): void {
  const unfinished = unfinishedDisable(snapshot);
  if (!unfinished) return;
  const { context } = snapshot;
  throw new MeshctlError('Conflict', `context "${context}": ${unfinished.says}`, {
    hint: `Run the same command again once that is gone: ${unfinished.wait}`,
    details: { context },
  });
}
