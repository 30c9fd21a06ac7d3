import type { CommandSpec } from '../commands/command-spec.ts';

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
 */
export function ownWords(
  { path, options = [] }: Pick<CommandSpec, 'path'> & Partial<Pick<CommandSpec, 'options'>>,
  argv: readonly string[],
): string[] {
  // Where Cilium's namespace has a flag of its own, this one says what is done.
  const isApart = options.some(({ flags }) => flags.startsWith('--cilium-namespace'));
  const isOwn = (flag: string) => isApart && (flag === '-n' || flag === '--namespace');
  const words: string[] = [];
  // A group may have been called by another name: as many words, none of which is a flag.
  let named = 0;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    const [flag = ''] = word.split('=');
    if (!word.startsWith('-') && named < path.length) named += 1;
    else if (BARE.includes(flag) || (isApart ? /^-o./ : /^-[no]./).test(word)) continue;
    else if (WITH_VALUE.includes(flag) && !isOwn(flag)) index += word.includes('=') ? 0 : 1;
    else words.push(word);
  }
  return words;
}
