import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What disable shows. */
export interface DisabledCluster {
  context: string;
  name: string;
  steps: readonly CountedStep[];
}

/** The result of `clustermesh disable`. */
export function disableText({ context, name, steps }: DisabledCluster, theme: Theme): string {
  const counts = countActions(steps);
  if (counts.delete + counts.update === 0) {
    return `Cluster Mesh is not enabled in ${theme.bold(name)} (context ${context}) by meshctl: there is nothing to remove`;
  }
  return [
    `✅ Cluster Mesh is disabled in ${theme.bold(name)} (context ${context})`,
    `  • Objects: ${summariseActions(counts, theme)}`,
  ].join('\n');
}
