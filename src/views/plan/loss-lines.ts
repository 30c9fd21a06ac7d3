import { groupBy } from '../../mesh/pairs.ts';
import { alikeHazards, type Hazard } from '../../mesh/plan/agreement.ts';
import type { PeerEffect, PeerOutcome } from '../../mesh/plan/peer-effects.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import { allOthers, type PlanNames } from './fold-peers.ts';
import { peersLine } from './peer-lines.ts';

/** What a plan takes from anybody. */
interface PlanLosses {
  effects?: readonly PeerEffect[];
  hazards?: readonly Hazard[];
  /** Names of the clusters, where many of them are told as one. */
  names?: PlanNames | undefined;
}

/** So many lines above a question are on the screen with it, be it as low as 24 rows, with what stands around it. */
const ON_SCREEN = 12;
const ENDING: readonly PeerOutcome[] = ['cut', 'unknown', 'lost'];

/** How a hazard is marked in a plan. */
export function hazardLine(says: string, theme: Theme): string {
  return `  ${theme.warn('!')} ${printable(says)}`;
}

/**
 * What comes of a plan, each thing once, for below its blocks: whoever is asked sees the end of a long plan, and not what stands between
 * its steps. Nothing where all of it is near the end.
 * @param blocks the lines of the plan so far
 */
export function lossLines(
  blocks: readonly string[],
  { effects = [], hazards = [], names = new Map() }: PlanLosses,
  theme: Theme,
): string[] {
  const ending = effects.filter(({ becomes }) => ENDING.includes(becomes));
  if (blocks.length <= ON_SCREEN || ending.length + hazards.length === 0) return [];
  const marks = [theme.warn('!'), theme.warn('?'), theme.fail('✗')].map((mark) => `  ${mark} `);
  const first = blocks.findIndex((line) => marks.some((mark) => line.startsWith(mark)));
  if (first < 0 || first >= blocks.length - ON_SCREEN) return [];
  return ['What comes of it, in short:', ...endingLines(ending, names, theme), ...hazardLines(hazards, theme)];
}

/** For which clusters the same peers are cut off, or may be; why, and what brings each back, is said with the cluster. */
function endingLines(effects: readonly PeerEffect[], names: PlanNames, theme: Theme): string[] {
  const ofClusters = [
    ...groupBy(printable(effects), ({ cluster, becomes }) => JSON.stringify([cluster, becomes])).values(),
  ];
  const peersOf = (of: readonly PeerEffect[]) => of.map(({ peer }) => peer);
  const inOneWord = (of: readonly PeerEffect[]) => allOthers(names, of[0]?.cluster ?? '', peersOf(of));
  const alike = groupBy(ofClusters, (of) => JSON.stringify([of[0]?.becomes, inOneWord(of) ?? peersOf(of)]));
  return ENDING.flatMap((outcome) =>
    [...alike.values()].flatMap((same) => {
      const [first = []] = same;
      if (first[0]?.becomes !== outcome) return [];
      const clusters = same.flatMap((of) => of[0]?.cluster ?? []);
      return [`${peersLine(peersOf(first), outcome, '', theme, () => inOneWord(first))} ${contextWords(clusters)}`];
    }),
  );
}

function hazardLines(hazards: readonly Hazard[], theme: Theme): string[] {
  return [...groupBy(alikeHazards(hazards), ({ says }) => says)].map(([says, of]) => {
    const clusters = [...new Set(of.flatMap((one) => one.clusters))];
    // Whom it befalls is said by most; its context often has that name.
    const isSaid = clusters.every((cluster) => says.includes(cluster));
    return `${hazardLine(says, theme)}${isSaid ? '' : ` ${contextWords(printable(clusters))}`}`;
  });
}

function contextWords(contexts: readonly string[]): string {
  return `(context${contexts.length === 1 ? '' : 's'} ${contexts.join(', ')})`;
}
