import type { CommandSpec } from '../commands/command-spec.ts';
import { likeness } from '../commands/options/option-values.ts';
import { meshctlCommand, shellWord } from '../mesh/command-line.ts';
import { probablyMeant } from '../mesh/nearest.ts';
import { commandOf, withGroupNames } from './flags-first.ts';
import { takesWords } from './misplaced-words.ts';

/** Less alike than this, and not merely mistyped, a word is another one: `hubble` is no `enable`. */
const LEAST_LIKENESS = 0.5;
const MOST_SUGGESTIONS = 3;

/** What operators call commands that have other names here, in a group or in any; of several the first that takes the words. */
const OTHER_NAMES: readonly { group?: string; word: string; meant: readonly string[] }[] = [
  { word: 'renew', meant: ['rotate'] },
  { group: 'service', word: 'enable', meant: ['global'] },
  { group: 'service', word: 'status', meant: ['list', 'describe'] },
];

/**
 * What was meant by a command line whose command is not there: the same word in another group (`status`), a word too few
 * (`clustermesh rotate`), or one that was mistyped, with all that follows it.
 * @returns whole command lines, the likeliest ones; empty where nothing is alike
 */
export function suggestCommands(
  commands: readonly CommandSpec[],
  aliases: Readonly<Record<string, string>>,
  argv: readonly string[],
): string[] {
  const paths = [...new Set(commands.flatMap(({ path }) => path.map((_, end) => path.slice(0, end + 1).join(' '))))];
  const lines = withOwnNames(withGroupNames(aliases, argv));
  const whole = lines.find((line) => isWhole(commands, line));
  if (whole) return [['meshctl', ...whole.map(shellWord)].join(' ')];
  const [typed = []] = lines;
  const isPath = (words: readonly string[]) => paths.includes(words.join(' '));
  let known = 0;
  while (known < typed.length && isPath(typed.slice(0, known + 1))) known += 1;
  const group = typed.slice(0, known).join(' ');
  const rest = typed.slice(known);
  const isElsewhere = (path: string) => group !== '' && !path.startsWith(`${group} `);
  const candidates = paths.map((path) => {
    const words = path.split(' ');
    // `certs rotate` for `clustermesh certs rotate`: as many words as fit.
    const count = [2, 1].find((length) => words.slice(-length).join(' ') === rest.slice(0, length).join(' ')) ?? 0;
    const same = group === '' || path.startsWith(`${group} `) ? 1 : 0;
    const [word = '', last = ''] = [rest[0], words.at(-1)];
    const near = likeness(word, last);
    const isNear = !isElsewhere(path) && (near >= LEAST_LIKENESS || probablyMeant(word, [last]) !== undefined);
    const after = rest.slice(Math.max(count, 1));
    const command = commands.find((one) => one.path.join(' ') === path);
    // Of another group, where what follows is not for it, it is not what was meant.
    const isOther = isElsewhere(path) && command !== undefined && !takesWords(command, after);
    const score = isOther ? 0 : count > 0 ? 1 + count + same : isNear ? near + same : 0;
    return { path, score, after };
  });
  const best = Math.max(...candidates.map(({ score }) => score));
  if (best === 0) return [];
  return candidates
    .filter(({ score }) => score === best)
    .slice(0, MOST_SUGGESTIONS)
    .map(({ path, after }) => meshctlCommand(path, {}, after));
}

/** A command line by meshctl's own names, one for each that may be meant; as it is where it has none of {@link OTHER_NAMES}. */
function withOwnNames(typed: readonly string[]): string[][] {
  const end = typed.findIndex((word) => word.startsWith('-'));
  const words = end < 0 ? typed : typed.slice(0, end);
  for (const [at, word] of words.entries()) {
    const known = OTHER_NAMES.find((one) => one.word === word && (one.group ?? words[at - 1]) === words[at - 1]);
    if (known) return known.meant.map((meant) => [...typed.slice(0, at), meant, ...typed.slice(at + 1)]);
  }
  return [[...typed]];
}

function isWhole(commands: readonly CommandSpec[], line: readonly string[]): boolean {
  const command = commandOf(commands, {}, line);
  return command !== undefined && takesWords(command, line.slice(command.path.length));
}
