import type { AccessRequest } from '../api.ts';
import { badRequest } from '../errors.ts';
import { isObject, type JsonObject, objectAt } from '../fields/json.ts';
import type { Identity } from './authentication.ts';

/** The review kinds: paths that take a POST and answer who may do what. */
export const REVIEWS: Record<string, { group: string; kind: string }> = {
  selfsubjectaccessreviews: { group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview' },
  selfsubjectrulesreviews: { group: 'authorization.k8s.io', kind: 'SelfSubjectRulesReview' },
  selfsubjectreviews: { group: 'authentication.k8s.io', kind: 'SelfSubjectReview' },
};

/** The review that a path names, or undefined. */
export function reviewOf(path: string): string | undefined {
  const [, root, group, version, plural, ...rest] = path.split('/');
  if (root !== 'apis' || version !== 'v1' || plural === undefined || rest.length > 0) return undefined;
  return REVIEWS[plural]?.group === group ? plural : undefined;
}

/**
 * Answers a review. `decide` gives undefined if the access is allowed, or the reason why not.
 */
export function answerReview(
  plural: string,
  body: unknown,
  identity: Identity,
  decide: (access: AccessRequest) => string | undefined,
): JsonObject {
  if (!isObject(body)) throw badRequest('the request has no object in its body');
  return { ...body, metadata: {}, status: statusOf(plural, body, identity, decide) };
}

function statusOf(
  plural: string,
  body: JsonObject,
  identity: Identity,
  decide: (access: AccessRequest) => string | undefined,
): JsonObject {
  if (plural === 'selfsubjectreviews') return { userInfo: userInfoOf(identity) };
  if (plural === 'selfsubjectrulesreviews') {
    const everything = decide({ ...identity, verb: '*', apiGroup: '*', resource: '*' }) === undefined;
    return {
      resourceRules: everything ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : [],
      nonResourceRules: everything ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [],
      incomplete: !everything,
    };
  }
  const attributes = objectAt(body, 'spec', 'resourceAttributes');
  // Paths that are no resources are open to everybody who is authenticated.
  if (!attributes) return { allowed: true };
  const text = (key: string): string => String(attributes[key] ?? '');
  const why = decide({
    ...identity,
    verb: text('verb'),
    apiGroup: text('group'),
    resource: text('resource'),
    ...(attributes.subresource ? { subresource: text('subresource') } : {}),
    ...(attributes.namespace ? { namespace: text('namespace') } : {}),
    ...(attributes.name ? { name: text('name') } : {}),
  });
  return why === undefined ? { allowed: true } : { allowed: false, ...(why ? { reason: why } : {}) };
}

function userInfoOf({ user, groups, credentialId }: Identity): JsonObject {
  const extra = credentialId && { extra: { 'authentication.kubernetes.io/credential-id': [credentialId] } };
  return { username: user, groups: [...groups], ...extra };
}
