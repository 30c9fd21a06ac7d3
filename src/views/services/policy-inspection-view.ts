import type { Theme } from '../theme.ts';

/** By `namespace/name`: whether the policy changes its meaning with policy-default-local-cluster. Keys as in cilium-cli. */
export interface PolicyInspection {
  ciliumNetworkPolicies: Readonly<Record<string, boolean>>;
  /** Absent where one namespace was asked about: they are in none, and were not read. */
  ciliumClusterWideNetworkPolicies?: Readonly<Record<string, boolean>> | undefined;
  networkPolicies: Readonly<Record<string, boolean>>;
}

/** For each kind how many policies stay as they are, and which. */
export function policyInspectionText(inspection: PolicyInspection, theme: Theme): string {
  const { ciliumClusterWideNetworkPolicies: clusterWide } = inspection;
  return [
    ...kindLines('CiliumNetworkPolicy', inspection.ciliumNetworkPolicies, theme),
    ...(clusterWide
      ? kindLines('CiliumClusterwideNetworkPolicy', clusterWide, theme)
      : [theme.dim('CiliumClusterwideNetworkPolicy: in no namespace, so only read with -A')]),
    ...kindLines('NetworkPolicy', inspection.networkPolicies, theme),
  ].join('\n');
}

function kindLines(kind: string, policies: Readonly<Record<string, boolean>>, theme: Theme): string[] {
  const all = Object.entries(policies);
  const affected = all.filter(([, changes]) => changes).length;
  const mark = (changes: boolean) => (changes ? '⚠️ ' : '✅');
  return [
    all.length === 0
      ? `${theme.bold(kind)}: none`
      : `${mark(affected > 0)} ${theme.bold(kind)}: ${affected} of ${all.length} would mean something else with policy-default-local-cluster`,
    ...all.map(
      ([name, changes]) => `  ${mark(changes)} ${name}${changes ? ': has a selector that names no cluster' : ''}`,
    ),
  ];
}
