import type { ClusterSnapshot, LostAccess } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { templateSpec } from '../objects/workload.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';

/** The kind and the form of what gives an account rights in the whole cluster. */
export const CLUSTER_ROLE_BINDINGS = { apiVersion: RBAC, kind: 'ClusterRoleBinding' };

export const clusterRoleRef = (name: string): ObjectRef => ({ apiVersion: RBAC, kind: 'ClusterRole', name });

/** The account as which the clustermesh-apiserver's pods read their cluster. */
export function accountRef(namespace: string, deployment: KubeObject | undefined): ObjectRef {
  const { serviceAccountName: name = APISERVER } = templateSpec(deployment);
  return { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name };
}

/**
 * What the clustermesh-apiserver reads its cluster as: without its account no new pod is made, and without its rights a new
 * one has nothing to serve. These are the names that Cilium's chart has (templates/clustermesh-apiserver); with
 * `serviceAccounts.clustermeshApiserver.create=false` it makes none of them, and others do under names of theirs.
 */
export function accessRefs(namespace: string): ObjectRef[] {
  return [accountRef(namespace, undefined), clusterRoleRef(APISERVER), { ...CLUSTER_ROLE_BINDINGS, name: APISERVER }];
}

interface BindingShape {
  roleRef?: { kind?: string; name?: string };
  subjects?: { kind?: string; name?: string; namespace?: string }[] | null;
}

/** The name of the ClusterRole that a ClusterRoleBinding gives an account, by its own name or by a group that it is in. */
export function roleGivenTo(binding: KubeObject, { namespace = '', name }: ObjectRef): string | undefined {
  const { roleRef, subjects } = binding as BindingShape;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const isMeant = (subjects ?? []).some((subject) =>
    subject.kind === 'ServiceAccount'
      ? subject.name === name && subject.namespace === namespace
      : subject.kind === 'Group'
        ? groups.includes(subject.name ?? '')
        : subject.kind === 'User' && subject.name === `system:serviceaccount:${namespace}:${name}`,
  );
  return isMeant && roleRef?.kind === 'ClusterRole' ? roleRef.name : undefined;
}

/** Whether a ClusterRole lets read what the clustermesh-apiserver publishes. */
export function readsCilium(role: KubeObject): boolean {
  const { rules } = role as { rules?: { apiGroups?: string[]; resources?: string[] }[] | null };
  const has = (list: readonly string[] | undefined, name: string) => list?.some((one) => one === name || one === '*');
  return (rules ?? []).some(
    ({ apiGroups, resources }) => has(apiGroups, 'cilium.io') && has(resources, 'ciliumidentities'),
  );
}

/** Of what a Deployment's pods run as, what is not there; undefined where nothing of it was read. */
export function missingAccess(
  { missingAccess: missing }: ClusterSnapshot,
  deployment: KubeObject | undefined,
): readonly LostAccess[] | undefined {
  return deployment && missing;
}

/**
 * What gives an account of somebody else's its place and its rights back; undefined for the one of Cilium's chart, which
 * enable makes.
 */
export function giveAccessCommand(
  { context, namespace }: Pick<ClusterSnapshot, 'context' | 'namespace'>,
  deployment: KubeObject,
  missing: readonly ObjectRef[],
): string | undefined {
  const { name } = accountRef(namespace, deployment);
  if (name === APISERVER || missing.length === 0) return undefined;
  const commands = missing.map(({ kind, name: lost }) => {
    if (kind === 'ServiceAccount') return kubectlCommand({ context, namespace }, ['create', 'serviceaccount', name]);
    if (kind === 'ClusterRole') return kubectlCommand({ context }, ['get', 'clusterrole', lost]);
    const role = ['--clusterrole', APISERVER, '--serviceaccount', `${namespace}:${name}`];
    return kubectlCommand({ context }, ['create', 'clusterrolebinding', lost, ...role]);
  });
  return `Restore them as they were installed, or create them: ${commands.join(' && ')}`;
}
