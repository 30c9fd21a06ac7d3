import type { Step } from '../mesh/plan.ts';
import { countActions } from './plan-data.ts';
import { summariseActions } from './plan-view.ts';
import type { Theme } from './theme.ts';

/** What one cluster's enable shows. */
export interface EnabledCluster {
  context: string;
  cluster: { name: string; id: number };
  service: { type: string; evidence: readonly string[]; endpoints: readonly string[] };
  kvstoremesh: boolean;
  steps: readonly Pick<Step, 'action'>[];
}

/** The result of `clustermesh enable`, a paragraph for each cluster. */
export function enableText(clusters: readonly EnabledCluster[], theme: Theme): string {
  return clusters
    .map(({ context, cluster, service, kvstoremesh, steps }) =>
      [
        `✅ Cluster Mesh is enabled in ${theme.bold(cluster.name)} (context ${context}, id ${cluster.id})`,
        `  • Service: ${service.type}, ${service.endpoints.join(', ') || 'no address'} ${theme.dim(`(${service.evidence.join('; ')})`)}`,
        `  • KVStoreMesh: ${kvstoremesh ? 'on' : 'off'}`,
        `  • Objects: ${summariseActions(countActions(steps), theme)}`,
      ].join('\n'),
    )
    .join('\n');
}
