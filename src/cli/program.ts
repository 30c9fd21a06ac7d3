import { Command, CommanderError, Option } from 'commander';
import type { HelpTopics, LoadableCommand, ParsedOptions } from '../commands/command.ts';
import type { OptionSpec } from '../commands/command-spec.ts';
import { optionsOf, VERSION_FLAG } from '../commands/options/shared-options.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { takeVariables } from './environment.ts';
import { commandOf, leadsOn, withGroupNames } from './flags-first.ts';
import { HELP_FORMAT, topicsText, USUAL_WIDTH } from './help-format.ts';
import { withFlagsForWords, withOneContextFlag } from './misplaced-words.ts';
import { combinedError, createOption, helpOption, inGroups, missing, notAmong } from './options.ts';
import { switchRefusal, waitingRefusal } from './other-spellings.ts';
import { suggestCommands } from './suggest-command.ts';
import type { Host } from './terminal/host.ts';

/** What a command line asks for. */
export interface Invocation {
  command: LoadableCommand;
  options: ParsedOptions;
}

export interface ProgramTexts {
  version: string;
  /** What each group of commands is, by its path, e.g. `clustermesh`. */
  groups: Readonly<Record<string, string>>;
  /** Other names of groups, e.g. `cm` for `clustermesh`. */
  aliases: Readonly<Record<string, string>>;
}

/**
 * Reads a command line. Nothing of a command is loaded.
 * @returns undefined where help or the version was asked for, and is printed
 * @throws MeshctlError `Usage`
 */
export async function parseCommandLine(
  commands: readonly LoadableCommand[],
  texts: ProgramTexts,
  host: Host,
  argv: readonly string[],
): Promise<Invocation | undefined> {
  requireKnown(commands, texts, argv);
  let found: Invocation | undefined;
  const topics = await topicsFor(commands, argv);
  const program = createProgram(commands, { texts, host, topics, argv }, (invocation) => {
    found = invocation;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return found;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return undefined;
    if (thrown.code === 'commander.help')
      throw new MeshctlError('Usage', 'a command is missing', {
        hint: helpOf(argv, texts),
      });
    const message = thrown.message.replace(/^error: /, '');
    if (thrown.code === 'commander.unknownCommand') throw unknownCommand(commands, texts, argv, message);
    const command = commandOf(commands, texts.aliases, argv);
    if (thrown.code === 'commander.excessArguments') {
      const meant = withFlagsForWords(command, argv);
      if (meant !== undefined) throw new MeshctlError('Usage', message, { hint: `Did you mean: ${meant}` });
    }
    if (thrown.code === 'commander.missingArgument') throw missingWord(command, message);
    const [, unknown = ''] = /^unknown option '(\S+)'/.exec(message) ?? [];
    const hint = withOneContextFlag(command, unknown, argv) ?? 'Add --help to see the options.';
    throw (
      waitingRefusal(command, unknown) ??
      switchRefusal(command, unknown) ??
      new MeshctlError('Usage', message, { hint })
    );
  }
}

/** A word that a command needs is not there; its description says what it may be. */
function missingWord(command: LoadableCommand | undefined, message: string): MeshctlError {
  const [, word] = /'(\S+)'/.exec(message) ?? [];
  const argument = command?.arguments?.find(({ name }) => name === word);
  if (!command || !argument) return new MeshctlError('Usage', message, { hint: 'Add --help to see the options.' });
  const hint = `See how it is given: ${meshctlCommand(command.path.join(' '), {}, ['--help'])}`;
  return new MeshctlError('Usage', `${message} (${argument.description})`, { hint });
}

/** The line that shows what there is in the group of commands that a command line names; of all where it names none. */
function helpOf(argv: readonly string[], { groups, aliases }: ProgramTexts): string {
  const words = withGroupNames(
    aliases,
    argv.filter((word) => !word.startsWith('-')),
  );
  const ends = words.map((_, index) => words.slice(0, words.length - index));
  return ['meshctl', ...(ends.find((group) => groups[group.join(' ')] !== undefined) ?? []), '--help'].join(' ');
}

/** What help that was asked for lists beside the flags, by the command that it is about. */
async function topicsFor(
  commands: readonly LoadableCommand[],
  argv: readonly string[],
): Promise<ReadonlyMap<LoadableCommand, HelpTopics>> {
  const isAsked = argv[0] === 'help' || argv.some((word) => HELP_FLAGS.includes(word));
  const asked = commands.filter(({ path, topics }) => isAsked && topics && argv.includes(path.at(-1) ?? ''));
  const loaded = asked.map(async (command) => [command, await command.topics?.()] as const);
  return new Map((await Promise.all(loaded)).flatMap(([command, topics]) => (topics ? [[command, topics]] : [])));
}

const HELP_FLAGS = ['-h', '--help'];

/**
 * Commander answers `nosuch --help` with the help of the group that it knows, as if all were well.
 * @throws MeshctlError `Usage`
 */
function requireKnown(commands: readonly LoadableCommand[], texts: ProgramTexts, argv: readonly string[]): void {
  const end = argv.findIndex((word) => word.startsWith('-'));
  const isAsked = end >= 0 && argv.slice(end).some((word) => HELP_FLAGS.includes(word));
  const words = argv.slice(0, Math.max(end, 0));
  if (!isAsked || words[0] === 'help' || commandOf(commands, texts.aliases, words)) return;
  const ends = words.map((_, index) => words.slice(0, index + 1));
  const unknown = ends.find((beginning) => !leadsOn(commands, texts.aliases, beginning))?.at(-1);
  if (unknown !== undefined) throw unknownCommand(commands, texts, argv, `unknown command '${unknown}'`);
}

/** Commander itself knows what is alike within one group. */
function unknownCommand(
  commands: readonly LoadableCommand[],
  texts: ProgramTexts,
  argv: readonly string[],
  message: string,
): MeshctlError {
  const meant = suggestCommands(commands, texts.aliases, argv);
  const [words = message] = message.split('\n');
  const hint = meant.length > 0 ? `Did you mean: ${meant.join('; ')}` : helpOf(argv, texts);
  return new MeshctlError('Usage', words, { hint });
}

type Found = (invocation: Invocation) => void;

interface Surroundings {
  texts: ProgramTexts;
  host: Host;
  topics: ReadonlyMap<LoadableCommand, HelpTopics>;
  argv: readonly string[];
}

function createProgram(specs: readonly LoadableCommand[], around: Surroundings, onFound: Found): Command {
  const { texts, host } = around;
  const program = new Command('meshctl')
    .description('Join Kubernetes clusters that run Cilium into one Cluster Mesh')
    .version(texts.version, VERSION_FLAG.flags, VERSION_FLAG.description)
    .helpCommand(false);
  for (const spec of specs) addCommand(program, spec, around, onFound);
  program.addCommand(helpCommand(program, specs, texts));
  forEachCommand(program, (command) => configure(command, host));
  return program;
}

function addCommand(program: Command, spec: LoadableCommand, around: Surroundings, onFound: Found): void {
  const name = spec.path.at(-1);
  if (name === undefined) return;
  const command = new Command(name).summary(spec.summary).description(spec.description ?? `${spec.summary}.`);
  for (const { name: word, description, optional } of spec.arguments ?? []) {
    command.argument(optional ? `[${word}]` : `<${word}>`, description);
  }
  // Of a command that is not in the line only the name can be wanted: all flags of all commands take as long as the rest.
  if (around.argv.includes(name)) describe(command, spec, around, onFound);
  groupFor(program, spec.path.slice(0, -1), around.texts).addCommand(command);
}

/** Gives a command its flags, its help, and what it does with what it is given. */
function describe(command: Command, spec: LoadableCommand, { host, topics }: Surroundings, onFound: Found): void {
  const all = optionsOf(spec);
  const words = spec.arguments ?? [];
  const faults: MeshctlError[] = [];
  for (const option of inGroups(all)) command.addOption(createOption(option, (fault) => faults.push(fault)));
  countFlags(command, all);
  command.addHelpOption(helpOption());
  const listed = topics.get(spec);
  if (listed) command.addHelpText('after', topicsText(listed, host.stdout.columns));
  if (spec.examples) command.addHelpText('after', examplesText(spec.examples));
  command.action((...given: unknown[]) => {
    const values = words.flatMap(({ name: word }, index) => (given[index] === undefined ? [] : [[word, given[index]]]));
    takeVariables(command, all, { env: host.env, words: Object.fromEntries(values) }, (fault) => faults.push(fault));
    faults.push(...missing(all, command.opts()));
    for (const [index, { choices }] of words.entries()) {
      const fault = given[index] === undefined ? undefined : notAmong(choices, String(given[index]));
      if (fault) faults.push(fault);
    }
    if (faults.length > 0) throw combinedError(faults);
    onFound({ command: spec, options: { ...command.opts(), ...Object.fromEntries(values) } });
  });
}

/** A flag of which it counts how often it is given, e.g. `-vv`; commander itself knows only whether. */
function countFlags(command: Command, specs: readonly OptionSpec[]): void {
  for (const spec of specs.filter(({ counted }) => counted)) {
    const option = new Option(spec.flags);
    let count = 0;
    command.on(`option:${option.name()}`, () => {
      count += 1;
      command.setOptionValueWithSource(option.attributeName(), count, 'cli');
    });
  }
}

/** `help clustermesh enable`; commander's own knows one word. */
function helpCommand(program: Command, specs: readonly LoadableCommand[], texts: ProgramTexts): Command {
  return new Command('help')
    .description('show help for a command')
    .argument('[command...]', 'its words, e.g. clustermesh enable')
    .action((words: readonly string[]) => {
      const found = words.reduce<Command | undefined>(
        (group, word) => group?.commands.find((one) => one.name() === word || one.aliases().includes(word)),
        program,
      );
      if (!found) throw unknownCommand(specs, texts, [...words, '--help'], `unknown command '${words.join(' ')}'`);
      found.outputHelp();
    });
}

function groupFor(program: Command, path: readonly string[], texts: ProgramTexts): Command {
  let parent = program;
  path.forEach((name, depth) => {
    let group = parent.commands.find((command) => command.name() === name);
    if (!group) {
      const key = path.slice(0, depth + 1).join(' ');
      group = new Command(name).description(texts.groups[key] ?? '');
      const alias = texts.aliases[key];
      if (alias) group.alias(alias);
      parent.addCommand(group);
    }
    parent = group;
  });
  return parent;
}

function examplesText(examples: NonNullable<LoadableCommand['examples']>): string {
  return `\nExamples:\n${examples.map(({ line, what }) => `  # ${what}\n  ${line}\n`).join('\n')}`;
}

function configure(command: Command, host: Host): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp(HELP_FORMAT)
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      // Errors are reported once, by report-error.ts; help that was not asked for is shown.
      writeErr: (text) => {
        if (!text.startsWith('error:')) host.stderr.write(text);
      },
      getOutHelpWidth: () => host.stdout.columns || USUAL_WIDTH,
      getErrHelpWidth: () => host.stderr.columns || USUAL_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
