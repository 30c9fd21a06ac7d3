import { type KubeObject, type ObjectRef, refOf } from '../objects/kube-object.ts';
import { REMOTE_USERS_CONFIGMAP } from '../objects/names.ts';
import { PEER_SECRETS } from '../peers/peers.ts';
import type { StepWrite } from '../plan/plan.ts';

/** Deletes an object; one that says who is connected as it was read alone, or somebody who has come since would be cut unnamed. */
export function deletionOf(object: KubeObject): Extract<StepWrite, { method: 'delete' }> {
  const { uid, resourceVersion } = object.metadata;
  return { method: 'delete', ...(namesPeers(refOf(object)) ? { uid, resourceVersion } : {}) };
}

/** Whether it says who is connected. */
export function namesPeers({ kind, name }: Pick<ObjectRef, 'kind' | 'name'>): boolean {
  return (
    (kind === 'Secret' && PEER_SECRETS.some((one) => one === name)) ||
    (kind === 'ConfigMap' && name === REMOTE_USERS_CONFIGMAP)
  );
}
