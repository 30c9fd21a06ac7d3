import type { Step } from '../mesh/plan.ts';
import { countActions } from './plan-data.ts';
import { summariseActions } from './plan-view.ts';
import type { Theme } from './theme.ts';

/** What connect shows. */
export interface ConnectedClusters {
  clusters: readonly { context: string; name: string; endpoints: readonly string[] }[];
  steps: readonly Pick<Step, 'action'>[];
}

/** The result of `clustermesh connect`. */
export function connectText({ clusters, steps }: ConnectedClusters, theme: Theme): string {
  const names = clusters.map(({ name }) => theme.bold(name)).join(' and ');
  return [
    `✅ Connected ${names}`,
    ...clusters.map(({ name, endpoints }) => `  • ${theme.bold(name)} is dialled at ${endpoints.join(', ')}`),
    `  • Objects: ${summariseActions(countActions(steps), theme)}`,
  ].join('\n');
}
