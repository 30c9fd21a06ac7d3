import type { CommandSpec, OptionSpec, ValueSource } from '../command-spec.ts';
import {
  CLUSTER_OPTIONS,
  CLUSTERS,
  COMMON_OPTIONS,
  flagNameOf,
  HELP_FLAG,
  optionsOf,
  VERSION_FLAG,
} from '../options/shared-options.ts';

/** All that a command line can be made of, from the registry of commands. */
export interface Vocabulary {
  commands: readonly CommandSpec[];
  /** What each group of commands is, by its path. */
  groups: Readonly<Record<string, string>>;
  /** Other names of groups, by their path. */
  aliases: Readonly<Record<string, string>>;
}

/** A half-typed command line, as far as it can be understood: it may be wrong anywhere. */
export interface TypedLine {
  /** The values of the flags before the cursor, or of what stands in for them, by their long names; none for a flag without. */
  given: ReadonlyMap<string, readonly string[]>;
  /** What the word under the cursor begins with: `--context=`, or nothing. It is typed already and stays. */
  lead: string;
  /** The rest of that word, which is to be completed. */
  current: string;
  wants: Wanted;
}

/** What may stand under the cursor. */
export type Wanted =
  /** A command, or a group of commands, below this path; or `help`. */
  | { what: 'command'; path: readonly string[]; orHelp: boolean }
  /** One of these flags. */
  | { what: 'flag'; options: readonly OptionSpec[] }
  | WantedValue
  /** Nothing that is known, or nothing at all. */
  | { what: 'nothing' };

export interface WantedValue {
  what: 'value';
  choices?: readonly string[] | undefined;
  source?: ValueSource | undefined;
  /** The flag that it is of, by its long name. */
  flag?: string | undefined;
  /** A short flag that it is typed against, as in `-ojson`. */
  short?: string | undefined;
}

/**
 * @param words those after `meshctl`, without the shell's quotes; the last one, which may be empty, is under the cursor
 * @param env the variables that may stand in for flags
 */
export function readTypedLine(
  vocabulary: Vocabulary,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): TypedLine {
  const current = words.at(-1) ?? '';
  const reader = new LineReader(vocabulary);
  for (const word of words.slice(0, -1)) reader.read(word);
  const under = reader.under(current);
  const flag = under.wants.what === 'value' ? under.wants.flag : undefined;
  return { given: new Map([...reader.variables(env, flag), ...reader.given]), ...under };
}

/** Goes along the words as commander does, and minds no mistakes. */
class LineReader {
  readonly given = new Map<string, string[]>();
  private readonly vocabulary: Vocabulary;
  private path: readonly string[] = [];
  private command: CommandSpec | undefined;
  private options: readonly OptionSpec[];
  private helping = false;
  private lost = false;
  private wordsOnly = false;
  private argumentsRead = 0;
  /** The flag whose value comes next. */
  private awaiting: OptionSpec | undefined;

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    // All flags may stand before a command.
    this.options = [...BEFORE_COMMANDS, ...vocabulary.commands.flatMap(optionsOf)];
  }

  /** What variables say in place of flags that are not given. @param flag the one that is being typed */
  variables(env: Readonly<Record<string, string | undefined>>, flag?: string): [name: string, values: string[]][] {
    const given = Object.fromEntries([...this.given.keys()].map((name) => [camelCase(name), true]));
    return this.options.flatMap((option): [string, string[]][] => {
      const name = flagNameOf(option) ?? '';
      const text = option.env && env[option.env.name];
      const stands = text && name !== flag && !this.given.has(name) && !option.env?.unless?.(given);
      return stands ? [[name, [text]]] : [];
    });
  }

  read(word: string): void {
    const { awaiting } = this;
    this.awaiting = undefined;
    if (awaiting && takesNext(awaiting, word)) this.note(awaiting, word);
    else if (!this.wordsOnly && word === '--') this.wordsOnly = true;
    else if (!this.wordsOnly && isFlag(word)) this.readFlag(word);
    else if (this.command) this.argumentsRead += 1;
    else this.descend(word);
  }

  under(current: string): Omit<TypedLine, 'given'> {
    const { awaiting } = this;
    if (awaiting && takesNext(awaiting, current)) return { lead: '', current, wants: valueWanted(awaiting) };
    if (!this.wordsOnly && current.startsWith('-')) return this.flagUnder(current);
    return { lead: '', current, wants: this.wordUnder() };
  }

  private flagUnder(current: string): Omit<TypedLine, 'given'> {
    const { option, value } = this.optionIn(current);
    if (!option || value === undefined) {
      return { lead: '', current, wants: { what: 'flag', options: this.offered() } };
    }
    const lead = current.slice(0, current.length - value.length);
    // `--wait=false`, as programs in Go take switches.
    if (!takesValue(option)) return { lead, current: value, wants: { what: 'value', choices: ['true', 'false'] } };
    if (lead.startsWith('--')) return { lead, current: value, wants: valueWanted(option) };
    return { lead: '', current, wants: { ...valueWanted(option), short: lead } };
  }

  private wordUnder(): Wanted {
    const { command } = this;
    if (this.lost) return { what: 'nothing' };
    if (!command) return { what: 'command', path: this.path, orHelp: this.path.length === 0 && !this.helping };
    const next = this.helping ? undefined : command.arguments?.[this.argumentsRead];
    if (next) return { what: 'value', choices: next.choices, source: next.complete };
    // With nothing else to type, what could be typed is shown; first what the command cannot do without.
    const offered = this.helping || this.wordsOnly ? [] : this.offered();
    const required = offered.filter((option) => option.required);
    const options = required.length > 0 ? required : offered;
    return options.length > 0 ? { what: 'flag', options } : { what: 'nothing' };
  }

  private descend(word: string): void {
    const { commands, aliases } = this.vocabulary;
    if (word === HELP_COMMAND && this.path.length === 0) {
      this.helping = true;
      return;
    }
    const named = Object.entries(aliases).find(
      ([group, alias]) => alias === word && isBelow(group.split(' '), this.path, 1),
    );
    const path = [...this.path, named?.[0].split(' ').at(-1) ?? word];
    const below = commands.filter((one) => isBelow(one.path, path));
    this.path = path;
    this.lost ||= below.length === 0;
    this.command = below.find((one) => one.path.length === path.length);
    if (this.command) this.options = [...optionsOf(this.command), HELP_FLAG];
  }

  private readFlag(word: string): void {
    const { option, value } = this.optionIn(word);
    if (!option) return;
    this.note(option, takesValue(option) ? value : undefined);
    if (value === undefined && takesValue(option)) this.awaiting = option;
  }

  /** The flag that a word is, and the value in the same word. */
  private optionIn(word: string): { option?: OptionSpec | undefined; value?: string | undefined } {
    const [, name = word, value] = /^(--[^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name.startsWith('--')) {
      const named = (flag: string) => this.options.find((one) => flagNameOf(one) === flag || one.also?.includes(flag));
      return { option: named(name) ?? (value === undefined ? undefined : named(oppositeOf(name))), value };
    }
    const option = this.options.find((one) => shortOf(one) === word.slice(0, 2));
    return { option, value: option && takesValue(option) && word.length > 2 ? word.slice(2) : undefined };
  }

  private note(option: OptionSpec, value: string | undefined): void {
    const name = flagNameOf(option) ?? '';
    this.given.set(name, [...(this.given.get(name) ?? []), ...(value === undefined ? [] : [value])]);
  }

  /** The flags that may still come: not again one that counts once, nor its opposite. */
  private offered(): OptionSpec[] {
    if (this.lost) return [];
    const gone = new Set([...this.given.keys()].flatMap((name) => [name, oppositeOf(name)]));
    const possible = this.command ? this.options : BEFORE_COMMANDS;
    return possible.filter((one) => !one.hidden && (one.repeatable || one.counted || !gone.has(flagNameOf(one) ?? '')));
  }
}

/** Flags of nearly all commands, for who begins with flags. */
const BEFORE_COMMANDS: readonly OptionSpec[] = [
  HELP_FLAG,
  VERSION_FLAG,
  ...CLUSTERS,
  ...CLUSTER_OPTIONS,
  ...COMMON_OPTIONS,
];

/** `meshctl help clustermesh enable`. */
export const HELP_COMMAND = 'help';

/** `-o` of `-o, --output <format>`. */
export function shortOf({ flags }: OptionSpec): string | undefined {
  return /^-\w/.exec(flags)?.[0];
}

/** Whether a path is at or below another one. @param depth how far below, where it shall be just so far */
export function isBelow(path: readonly string[], above: readonly string[], depth?: number): boolean {
  return (
    above.every((word, index) => path[index] === word) && (depth === undefined || path.length === above.length + depth)
  );
}

/** `allNamespaces` of `--all-namespaces`, as parsed flags are called. */
function camelCase(name: string): string {
  return name.slice('--'.length).replace(/-(\w)/g, (_all, letter: string) => letter.toUpperCase());
}

function isFlag(word: string): boolean {
  return word.length > 1 && word.startsWith('-');
}

function takesValue({ flags }: OptionSpec): boolean {
  return /[<[]/.test(flags);
}

/** Whether the word after a flag is its value: one that may be left out is no flag. */
function takesNext({ flags }: OptionSpec, word: string): boolean {
  return flags.includes('<') || !word.startsWith('-');
}

function oppositeOf(name: string): string {
  return name.startsWith('--no-') ? `--${name.slice('--no-'.length)}` : `--no-${name.slice('--'.length)}`;
}

function valueWanted(option: OptionSpec): WantedValue {
  return { what: 'value', choices: option.choices, source: option.complete, flag: flagNameOf(option) };
}
