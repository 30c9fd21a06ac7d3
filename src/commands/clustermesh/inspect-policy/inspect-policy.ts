import type { ClusterClient } from '../../../kube/client.ts';
import { ciliumPolicyFollowsDefault, networkPolicyFollowsDefault } from '../../../mesh/cilium/policy-scope.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { printable } from '../../../views/printable.ts';
import { type PolicyInspection, policyInspectionText } from '../../../views/services/policy-inspection-view.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { kubeconfigOf, withClusters } from '../../targets/cluster-flags.ts';
import type { INSPECT_POLICY } from './inspect-policy-spec.ts';

/** `meshctl clustermesh inspect-policy-default-local-cluster`, with the very JSON of cilium-cli. */
export async function run(context: CommandContext, flags: FlagsOf<typeof INSPECT_POLICY>): Promise<CommandResult> {
  const namespace = flags.allNamespaces ? undefined : (flags.namespace ?? (await namespaceOfContext(context, flags)));
  const opening = { ...flags, namespace: namespace ?? '' };
  const inspection = await withClusters(context, opening, [flags.context], async ([client]) => {
    if (!client) throw new MeshctlError('Bug', 'no cluster was opened');
    return printable(await inspect(client, namespace));
  });
  return {
    kind: 'PolicyInspection',
    data: { ...inspection },
    text: (theme) => policyInspectionText(inspection, theme),
    ...(flags.output === 'json' ? { raw: JSON.stringify(withoutEmpty(inspection), null, 1) } : {}),
  };
}

/** The namespace that kubectl would take: the context's own. */
async function namespaceOfContext(context: CommandContext, flags: FlagsOf<typeof INSPECT_POLICY>): Promise<string> {
  const { selectContext } = await import('../../../kube/access/kubeconfig.ts');
  return selectContext(await kubeconfigOf(context, flags), flags.context).namespace || 'default';
}

/** @param namespace undefined: all of them, and the policies that are in none */
async function inspect(client: ClusterClient, namespace: string | undefined): Promise<PolicyInspection> {
  const list = (apiVersion: string, kind: string) => client.list({ apiVersion, kind, namespace });
  const [ciliumNetworkPolicies, ciliumClusterWideNetworkPolicies, networkPolicies] = await Promise.all([
    byName(list('cilium.io/v2', 'CiliumNetworkPolicy'), ciliumPolicyFollowsDefault),
    namespace === undefined
      ? byName(list('cilium.io/v2', 'CiliumClusterwideNetworkPolicy'), ciliumPolicyFollowsDefault)
      : undefined,
    byName(list('networking.k8s.io/v1', 'NetworkPolicy'), networkPolicyFollowsDefault),
  ]);
  return { ciliumNetworkPolicies, ciliumClusterWideNetworkPolicies, networkPolicies };
}

/** By `namespace/name`, in that order; those in no namespace as `/name`. */
async function byName(
  policies: AsyncIterable<KubeObject>,
  follows: (policy: KubeObject) => boolean,
): Promise<Record<string, boolean>> {
  const found: [string, boolean][] = [];
  for await (const policy of policies) {
    found.push([`${policy.metadata.namespace ?? ''}/${policy.metadata.name}`, follows(policy)]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutEmpty(inspection: PolicyInspection): Partial<PolicyInspection> {
  return Object.fromEntries(Object.entries(inspection).filter(([, policies = {}]) => Object.keys(policies).length > 0));
}
