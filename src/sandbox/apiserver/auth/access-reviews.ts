import type { AccessRequest } from '../api.ts';
import { badRequest } from '../errors.ts';
import { isObject, type JsonObject, objectAt } from '../fields/json.ts';
import type { Identity } from './authentication.ts';
import type { Rule } from './rbac.ts';

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

/** Who may do what. */
export interface Judge {
  /** Undefined if the access is allowed, or the reason why not. */
  decide: (access: AccessRequest) => string | undefined;
  /** What somebody may do, everywhere and in the namespace; undefined if that cannot be listed. */
  rules: (identity: Identity, namespace: string) => Rule[] | undefined;
}

/** Answers a review. */
export function answerReview(plural: string, body: unknown, identity: Identity, judge: Judge): JsonObject {
  if (!isObject(body)) throw badRequest('the request has no object in its body');
  return { ...body, metadata: {}, status: statusOf(plural, body, identity, judge) };
}

function statusOf(plural: string, body: JsonObject, identity: Identity, judge: Judge): JsonObject {
  if (plural === 'selfsubjectreviews') return { userInfo: userInfoOf(identity) };
  if (plural === 'selfsubjectrulesreviews') return rulesStatus(body, identity, judge);
  const attributes = objectAt(body, 'spec', 'resourceAttributes');
  // Paths that are no resources are open to everybody who is authenticated.
  if (!attributes) return { allowed: true };
  const text = (key: string): string => String(attributes[key] ?? '');
  const why = judge.decide({
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

// What the built-in roles give everybody who is authenticated.
const EVERYBODY_REVIEWS = Object.entries(REVIEWS).map(([resource, { group }]) => {
  return { verbs: ['create'], apiGroups: [group], resources: [resource] };
});
const EVERYBODY_PATHS = [
  '/.well-known',
  '/.well-known/*',
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
];

function rulesStatus(body: JsonObject, identity: Identity, judge: Judge): JsonObject {
  const rules = judge.rules(identity, String(objectAt(body, 'spec')?.namespace ?? ''));
  if (!rules) {
    const everything = judge.decide({ ...identity, verb: '*', apiGroup: '*', resource: '*' }) === undefined;
    return {
      resourceRules: everything ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : [],
      nonResourceRules: everything ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [],
      incomplete: !everything,
    };
  }
  return {
    resourceRules: [...EVERYBODY_REVIEWS, ...rules.filter(({ resources }) => resources !== undefined)],
    nonResourceRules: [
      { verbs: ['get'], nonResourceURLs: EVERYBODY_PATHS },
      ...rules.filter(({ nonResourceURLs }) => nonResourceURLs !== undefined),
    ],
    incomplete: false,
  };
}

function userInfoOf({ user, groups, credentialId }: Identity): JsonObject {
  const extra = credentialId && { extra: { 'authentication.kubernetes.io/credential-id': [credentialId] } };
  return { username: user, groups: [...groups], ...extra };
}
