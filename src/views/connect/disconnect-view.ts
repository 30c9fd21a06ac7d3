import { hintLines, splitNote } from '../hint-lines.ts';
import { type CountedStep, countActions } from '../plan/plan-data.ts';
import { summariseActions } from '../plan/plan-view.ts';
import type { Theme } from '../theme.ts';

/** What disconnect shows. */
export interface PartedClusters {
  /** Dials that their client has forgotten. */
  ended: readonly Dial[];
  /** Dials of clusters that nobody told: they are let in no more. */
  shutOut: readonly Dial[];
  /** What goes on at those, with what ends it there. */
  standing: readonly string[];
  steps: readonly CountedStep[];
  /** Whether it was seen to have taken effect, as far as that was to be looked at. */
  verified: boolean;
  /** Whether that was to be looked at. */
  looked: boolean;
  /** Contexts of clusters that were told nothing. */
  unreached: readonly string[];
}

interface Dial {
  from: string;
  to: string;
}

/** The result of `clustermesh disconnect`. */
export function disconnectText(
  { ended, shutOut, standing, steps, verified, looked, unreached }: PartedClusters,
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
  const left = standing.flatMap((words) => {
    const { says, next = '' } = splitNote(words);
    return [`  • ${says}`, ...hintLines(next, theme, 4)];
  });
  const done = standing.length > 0 && unreached.length === 0 ? 'Disconnected on one side' : 'Disconnected';
  const head = doubts.length === 0 ? `✅ ${done}` : `⚠️  ${done}, but ${doubts.join('; ')}`;
  const objects = `  • Objects: ${summariseActions(counts, theme)}`;
  return [head, ...partedLines(ended, shutOut, theme), ...left, objects].join('\n');
}

/** What has become of each pair, by who was told: clusters to which nothing was written are not said to have forgotten anybody. */
export function partedLines(ended: readonly Dial[], shutOut: readonly Dial[], theme: Theme): string[] {
  const hasBack = (dials: readonly Dial[], { from, to }: Dial) =>
    dials.some((other) => other.from === to && other.to === from);
  const lines = ended
    .filter((dial) => !hasBack(ended, dial) || dial.from < dial.to)
    .map((dial) => {
      const [from, to] = [theme.bold(dial.from), theme.bold(dial.to)];
      if (hasBack(ended, dial)) return `${from} and ${to}`;
      return hasBack(shutOut, dial)
        ? `${from} neither dials ${to} any more nor lets it in`
        : `${from} does not dial ${to} any more`;
    });
  const only = shutOut
    .filter((dial) => !hasBack(ended, dial))
    .map(({ from, to }) => `${theme.bold(to)} does not let ${theme.bold(from)} in any more`);
  return [...lines, ...only].map((line) => `  • ${line}`);
}
