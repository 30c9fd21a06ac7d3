import { meshctlCommand } from '../../mesh/command-line.ts';
import { hintLines } from '../hint-lines.ts';
import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What the last message leads to. */
export interface JoinedCluster {
  context: string;
  cluster: { name: string };
  peer: { name: string; endpoints: readonly string[] };
  user: string;
  steps: readonly CountedStep[];
  unproved: readonly string[];
}

/** The result of `clustermesh accept`. */
export function acceptText({ context, cluster, peer, user, steps, unproved }: JoinedCluster, theme: Theme): string {
  const names = `${theme.bold(cluster.name)} and ${theme.bold(peer.name)}`;
  return [
    unproved.length === 0 ? `✅ Connected ${names}` : `⚠️  Joined ${names}; not all of it was proved`,
    `  • ${theme.bold(peer.name)} is dialled at ${peer.endpoints.join(', ')}, as ${user}`,
    `  • Objects: ${summariseActions(countActions(steps), theme)}`,
    ...unproved.map((words) => `  • ${words}`),
    ...hintLines(`See both directions: ${meshctlCommand('clustermesh status', { context }, ['--wait'])}`, theme, 2),
  ].join('\n');
}
