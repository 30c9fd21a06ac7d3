import { replacementClause } from '../../apiserver/replacement.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef } from '../../objects/names.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import type { Step } from '../../plan/plan.ts';
import { configuredPeers } from '../peers.ts';
import { type MovedServing, movedServingEffect } from './moved-serving.ts';

/**
 * What becomes of a peer by pods that a plan replaces, as every change of their template does. With the
 * clustermesh-apiserver's the connections of both directions end, and are made anew; agents only dial.
 * @param planned.others further clusters, as far as they were read
 * @param planned.served the cluster with its Service as it will be; default as it is
 * @param planned.after the Deployment as it will be; default as it is
 * @param planned.dials where the peer is to dial the cluster by then; default as it does
 */
export function restartEffects(
  snapshot: ClusterSnapshot,
  steps: readonly Step[],
  peer: string,
  { served = snapshot, after, others, dials }: Omit<MovedServing, 'served'> & { served?: ClusterSnapshot | undefined },
): Pick<PeerEffect, 'becomes' | 'why' | 'mend' | 'movedPods'>[] {
  const { context, namespace } = snapshot;
  const replaced = steps
    .filter((step) => step.cluster === context && replacesPods(step))
    .map(({ object }) => keyOf(object));
  const [apiserver, agents] = [apiserverDeploymentRef(namespace), agentDaemonSetRef(namespace)];
  const isDialled = configuredPeers(snapshot).includes(peer);
  const clauses = [
    ...(replaced.includes(keyOf(apiserver))
      ? [replacementClause(after ?? snapshot.objects.get(keyOf(apiserver)))]
      : []),
    ...(isDialled && replaced.includes(keyOf(agents)) ? [`the pods of DaemonSet ${agents.name} are replaced`] : []),
  ];
  const elsewhere = replaced.includes(keyOf(apiserver))
    ? movedServingEffect({ served, after, others, dials }, peer, clauses[0] ?? '')
    : undefined;
  return [...clauses.map((why) => ({ becomes: 'moved' as const, why })), ...(elsewhere ? [elsewhere] : [])];
}

/** Whether a step replaces the pods of a workload that is there. */
export function replacesPods({ action, changes }: Step): boolean {
  return action === 'update' && changes.some(({ path }) => path.startsWith('spec.template'));
}
