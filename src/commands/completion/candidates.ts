import { entriesOfList } from '../../mesh/command-line.ts';
import type { OptionSpec, ValueSource } from '../command-spec.ts';
import { flagNameOf } from '../options/shared-options.ts';
import { isGlob } from '../targets/context-patterns.ts';
import { HELP_COMMAND, isBelow, shortOf, type TypedLine, type Vocabulary, type Wanted } from './typed-line.ts';

/** What may stand in place of the word under the cursor. */
export interface Candidate {
  value: string;
  /** One line. */
  description?: string | undefined;
}

/** Candidates, and what the shell is to do with them. */
export interface Answer {
  candidates: readonly Candidate[];
  /** More of the same word will follow: no space after it. */
  noSpace?: boolean | undefined;
  /** Names of files, which the shell itself knows. */
  files?: boolean | undefined;
}

/** What is asked of a source that is not the command specs. */
export interface CompletionQuestion {
  source: ValueSource;
  line: TypedLine;
}

/** The bits by which cobra's programs tell a shell what to do with their answer (cobra, completions.go). */
const NO_SPACE = 2;
const NO_FILES = 4;

/** The lists among the sources. */
const LISTS: readonly ValueSource[] = [
  'contexts',
  'peers',
  'checks',
  'compatibility-checks',
  'categories',
  'explanations',
];
/** Together they say which clusters a command is about. */
const CLUSTER_FLAGS: readonly string[] = ['--context', '--destination-context'];
/** So many services of all namespaces can be looked through. */
const READABLE = 50;

/**
 * What completes a line.
 * @param know gives all values of a source, or none where it does not know them in time; never rejects
 */
export async function answerTo(
  vocabulary: Vocabulary,
  line: TypedLine,
  know: (question: CompletionQuestion) => Promise<readonly Candidate[]>,
): Promise<Answer> {
  const { wants, current } = line;
  if (wants.what !== 'value') return { candidates: fitting(current, namesFor(vocabulary, wants, current)) };
  const { choices, source, short = '' } = wants;
  const typed = current.slice(short.length);
  const attached = (candidates: readonly Candidate[]): Answer => ({
    candidates: candidates.map((one) => ({ ...one, value: short + one.value })),
  });
  if (choices) return attached(fitting(typed, choices.map(named)));
  if (source === undefined) return { candidates: [] };
  if (source === 'file') return { candidates: [], files: true };
  const isList = LISTS.includes(source);
  const { before, last } = isList ? lastOfList(typed) : { before: [], last: typed };
  // A pattern is not completed: it already stands for all that it fits.
  if (isList && isGlob(last)) return { candidates: [] };
  const taken = new Set([...before, ...contextsTaken(line, wants.flag)]);
  const known = await know({ source, line });
  const fit = fitting(last, known).filter(({ value }) => !taken.has(value) && !(isList && value.includes(',')));
  if (source === 'service') return byNamespace(fit, last);
  return attached(fit.map((one) => ({ ...one, value: [...before, one.value].join(',') })));
}

/** What a shell script reads: `value<TAB>description` lines, and last `:` with cobra's bits. */
export function answerText({ candidates, noSpace, files }: Answer): string {
  const lines = candidates.map(({ value, description }) => (description ? `${value}\t${description}` : value));
  return [...lines, `:${(noSpace ? NO_SPACE : 0) + (files ? 0 : NO_FILES)}`, ''].join('\n');
}

/** A value that may come, without words about it. */
export function named(value: string): Candidate {
  return { value };
}

/** The contexts that a line names already, for a flag that would name another one of the same clusters. */
function contextsTaken({ given }: TypedLine, flag = ''): string[] {
  if (!CLUSTER_FLAGS.includes(flag)) return [];
  return CLUSTER_FLAGS.flatMap((name) => given.get(name) ?? []).flatMap(entriesOfList);
}

function lastOfList(text: string): { before: string[]; last: string } {
  const entries = text.split(',');
  const last = entries.pop() ?? '';
  return { before: entries, last };
}

/** The names of services would fill screens: first those of their namespaces. */
function byNamespace(candidates: readonly Candidate[], typed: string): Answer {
  const namespaces = new Set(candidates.map(({ value }) => value.slice(0, value.indexOf('/') + 1)));
  if (typed.includes('/') || candidates.length <= READABLE || namespaces.size < 2) return { candidates };
  return { candidates: [...namespaces].map(named), noSpace: true };
}

/** Those that begin as typed. Names that would do something to a terminal, or to the lines of the answer, are none. */
function fitting(typed: string, candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ value }) => {
    const fits = value.startsWith(typed) && value !== '' && !/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(value);
    if (!fits || seen.has(value)) return false;
    seen.add(value);
    return true;
  });
}

function namesFor(vocabulary: Vocabulary, wants: Exclude<Wanted, { what: 'value' }>, typed: string): Candidate[] {
  if (wants.what === 'command') return commandsBelow(vocabulary, wants, typed);
  if (wants.what === 'flag') return wants.options.flatMap((option) => flagsOf(option, typed));
  return [];
}

/** Short flags are for who began one: in a list of all, they would be the same once more. */
function flagsOf(option: OptionSpec, typed: string): Candidate[] {
  const { description } = option;
  const name = flagNameOf(option);
  // As with groups: another name is for who types it.
  const other = name?.startsWith(typed) ? undefined : option.also?.find((one) => one.startsWith(typed));
  return [other ?? name, typed === '' ? undefined : shortOf(option)].flatMap((value) =>
    value === undefined ? [] : [{ value, description }],
  );
}

function commandsBelow(
  { commands, groups, aliases }: Vocabulary,
  { path, orHelp }: Extract<Wanted, { what: 'command' }>,
  typed: string,
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const command of commands) {
    const name = command.path[path.length];
    if (name === undefined || !isBelow(command.path, path)) continue;
    const key = [...path, name].join(' ');
    const description = command.path.length === path.length + 1 ? command.summary : groups[key];
    // Another name of a group is for who types it; beside the group it would look like one more.
    const alias = aliases[key];
    const shown = alias?.startsWith(typed) && !name.startsWith(typed) ? alias : name;
    found.set(shown, { value: shown, description });
  }
  const help = orHelp ? [{ value: HELP_COMMAND, description: 'show help for a command' }] : [];
  return [...found.values(), ...help];
}
