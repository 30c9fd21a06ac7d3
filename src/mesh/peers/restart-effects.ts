import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef } from '../objects/names.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { Step } from '../plan/plan.ts';
import { configuredPeers } from './peers.ts';

/**
 * What becomes of a peer by pods that a plan replaces: host aliases cost a restart of whoever dials (Cilium before 1.20), as
 * every other change of a template does. Peers go on over the clustermesh-apiserver's, in both directions; agents only dial.
 */
export function restartEffects(
  snapshot: ClusterSnapshot,
  steps: readonly Step[],
  peer: string,
): Pick<PeerEffect, 'becomes' | 'why'>[] {
  const { context, namespace } = snapshot;
  const isDialled = configuredPeers(snapshot).includes(peer);
  const concerned = [apiserverDeploymentRef(namespace), ...(isDialled ? [agentDaemonSetRef(namespace)] : [])].map(
    keyOf,
  );
  return steps
    .filter(
      ({ cluster, action, object, changes }) =>
        cluster === context &&
        action === 'update' &&
        concerned.includes(keyOf(object)) &&
        changes.some(({ path }) => path.startsWith('spec.template')),
    )
    .map(({ object }) => ({ becomes: 'moved', why: `the pods of ${object.kind} ${object.name} restart` }));
}
