import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What disable shows. */
export interface DisabledCluster {
  context: string;
  name: string;
  steps: readonly CountedStep[];
  /** Whether it was seen that its peers have forgotten it, as far as that was to be looked at. */
  verified: boolean;
}

/** The result of `clustermesh disable`. */
export function disableText({ context, name, steps, verified }: DisabledCluster, theme: Theme): string {
  const counts = countActions(steps);
  if (counts.delete + counts.update === 0) {
    return `Cluster Mesh is not enabled in ${theme.bold(name)} (context ${context}) by meshctl: there is nothing to remove`;
  }
  const says = `Cluster Mesh is disabled in ${theme.bold(name)} (context ${context})`;
  return [
    verified ? `✅ ${says}` : `⚠️  ${says}, but that it is forgotten everywhere could not be verified`,
    `  • Objects: ${summariseActions(counts, theme)}`,
  ].join('\n');
}
