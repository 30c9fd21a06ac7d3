import type { CommandSpec } from '../commands/command-spec.ts';
import { flagNameOf, optionsOf } from '../commands/options/shared-options.ts';
import { everyPairFlag, meshctlCommand } from '../mesh/command-line.ts';

/**
 * The command line that was meant where words stand without the flag that they belong to: `diff mesh.yaml` for a file,
 * `connect a b` for contexts.
 * @param argv begins with the command's words
 * @returns undefined where no flag is the likely one, and for commands that take words of their own
 */
export function withFlagsForWords(command: CommandSpec | undefined, argv: readonly string[]): string | undefined {
  if (!command || command.arguments) return undefined;
  const { path } = command;
  const options = optionsOf(command);
  const names = options.map(flagNameOf);
  const [flags, words] = partsOf(options, argv.slice(path.length));
  // A variable that is not set: it names no cluster, wherever it stands.
  if (words.includes('')) return undefined;
  const isGiven = (name: string) => flags.some((flag) => flag === name || flag.startsWith(`${name}=`));
  const line = (...added: string[]) => meshctlCommand(path.join(' '), {}, [...added, ...flags]);
  if (names.includes('--filename')) return line(...words.flatMap((word) => ['-f', word]));
  const several = withListsJoined(options, argv.slice(path.length));
  if (several) return meshctlCommand(path.join(' '), {}, several);
  if (path[0] !== 'clustermesh' && path[0] !== 'connectivity') return undefined;
  if (!names.includes('--context') || isGiven('--all')) return undefined;
  if (!names.includes('--destination-context')) {
    return isGiven('--context') ? undefined : line('--context', words.join(','));
  }
  const [first = '', ...others] = words;
  if (isGiven('--destination-context')) return undefined;
  // Contexts that are only listed are to be connected with each other, and to be parted no more than has to be.
  const mode = (count: number) =>
    path.at(-1) === 'connect' && !isGiven('--connection-mode') ? everyPairFlag(count) : [];
  if (isGiven('--context')) return line('--destination-context', words.join(','), ...mode(words.length + 1));
  if (others.length === 0) return undefined;
  return line('--context', first, '--destination-context', others.join(','), ...mode(words.length));
}

/**
 * What to type instead of `--destination-context` where a command takes all clusters by one `--context a,b`.
 * @returns as a hint; undefined for every other flag, and for commands that take one cluster
 */
export function withOneContextFlag(
  command: CommandSpec | undefined,
  unknown: string,
  argv: readonly string[],
): string | undefined {
  const [flag] = unknown.split('=');
  const takesSeveral = command?.options.some(
    (option) => flagNameOf(option) === '--context' && option.repeatable === 'lists',
  );
  if (!command || flag !== '--destination-context' || !takesSeveral) return undefined;
  const { path } = command;
  const contexts: string[] = [];
  const others: string[] = [];
  const words = argv.slice(path.length);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [name = '', value] = word.split('=');
    if (!['--context', '--destination-context'].includes(name)) others.push(word);
    else contexts.push(value ?? words[++index] ?? '');
  }
  const isGiven = words.some((word) => /^--context(=|$)/.test(word));
  if (!isGiven) return `Name all clusters by one flag, e.g. --context a,${contexts.join(',')}.`;
  return `Did you mean: ${meshctlCommand(path.join(' '), {}, ['--context', contexts.join(','), ...others])}`;
}

/**
 * `--context a b` as `--context a,b`, of every flag that takes a list.
 * @param argv without the command's words
 * @returns undefined where a word follows no such list
 */
function withListsJoined(options: ReturnType<typeof optionsOf>, argv: readonly string[]): string[] | undefined {
  const taking = takingValue(options);
  const lists = takingValue(options.filter(({ repeatable }) => repeatable === 'lists'));
  const words: string[] = [];
  let isInList = false;
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!word.startsWith('-') || word === '-') {
      if (!isInList) return undefined;
      // `--context a, b`: the first word ends with the comma.
      words.push([words.pop(), word].map((part) => part?.replace(/,$/, '')).join(','));
      continue;
    }
    const [name = '', value] = word.split('=');
    isInList = lists.has(name);
    words.push(...(isInList && value !== undefined ? [name, value] : [word]));
    if (value === undefined && taking.has(word)) words.push(...argv.slice(++index, index + 1));
  }
  return words;
}

/**
 * Whether a command takes the words that follow it, apart from its flags.
 * @param after what stands behind the command's own words
 */
export function takesWords(command: CommandSpec, after: readonly string[]): boolean {
  const [, words] = partsOf(optionsOf(command), after);
  const taken = command.arguments ?? [];
  return words.length <= taken.length && words.length >= taken.filter(({ optional }) => !optional).length;
}

/** Flags with their values, and all other words. */
function partsOf(options: ReturnType<typeof optionsOf>, argv: readonly string[]): [flags: string[], words: string[]] {
  const taking = takingValue(options);
  const flags: string[] = [];
  const words: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!word.startsWith('-') || word === '-') words.push(word);
    else if (taking.has(word)) flags.push(word, ...argv.slice(++index, index + 1));
    else flags.push(word);
  }
  return [flags, words];
}

/** The spellings of flags that take a value. */
function takingValue(options: ReturnType<typeof optionsOf>): ReadonlySet<string> {
  return new Set(
    options
      .filter(({ flags }) => flags.includes('<'))
      .flatMap(({ flags }) => flags.match(/(?<![\w-])--?[a-zA-Z][a-z-]*/g) ?? []),
  );
}
