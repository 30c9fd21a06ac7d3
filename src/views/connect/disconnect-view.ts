import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What disconnect shows. */
export interface PartedClusters {
  parted: readonly { from: string; to: string }[];
  steps: readonly CountedStep[];
  /** Whether it was seen to have taken effect, as far as that was to be looked at. */
  verified: boolean;
}

/** The result of `clustermesh disconnect`. */
export function disconnectText({ parted, steps, verified }: PartedClusters, theme: Theme): string {
  const counts = countActions(steps);
  const unseen = 'that it has taken effect everywhere could not be verified';
  if (counts.keep === steps.length) {
    return verified ? '✅ Nothing to do: they are not connected' : `⚠️  Nothing left to take out, but ${unseen}`;
  }
  const objects = `  • Objects: ${summariseActions(counts, theme)}`;
  const both = ({ from, to }: PartedClusters['parted'][number]) =>
    parted.some((other) => other.from === to && other.to === from);
  const lines = parted
    .filter((dial) => !both(dial) || dial.from < dial.to)
    .map((dial) =>
      both(dial)
        ? `  • ${theme.bold(dial.from)} and ${theme.bold(dial.to)}`
        : `  • ${theme.bold(dial.from)} does not dial ${theme.bold(dial.to)} any more`,
    );
  return [verified ? '✅ Disconnected' : `⚠️  Disconnected, but ${unseen}`, ...lines, objects].join('\n');
}
