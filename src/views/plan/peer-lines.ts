import { enumerated } from '../../mesh/counted.ts';
import { foldAlike } from '../../mesh/pairs.ts';
import { endangeredEffects, type PeerEffect, type PeerOutcome } from '../../mesh/plan/peer-effects.ts';
import { hintLines } from '../hint-lines.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';

const PEER_MARKS: Readonly<Record<PeerOutcome, (theme: Theme) => string>> = {
  kept: (theme) => theme.dim('='),
  restored: (theme) => theme.ok('+'),
  moved: (theme) => theme.warn('~'),
  lost: (theme) => theme.fail('✗'),
  cut: (theme) => theme.fail('✗'),
  unknown: (theme) => theme.warn('?'),
};

const PEER_WORDS: Readonly<Record<PeerOutcome, string>> = {
  kept: 'stays connected',
  restored: 'can connect again',
  moved: 'reconnects',
  lost: 'may stay cut off',
  cut: 'is cut off until it is connected again',
  unknown: 'may be cut off',
};

const SEVERAL_WORDS: Readonly<Record<PeerOutcome, string>> = {
  kept: 'stay connected',
  restored: 'can connect again',
  moved: 'reconnect',
  lost: 'may stay cut off',
  cut: 'are cut off until they are connected again',
  unknown: 'may be cut off',
};

/** What becomes of one connection, as a sentence: `peer mesh-2 may be cut off: why`. */
export function peerSentence(effect: PeerEffect): string {
  const { peer, becomes, why } = printable(effect);
  return `peer ${peer} ${PEER_WORDS[becomes]}${why ? `: ${why}` : ''}`;
}

/** Who several peers are in one word; undefined where they are to be named. */
export type PeersInOneWord = (peers: readonly string[]) => string | undefined;

/** The same of several that have it alike, with the mark of what becomes of them. @param why where it is said with them */
export function peersLine(
  peers: readonly string[],
  becomes: PeerOutcome,
  why: string,
  theme: Theme,
  inOneWord: PeersInOneWord = () => undefined,
): string {
  const word = inOneWord(peers);
  const says = peers.length === 1 || word !== undefined ? PEER_WORDS[becomes] : SEVERAL_WORDS[becomes];
  const who = word ?? `peer${peers.length === 1 ? '' : 's'} ${enumerated(peers)}`;
  const line = `${who} ${says}${why ? `: ${why}` : ''}`;
  return `  ${PEER_MARKS[becomes](theme)} ${becomes === 'kept' ? theme.dim(line) : line}`;
}

/** Which peers are cut off, or may be, with what brings each back: a line each, for whoever is not shown the plan. */
export function cutSentences(effects: readonly PeerEffect[]): string[] {
  return endangeredEffects(effects).map((effect) => {
    const { cluster, mend } = effect;
    return `${cluster}: ${peerSentence(effect)}${mend === undefined ? '' : ` → ${mend}`}`;
  });
}

/** What becomes of connections, for people: those that have the same become of them, for the same reason, as one from three on. */
export function peerLines(effects: readonly PeerEffect[], theme: Theme, inOneWord?: PeersInOneWord): string[] {
  const told = foldAlike(printable(effects), ({ becomes, why }) => JSON.stringify([becomes, why]));
  return told.flatMap((same) =>
    same.slice(0, 1).flatMap(({ becomes, why }) => [
      peersLine(
        same.map(({ peer }) => peer),
        becomes,
        why,
        theme,
        inOneWord,
      ),
      ...[...new Set(same.flatMap(({ mend }) => mend ?? []))].flatMap((mend) => hintLines(mend, theme, 6, Infinity)),
    ]),
  );
}
