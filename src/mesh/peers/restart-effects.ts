import { replacementClause } from '../apiserver/replacement.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef } from '../objects/names.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { Step } from '../plan/plan.ts';
import { configuredPeers } from './peers.ts';

/**
 * What becomes of a peer by pods that a plan replaces, as every change of their template does. With the
 * clustermesh-apiserver's the connections of both directions end, and are made anew; agents only dial.
 * @param after the Deployment as it will be; default as it is
 */
export function restartEffects(
  snapshot: ClusterSnapshot,
  steps: readonly Step[],
  peer: string,
  after?: KubeObject,
): Pick<PeerEffect, 'becomes' | 'why'>[] {
  const { context, namespace } = snapshot;
  const replaced = steps
    .filter((step) => step.cluster === context && replacesPods(step))
    .map(({ object }) => keyOf(object));
  const [apiserver, agents] = [apiserverDeploymentRef(namespace), agentDaemonSetRef(namespace)];
  const isDialled = configuredPeers(snapshot).includes(peer);
  return [
    ...(replaced.includes(keyOf(apiserver))
      ? [replacementClause(after ?? snapshot.objects.get(keyOf(apiserver)))]
      : []),
    ...(isDialled && replaced.includes(keyOf(agents)) ? [`the pods of DaemonSet ${agents.name} are replaced`] : []),
  ].map((why) => ({ becomes: 'moved', why }));
}

/** Whether a step replaces the pods of a workload that is there. */
export function replacesPods({ action, changes }: Step): boolean {
  return action === 'update' && changes.some(({ path }) => path.startsWith('spec.template'));
}
