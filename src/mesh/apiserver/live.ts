import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../objects/names.ts';

type Read = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/** The Deployment of this cluster's clustermesh-apiserver as it was read. */
export function apiserverDeployment({ objects, namespace }: Read): KubeObject | undefined {
  return objects.get(keyOf(apiserverDeploymentRef(namespace)));
}

/** Its Service as it was read. */
export function apiserverService({ objects, namespace }: Read): KubeObject | undefined {
  return objects.get(keyOf(apiserverServiceRef(namespace)));
}
