import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import type { AccessRequest } from '../api.ts';
import type { Store } from '../storage/object-store.ts';

/** What a role allows. */
export interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount';
  name: string;
  namespace?: string;
}

interface Binding extends KubeObject {
  roleRef: { kind: 'Role' | 'ClusterRole'; name: string };
  subjects?: Subject[];
}

/** The API group of roles and bindings. */
export const RBAC_GROUP = 'rbac.authorization.k8s.io';
const RBAC = `${RBAC_GROUP}/v1`;
/** What the built-in roles system:discovery and system:basic-user give to everyone who is authenticated. */
const SELF_REVIEWS = ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'];

/**
 * Decides by the roles and bindings in the store, as a real API server does. Aggregated roles are not followed.
 * @returns undefined to allow, else the reason, which is empty as in a real answer
 */
export function authorizeByRoles(store: Pick<Store, 'get' | 'list'>, access: AccessRequest): string | undefined {
  if (access.resource === '' || SELF_REVIEWS.includes(access.resource)) return undefined;
  return rulesFor(store, access).some((rule) => covers(rule, access)) ? undefined : '';
}

/** What roles allow somebody, everywhere and in a namespace. */
export function rulesFor(store: Pick<Store, 'get' | 'list'>, who: Caller & { namespace?: string }): Rule[] {
  const { namespace } = who;
  return [
    ...rulesOf(store, store.list({ apiVersion: RBAC, kind: 'ClusterRoleBinding' }), who),
    ...(namespace ? rulesOf(store, store.list({ apiVersion: RBAC, kind: 'RoleBinding', namespace }), who) : []),
  ];
}

type Caller = Pick<AccessRequest, 'user' | 'groups'>;

function rulesOf(store: Pick<Store, 'get'>, bindings: readonly KubeObject[], access: Caller): Rule[] {
  return (bindings as Binding[])
    .filter(({ subjects = [] }) => subjects.some((subject) => isSubject(subject, access)))
    .flatMap((binding) => (roleOf(store, binding)?.rules as Rule[] | undefined) ?? []);
}

/** The role that a binding names, if it is there. */
export function roleOf(store: Pick<Store, 'get'>, binding: KubeObject): KubeObject | undefined {
  const { roleRef, metadata } = binding as Binding;
  const namespace = roleRef.kind === 'Role' ? metadata.namespace : undefined;
  return store.get({ apiVersion: RBAC, kind: roleRef.kind, namespace, name: roleRef.name });
}

function isSubject({ kind, name, namespace }: Subject, { user, groups }: Caller): boolean {
  if (kind === 'Group') return groups.includes(name);
  return user === (kind === 'User' ? name : `system:serviceaccount:${namespace}:${name}`);
}

/** Whether a rule allows an access. */
export function covers(
  rule: Rule,
  { verb, apiGroup, resource, subresource, name }: Omit<AccessRequest, 'user' | 'groups'>,
): boolean {
  const has = (values: readonly string[] | undefined, ...wanted: string[]): boolean =>
    values?.some((value) => value === '*' || wanted.includes(value)) ?? false;
  const resources = subresource ? [`${resource}/${subresource}`, `*/${subresource}`] : [resource];
  const named = !rule.resourceNames?.length || (name !== undefined && rule.resourceNames.includes(name));
  return has(rule.verbs, verb) && has(rule.apiGroups, apiGroup) && has(rule.resources, ...resources) && named;
}
