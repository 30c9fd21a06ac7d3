import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import type { AccessRequest } from '../api.ts';
import { ApiError, notFound, qualifiedResource } from '../errors.ts';
import { equal } from '../fields/json.ts';
import type { ResourceType } from '../storage/kinds.ts';
import type { Store } from '../storage/object-store.ts';
import type { Identity } from './authentication.ts';
import { covers, RBAC_GROUP, type Rule, roleOf, rulesFor } from './rbac.ts';

interface Granting {
  store: Pick<Store, 'get' | 'list'>;
  /** Undefined if the access is allowed. */
  decide: (access: AccessRequest) => string | undefined;
}

/**
 * Nobody gives others by a role, or by binding one, what they may not do themselves, unless they may `escalate` or `bind`
 * (Kubernetes, pkg/registry/rbac/clusterrole/policybased and its brothers; the words: pkg/registry/rbac/validation/rule.go).
 * @param before what an update changes
 * @throws ApiError 403, or 404 where a role is bound that is not there
 */
export function refuseEscalation(
  { store, decide }: Granting,
  resource: ResourceType,
  identity: Identity,
  object: KubeObject,
  before?: KubeObject,
): void {
  if (resource.group !== RBAC_GROUP || (before && isSame(before, object))) return;
  const { namespace } = object.metadata;
  const binds = resource.plural.endsWith('bindings');
  const { kind, name } = binds ? (object.roleRef as { kind?: string; name?: string }) : object.metadata;
  const roles = binds ? `${String(kind).toLowerCase()}s` : resource.plural;
  const access = {
    ...identity,
    verb: binds ? 'bind' : 'escalate',
    apiGroup: RBAC_GROUP,
    resource: roles,
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  };
  if (decide(access) === undefined) return;
  const role = binds ? roleOf(store, object) : object;
  // The server speaks of the kind that was asked for, and of the role's name.
  if (!role) throw notFound(resource, String(name));
  const held = rulesFor(store, { ...identity, ...(namespace ? { namespace } : {}) });
  const missing = lacking((role.rules as Rule[] | undefined) ?? [], held);
  if (missing.length === 0) return;
  const who = `user ${JSON.stringify(identity.user)} (groups=${quoted(identity.groups)})`;
  const message = `${qualifiedResource(resource)} "${object.metadata.name}" is forbidden: ${who} is attempting to grant RBAC permissions not currently held:\n${missing.join('\n')}`;
  throw new ApiError(403, 'Forbidden', message, {
    name: object.metadata.name,
    group: RBAC_GROUP,
    kind: resource.plural,
  });
}

/** Whether nothing changes but what the server lets anyone change of a role, since it hands nothing on. */
function isSame(before: KubeObject, after: KubeObject): boolean {
  const without = ({ metadata, ...object }: KubeObject) => {
    const { managedFields: _, ownerReferences: __, finalizers: ___, ...kept } = metadata;
    return { ...object, metadata: kept };
  };
  return equal(without(before), without(after));
}

/** What of rules is not held, as the server writes it: by resource and name, the verbs together. */
function lacking(rules: readonly Rule[], held: readonly Rule[]): string[] {
  const verbs = new Map<string, string[]>();
  const add = (where: string, verb: string) => verbs.set(where, [...(verbs.get(where) ?? []), verb]);
  for (const { verbs: asked = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } of rules) {
    for (const verb of asked) {
      for (const apiGroup of apiGroups) {
        for (const resource of resources) {
          for (const name of resourceNames.length > 0 ? resourceNames : [undefined]) {
            const [plural = '', subresource] = resource.split('/');
            const access = { verb, apiGroup, resource: plural, ...(subresource ? { subresource } : {}) };
            if (held.some((one) => covers(one, { ...access, ...(name === undefined ? {} : { name }) }))) continue;
            const names = name === undefined ? '' : `, ResourceNames:${quoted([name])}`;
            add(`APIGroups:${quoted([apiGroup])}, Resources:${quoted([resource])}${names}`, verb);
          }
        }
      }
      for (const url of nonResourceURLs) {
        if (!held.some((one) => coversUrl(one, verb, url))) add(`NonResourceURLs:${quoted([url])}`, verb);
      }
    }
  }
  return [...verbs].map(([where, some]) => `{${where}, Verbs:${quoted([...new Set(some)])}}`).sort();
}

function coversUrl({ verbs, nonResourceURLs = [] }: Rule, verb: string, url: string): boolean {
  const isMeant = (own: string) => own === url || (own.endsWith('*') && url.startsWith(own.slice(0, -1)));
  return (verbs.includes('*') || verbs.includes(verb)) && nonResourceURLs.some(isMeant);
}

/** A list as Go's `%q` prints it. */
function quoted(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}
