import { kubectlCommand } from '../command-line.ts';
import type { MeshService } from './services.ts';
import type { ServiceWarning, ServiceWarningId } from './services-warnings.ts';

/** In what the clusters' definitions of a Service differ, so that backends are not used which people expect to be. */
const DIFFERENCES = ['ports-differ', 'port-numbers-differ', 'families-differ', 'selectors-differ'] as const;

export type DifferenceId = (typeof DIFFERENCES)[number];

/** Whether a warning is one of them: these need no backends to be known, so a write can tell what it leads to. */
export function isDifference(warning: ServiceWarning): warning is ServiceWarning & { id: DifferenceId } {
  return (DIFFERENCES as readonly ServiceWarningId[]).includes(warning.id);
}

/** The words for a difference: a clause whose subject is the Service, and what mends it, where something does. */
export function differenceWords(
  { id, values = {}, able }: ServiceWarning & { id: DifferenceId },
  service: MeshService,
): { message: string; hint?: string } {
  switch (id) {
    case 'ports-differ':
      return {
        message: `the clusters' ports differ: ${byCluster(values, 'none')}; what another cluster has behind a port of another name or protocol is not used`,
        hint: 'Give the ports the same names and protocols in each cluster.',
      };
    case 'port-numbers-differ':
      return {
        message: `the clusters' port numbers differ: ${byCluster(values)}; each cluster's pods ask for its own number`,
      };
    case 'selectors-differ':
      return { message: `the clusters' selectors differ: ${byCluster(values, 'none')}` };
    case 'families-differ': {
      const ofOne = Object.entries(values).flatMap(([cluster, families]) => (families.includes(',') ? [] : [cluster]));
      const both = ofOne.filter((cluster) => able?.includes(cluster) ?? true);
      const patch = patchIn(service, both, { ipFamilyPolicy: 'PreferDualStack' });
      return {
        message: `its addresses are of other families in other clusters, and backends are used over their own family only: ${byCluster(values)}`,
        ...(both.length > 0 ? { hint: `In clusters that have both families, give it both: ${patch}` } : {}),
      };
    }
  }
}

/** Whether two clusters have no family of a Service's addresses in common: neither uses a backend of the other. */
export function hasApart({ id, values = {} }: ServiceWarning): boolean {
  const all = Object.values(values).map((families) => families.split(', '));
  return id === 'families-differ' && all.some((one) => all.some((other) => !one.some((each) => other.includes(each))));
}

/** The commands that change a Service's spec in some of the clusters. */
export function patchIn({ namespace, name, clusters }: MeshService, those: readonly string[], spec: object): string {
  const patch = JSON.stringify({ spec });
  return clusters
    .filter(({ cluster }) => those.includes(cluster))
    .map(({ context }) => kubectlCommand({ context, namespace }, ['patch', 'service', name, '--patch', patch]))
    .join(' && ');
}

/** Values as a clause: `mesh-1 (IPv4), mesh-2 (IPv6)`. @param empty in place of a value that is none */
export function byCluster(values: Readonly<Record<string, string>>, empty = '-'): string {
  return Object.entries(values)
    .map(([cluster, value]) => `${cluster} (${value || empty})`)
    .join(', ');
}
