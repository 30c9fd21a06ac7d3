import type { CommandSpec } from '../commands/command-spec.ts';
import { flagNamesOf, optionsOf } from '../commands/options/shared-options.ts';

/**
 * A command line with the flags that stand before or between its command's words put behind these, as kubectl and helm let
 * one write it: `--context a clustermesh status` is `clustermesh status --context a`. Which of the next words a flag takes
 * along is known from the specs; one that no command has stays where it is, and is told of there.
 * @param aliases other names of groups, by the group
 */
export function withFlagsBehind(
  commands: readonly CommandSpec[],
  aliases: Readonly<Record<string, string>>,
  argv: readonly string[],
): string[] {
  // Of all flags of all commands only where one stands so.
  let takesValue: Map<string, boolean> | undefined;
  const path: string[] = [];
  const flags: string[] = [];
  let index = 0;
  while (index < argv.length && !commandNamed(commands, aliases, path)) {
    const word = argv[index] ?? '';
    if (HELP.includes(word)) break;
    if (!word.startsWith('-') || word === '-') {
      if (!leadsOn(commands, aliases, [...path, word])) break;
      path.push(word);
      index += 1;
      continue;
    }
    const [name = ''] = word.split('=');
    takesValue ??= valuesByFlag(commands);
    const taking = takesValue.get(name) ?? takesValue.get(word.slice(0, 2));
    if (taking === undefined) return [...argv];
    const apart = taking && takesValue.has(word);
    flags.push(...argv.slice(index, index + (apart ? 2 : 1)));
    index += apart ? 2 : 1;
  }
  const rest = argv.slice(index);
  if (commandNamed(commands, aliases, path)) return [...path, ...flags, ...rest];
  // Of a command that there is not, they are as well: of the one that was meant. Without a word they are of nothing.
  const isMistyped = rest[0] !== undefined && !rest[0].startsWith('-');
  return [...path, ...rest, ...(isMistyped ? flags : [])];
}

const HELP = ['-h', '--help', '-V', '--version', '--'];

/** Each flag, short and long, and whether the next word is its value; a value that may be left out is no word of its own. */
function valuesByFlag(commands: readonly CommandSpec[]): Map<string, boolean> {
  const entries = commands
    .flatMap(optionsOf)
    .flatMap((option) => flagNamesOf(option).map((name) => [name, option.flags.includes('<')] as const));
  return new Map(entries);
}

/** The words of a path by the groups' own names. */
export function withGroupNames(aliases: Readonly<Record<string, string>>, path: readonly string[]): string[] {
  const [first = '', ...others] = path;
  const group = Object.entries(aliases).find(([, alias]) => alias === first)?.[0];
  return path.length === 0 ? [] : [group ?? first, ...others];
}

/** The command that a command line begins with; undefined where its words name none. */
export function commandOf<C extends CommandSpec>(
  commands: readonly C[],
  aliases: Readonly<Record<string, string>>,
  argv: readonly string[],
): C | undefined {
  const ends = argv.map((_, index) => argv.slice(0, index + 1));
  return ends.flatMap((words) => commandNamed(commands, aliases, words) ?? [])[0];
}

function commandNamed<C extends CommandSpec>(
  commands: readonly C[],
  aliases: Readonly<Record<string, string>>,
  words: readonly string[],
): C | undefined {
  const path = withGroupNames(aliases, words).join(' ');
  return commands.find((command) => command.path.join(' ') === path);
}

/** Whether words are the beginning of some command's path. */
export function leadsOn(
  commands: readonly CommandSpec[],
  aliases: Readonly<Record<string, string>>,
  words: readonly string[],
) {
  const path = withGroupNames(aliases, words);
  return commands.some((command) => path.every((word, at) => command.path[at] === word));
}
