import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { templateSpec } from '../objects/workload.ts';

/**
 * What the clustermesh-apiserver reads its cluster as: without its account no new pod is made, and without its rights a new
 * one has nothing to serve (Cilium's chart, templates/clustermesh-apiserver: the names are fixed).
 */
export function accessRefs(namespace: string): ObjectRef[] {
  const rbac = 'rbac.authorization.k8s.io/v1';
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: APISERVER },
    { apiVersion: rbac, kind: 'ClusterRole', name: APISERVER },
    { apiVersion: rbac, kind: 'ClusterRoleBinding', name: APISERVER },
  ];
}

/**
 * Of these, the ones that a Deployment needs and that are not there; undefined where none of them was read, or its pods run
 * as another account, whose rights somebody else has given.
 */
export function missingAccess(
  { missingAccess: missing }: ClusterSnapshot,
  deployment: KubeObject | undefined,
): readonly ObjectRef[] | undefined {
  const { serviceAccountName = APISERVER } = templateSpec(deployment);
  return deployment && serviceAccountName === APISERVER ? missing : undefined;
}
