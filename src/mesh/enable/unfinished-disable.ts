import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef } from '../objects/names.ts';
import { isOurs } from '../objects/ownership.ts';
import { isGoing, saysGoing, waitForEnd } from '../plan/going.ts';

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
  return {
    says: `a disable is unfinished: ${held.map(saysGoing).join('; ')}`,
    wait: waitForEnd(context, held),
  };
}

/** That a disable is why something is not enabled, as the end of a sentence; empty where there is none. */
export function sinceDisable(unfinished: UnfinishedDisable | undefined): string {
  return unfinished === undefined ? '' : `; ${unfinished.says}`;
}

/** That another run is disabling a cluster in which something is to be enabled or connected. */
export function beingDisabled({ disabledBy }: Pick<ClusterSnapshot, 'disabledBy'>): string[] {
  if (!disabledBy) return [];
  const { host, since } = disabledBy;
  return [
    `another run, disable on ${host}, is at work there, since ${since}, and takes away what is enabled and connected there → Wait until it has ended, then run the same command again.`,
  ];
}

/** Both ways on from a disable that is unfinished: whether it is still meant, only the operator knows. */
export function waysOn({ context }: { context: string }, unfinished: UnfinishedDisable): string {
  return `finish the disable: ${afterEnd('disable', context, unfinished)}; or enable it again: ${afterEnd('enable', context, unfinished)}`;
}

/** That a cluster without Cluster Mesh has no part in what is done for several, with what is left of a disable. */
export function leftOut(snapshot: ClusterSnapshot): string {
  const unfinished = unfinishedDisable(snapshot);
  const next = unfinished ? ` → ${waysOn(snapshot, unfinished)}` : '';
  return `context "${snapshot.context}" is left out: Cluster Mesh is not enabled there${sinceDisable(unfinished)}${next}`;
}

/** Enables or disables a cluster, once what an unfinished disable has deleted there is gone. */
export function afterEnd(
  verb: 'enable' | 'disable',
  context: string,
  unfinished: UnfinishedDisable | undefined,
): string {
  const command = meshctlCommand(`clustermesh ${verb}`, { context });
  return unfinished ? `${unfinished.wait} && ${command}` : command;
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
