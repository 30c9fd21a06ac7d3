import type { CommandSpec, OptionSpec } from '../commands/command-spec.ts';
import { flagNameOf, optionsOf } from '../commands/options/shared-options.ts';

/**
 * The flags of a command line as its command's spec has them: `--wait=false` and `--all=true`, as programs in Go take
 * switches, and the other names of flags (`--timeout`).
 * @param argv begins with the command's words
 */
export function inOwnSpelling(command: CommandSpec | undefined, argv: readonly string[]): string[] {
  if (!command) return [...argv];
  const options = optionsOf(command);
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  return argv.flatMap((word, index) => (index < end && word.startsWith('--') ? respelt(options, word) : [word]));
}

function respelt(options: readonly OptionSpec[], word: string): string[] {
  const [name = '', value] = split(word);
  const meant = options.find(({ also }) => also?.includes(name));
  if (meant) return [value === undefined ? String(flagNameOf(meant)) : `${flagNameOf(meant)}=${value}`];
  if (value !== 'true' && value !== 'false') return [word];
  const isSwitch = (flag: string) =>
    options.some((option) => flagNameOf(option) === flag && !/[<[]/.test(option.flags));
  const off = name.replace(/^--/, '--no-');
  if (isSwitch(off)) return value === 'false' ? [off] : [];
  if (!isSwitch(name)) return [word];
  return value === 'true' ? [name] : [];
}

function split(word: string): [name: string, value?: string] {
  const at = word.indexOf('=');
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
