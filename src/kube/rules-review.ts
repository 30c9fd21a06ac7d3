import { MeshctlError } from '../mesh/errors.ts';
import type { AccessRule } from '../mesh/objects/access-rules.ts';
import type { Whereabouts } from './errors.ts';
import type { Transport } from './http/transport.ts';
import { type Shape, shaped } from './shape.ts';
import { orRefusal } from './unless-refused.ts';

const RULES_REVIEW: Shape = {
  status: {
    incomplete: 'truth',
    resourceRules: [{ verbs: ['text'], apiGroups: ['text'], resources: ['text'], resourceNames: ['text'] }],
  },
};

/**
 * What the user may do in a namespace, and in the whole cluster (a SelfSubjectRulesReview): undefined where not all of it can be
 * listed, since others than roles decide too.
 */
export async function readRules(
  transport: Transport,
  at: Whereabouts,
  namespace: string,
): Promise<AccessRule[] | undefined> {
  const { body } = await transport.request({
    action: { ...at, verb: 'create', target: 'a SelfSubjectRulesReview' },
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
    idempotent: true,
  });
  const { status } = (shaped(body, RULES_REVIEW) ?? {}) as {
    status?: { incomplete?: boolean; resourceRules?: Partial<AccessRule>[] };
  };
  if (!status || status.incomplete) return undefined;
  return (status.resourceRules ?? []).map(({ verbs = [], apiGroups = [], resources = [], resourceNames }) => ({
    verbs,
    apiGroups,
    resources,
    resourceNames,
  }));
}

const SELF_REVIEW: Shape = { status: { userInfo: { username: 'text' } } };

/**
 * Who asks, as the API server knows them (a SelfSubjectReview, generally there from Kubernetes 1.28 on): undefined where it does not tell.
 */
export async function readUser(transport: Transport, at: Whereabouts): Promise<string | undefined> {
  const reading = transport.request({
    action: { ...at, verb: 'create', target: 'a SelfSubjectReview' },
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    idempotent: true,
  });
  const answer = await orRefusal(reading.catch(unlessNotFound));
  if (answer === undefined || answer instanceof MeshctlError) return undefined;
  const { status } = (shaped(answer.body, SELF_REVIEW) ?? {}) as { status?: { userInfo?: { username?: string } } };
  return status?.userInfo?.username;
}

function unlessNotFound(error: unknown): undefined {
  if (error instanceof MeshctlError && error.code === 'NotFound') return undefined;
  throw error;
}
