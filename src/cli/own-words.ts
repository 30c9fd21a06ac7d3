import type { CommandSpec, OptionSpec } from '../commands/command-spec.ts';
import { flagNamesOf } from '../commands/options/shared-options.ts';

/** Flags with a value by which a run reaches its clusters, or is shown: not part of what it does. */
const WITH_VALUE = [
  '--kubeconfig',
  '-n',
  '--namespace',
  '--cilium-namespace',
  '--as',
  '--as-group',
  '--request-timeout',
  '-o',
  '--output',
  '--color',
];
const BARE = ['--debug', '-v', '-vv', '--verbose', '-q', '--quiet'];

/**
 * The words of a command line that say what is done: without the command itself, and without the flags that every hint
 * gets by itself, or that are about this one run's output.
 * @param without further flags of the command that are left out, with their values; by one of their names
 */
export function ownWords(
  { path, options = [] }: Pick<CommandSpec, 'path'> & Partial<Pick<CommandSpec, 'options'>>,
  argv: readonly string[],
  without: readonly string[] = [],
): string[] {
  const leftOut = options.filter((option) => flagNamesOf(option).some((name) => without.includes(name)));
  // Where Cilium's namespace has a flag of its own, this one says what is done.
  const isApart = options.some(({ flags }) => flags.startsWith('--cilium-namespace'));
  const isOwn = (flag: string) => isApart && (flag === '-n' || flag === '--namespace');
  const words: string[] = [];
  // A group may have been called by another name: as many words, none of which is a flag.
  let named = 0;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    const [flag = ''] = word.split('=');
    const left = leftOut.find((option) => flagNamesOf(option).includes(flag));
    if (!word.startsWith('-') && named < path.length) named += 1;
    else if (left) index += !word.includes('=') && takes(left, argv[index + 1]) ? 1 : 0;
    else if (BARE.includes(flag) || (isApart ? /^-o./ : /^-[no]./).test(word)) continue;
    else if (WITH_VALUE.includes(flag) && !isOwn(flag)) index += word.includes('=') ? 0 : 1;
    else words.push(word);
  }
  return words;
}

/** Whether the word that follows a flag is its value; one that may be left out is none where a flag follows. */
function takes({ flags }: OptionSpec, next: string | undefined): boolean {
  return flags.includes('<') || (flags.includes('[') && next !== undefined && !next.startsWith('-'));
}
