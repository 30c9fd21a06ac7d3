import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What disconnect shows. */
export interface PartedClusters {
  parted: readonly { from: string; to: string }[];
  steps: readonly CountedStep[];
  /** Whether it was seen to have taken effect, as far as that was to be looked at. */
  verified: boolean;
  /** Whether that was to be looked at. */
  looked: boolean;
  /** Contexts of clusters that were told nothing. */
  unreached: readonly string[];
  /** Names of peers that nobody told: they may go on dialling. */
  untold: readonly string[];
}

/** The result of `clustermesh disconnect`. */
export function disconnectText(
  { parted, steps, verified, looked, unreached, untold }: PartedClusters,
  theme: Theme,
): string {
  const counts = countActions(steps);
  const silent = unreached.map((context) => `"${context}"`).join(', ');
  const missed = `nothing changed in context${unreached.length === 1 ? '' : 's'} ${silent}, which did not answer`;
  const unseen = 'this could not be verified everywhere';
  const doubts = [...(verified ? [] : [unseen]), ...(unreached.length > 0 ? [missed] : [])];
  if (counts.keep === steps.length) {
    if (doubts.length > 0) return `⚠️  Nothing left to take out, but ${doubts.join('; ')}`;
    return `✅ Nothing to do: ${looked ? 'they are not connected' : 'nothing is left to take out'}`;
  }
  const objects = `  • Objects: ${summariseActions(counts, theme)}`;
  const both = ({ from, to }: PartedClusters['parted'][number]) =>
    parted.some((other) => other.from === to && other.to === from);
  const lines = parted
    .filter((dial) => !both(dial) || dial.from < dial.to)
    .map((dial) =>
      both(dial)
        ? `  • ${theme.bold(dial.from)} and ${theme.bold(dial.to)}`
        : untold.includes(dial.from)
          ? `  • ${theme.bold(dial.to)} does not let ${theme.bold(dial.from)} in any more`
          : `  • ${theme.bold(dial.from)} does not dial ${theme.bold(dial.to)} any more`,
    );
  const head = doubts.length === 0 ? '✅ Disconnected' : `⚠️  Disconnected, but ${doubts.join('; ')}`;
  return [head, ...lines, objects].join('\n');
}
