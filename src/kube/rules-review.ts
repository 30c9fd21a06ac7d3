import type { AccessRule } from '../mesh/objects/access-rules.ts';
import type { Whereabouts } from './errors.ts';
import type { Transport } from './http/transport.ts';
import { type Shape, shaped } from './shape.ts';

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
