import type { CommandSpec, OptionSpec } from '../commands/command-spec.ts';
import { flagNameOf, flagNamesOf, HELP_FLAG, optionsOf } from '../commands/options/shared-options.ts';
import { MeshctlError } from '../mesh/errors.ts';

/**
 * The flags of a command line as its command's spec has them: `--wait=false` and `--all=true`, as programs in Go take
 * switches, `-o=json` as they take the value of a letter, `-v=2` as they count, and the other names of flags (`--timeout`).
 * @param argv begins with the command's words
 */
export function inOwnSpelling(command: CommandSpec | undefined, argv: readonly string[]): string[] {
  if (!command) return [...argv];
  const options = [...optionsOf(command), HELP_FLAG];
  return shortsApart(options, argv, (word) => respelt(options, inFull(options, word)));
}

/** The same for a line that names no command: its letters apart, as far as some command has them. */
export function withShortsApart(commands: readonly CommandSpec[], argv: readonly string[]): string[] {
  const options = commands.flatMap(optionsOf);
  return shortsApart(options, argv, (word) => [inFull(options, word)]);
}

/** Several flags of one letter in one word, as `-qo json` and `-qojson`, each by itself. What follows `--` stays as it is. */
function shortsApart(
  options: readonly OptionSpec[],
  argv: readonly string[],
  read: (word: string) => string[],
): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const takesNext = (word: string | undefined) =>
    options.some((option) => option.flags.includes('<') && flagNamesOf(option).includes(word ?? ''));
  return argv.flatMap((word, index) => {
    if (index >= end) return [word];
    return takesNext(argv[index - 1]) ? read(word) : lettersOf(options, word).flatMap(read);
  });
}

function lettersOf(options: readonly OptionSpec[], word: string): string[] {
  if (!/^-[A-Za-z][^=]/.test(word)) return [word];
  const apart: string[] = [];
  for (let at = 1; at < word.length; at++) {
    const meant = options.find((option) => flagNamesOf(option).includes(`-${word[at]}`));
    // Commander tells of it, by the word as it was typed.
    if (!meant) return [word];
    const value = word.slice(at + 1).replace(/^=/, '');
    if (/[<[]/.test(meant.flags) && value !== '') return [...apart, `${flagNameOf(meant)}=${value}`];
    apart.push(`-${word[at]}`);
  }
  return apart;
}

/** A flag of one letter that has its value behind `=`, by its name: the letter alone would take the `=` along. */
function inFull(options: readonly OptionSpec[], word: string): string {
  const [, letter = '', value = ''] = /^(-[A-Za-z])=(.*)$/s.exec(word) ?? [];
  const meant = options.find((option) => flagNamesOf(option).includes(letter));
  return meant ? `${flagNameOf(meant)}=${value}` : word;
}

function respelt(options: readonly OptionSpec[], word: string): string[] {
  if (!word.startsWith('--')) return [word];
  const [name = '', value] = split(word);
  const meant = options.find(({ also }) => also?.includes(name));
  if (meant) return [value === undefined ? String(flagNameOf(meant)) : `${flagNameOf(meant)}=${value}`];
  if (name === '--wait' && value !== 'false' && waitsAnyway(options)) return [];
  if (isCounted(options, name) && /^\d$/.test(value ?? '')) return Array.from({ length: Number(value) }, () => name);
  if (value !== 'true' && value !== 'false') return [word];
  const off = offOf(name);
  if (isSwitch(options, off)) return value === 'false' ? [off] : [];
  if (!isSwitch(options, name)) return [word];
  return value === 'true' ? [name] : [];
}

/** Whether a flag takes no value. */
function isSwitch(options: readonly OptionSpec[], flag: string): boolean {
  return options.some((option) => flagNameOf(option) === flag && !/[<[]/.test(option.flags));
}

/** Whether a flag counts how often it is given. */
function isCounted(options: readonly OptionSpec[], flag: string): boolean {
  return options.some((option) => option.counted && flagNameOf(option) === flag);
}

const offOf = (name: string): string => name.replace(/^--/, '--no-');

/** Why a switch does not take a value, and one that counts no other than a digit; undefined for every other flag. @param word as it was typed */
export function switchRefusal(command: CommandSpec | undefined, word: string): MeshctlError | undefined {
  const [name, value] = split(word);
  const options = [...(command ? optionsOf(command) : []), HELP_FLAG];
  if (value === undefined || ![name, offOf(name)].some((flag) => isSwitch(options, flag))) return undefined;
  if (isCounted(options, name)) {
    return new MeshctlError('Usage', `${name}: "${value}" is not a level from 0 to 9`, {
      hint: `Give ${name} once for each level, or as a number, e.g. ${name}=2.`,
    });
  }
  return new MeshctlError('Usage', `${name}: "${value}" is not one of true, false`, {
    hint: `Give ${name} alone, or ${name}=false.`,
  });
}

/** Whether a command waits for what it has done, so that nobody need ask for it, and nobody can do without. */
function waitsAnyway(options: readonly OptionSpec[]): boolean {
  const names = options.map(flagNameOf);
  return names.includes('--wait-duration') && !names.includes('--wait') && !names.includes('--no-wait');
}

/** Why a command does not know a flag by which it would not wait; undefined for every other flag. @param word as it was typed */
export function waitingRefusal(command: CommandSpec | undefined, word: string): MeshctlError | undefined {
  const isWish = ['--wait=false', '--no-wait', '--no-wait=true'].includes(word);
  if (!command || !isWish || !waitsAnyway(optionsOf(command))) return undefined;
  return new MeshctlError(
    'Usage',
    `${command.path.join(' ')} always waits to see what it has done: there is no ${word}`,
    {
      hint: 'Limit that with --wait-duration, e.g. --wait-duration 30s.',
    },
  );
}

function split(word: string): [name: string, value?: string] {
  const at = word.indexOf('=');
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
