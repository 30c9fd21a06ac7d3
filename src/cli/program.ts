import { Command, CommanderError } from 'commander';
import type { LoadableCommand, ParsedOptions } from '../commands/command.ts';
import type { OptionSpec } from '../commands/command-spec.ts';
import { CLUSTER_OPTIONS, COMMON_OPTIONS } from '../commands/shared-options.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { Host } from './host.ts';
import { allOf, createOption, helpOption, inGroups, missing, nameOf } from './options.ts';

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
  let found: Invocation | undefined;
  const program = createProgram(commands, texts, host, (invocation) => {
    found = invocation;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return found;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return undefined;
    if (thrown.code === 'commander.help')
      throw new MeshctlError('Usage', 'a command is missing', { hint: 'meshctl --help' });
    throw new MeshctlError('Usage', thrown.message.replace(/^error: /, ''), { hint: 'Add --help to see the options.' });
  }
}

type Found = (invocation: Invocation) => void;

function createProgram(specs: readonly LoadableCommand[], texts: ProgramTexts, host: Host, onFound: Found): Command {
  const program = new Command('meshctl')
    .description('Join Kubernetes clusters that run Cilium into one Cluster Mesh')
    .version(texts.version, '-V, --version', 'print the version')
    .helpCommand(false);
  for (const spec of specs) addCommand(program, spec, texts, onFound);
  program.addCommand(helpCommand(program));
  forEachCommand(program, (command) => configure(command, host));
  return program;
}

function addCommand(program: Command, spec: LoadableCommand, texts: ProgramTexts, onFound: Found): void {
  const name = spec.path.at(-1);
  if (name === undefined) return;
  const command = new Command(name).summary(spec.summary).description(spec.description ?? `${spec.summary}.`);
  const names = new Set(spec.options.map(nameOf));
  const shared: readonly OptionSpec[] = [...(spec.reachesClusters ? CLUSTER_OPTIONS : []), ...COMMON_OPTIONS];
  const all: readonly OptionSpec[] = [...spec.options, ...shared.filter((option) => !names.has(nameOf(option)))];
  const faults: MeshctlError[] = [];
  for (const option of inGroups(all)) command.addOption(createOption(option, (fault) => faults.push(fault)));
  command.addHelpOption(helpOption());
  const words = spec.arguments ?? [];
  for (const { name: word, description, optional } of words) {
    command.argument(optional ? `[${word}]` : `<${word}>`, description);
  }
  if (spec.examples) command.addHelpText('after', examplesText(spec.examples));
  command.action((...given: unknown[]) => {
    faults.push(...missing(all, command.opts()));
    if (faults.length > 0) throw allOf(faults);
    const values = words.flatMap(({ name: word }, index) => (given[index] === undefined ? [] : [[word, given[index]]]));
    onFound({ command: spec, options: { ...command.opts(), ...Object.fromEntries(values) } });
  });
  groupFor(program, spec.path.slice(0, -1), texts).addCommand(command);
}

/** `help clustermesh enable`; commander's own knows one word. */
function helpCommand(program: Command): Command {
  return new Command('help')
    .description('show help for a command')
    .argument('[command...]', 'its words, e.g. clustermesh enable')
    .action((words: readonly string[]) => {
      const found = words.reduce<Command | undefined>(
        (group, word) => group?.commands.find((one) => one.name() === word || one.aliases().includes(word)),
        program,
      );
      if (!found) throw new MeshctlError('Usage', `unknown command '${words.join(' ')}'`, { hint: 'meshctl --help' });
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
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      // Errors are reported once, by report-error.ts; help that was not asked for is shown.
      writeErr: (text) => {
        if (!text.startsWith('error:')) host.stderr.write(text);
      },
      getOutHelpWidth: () => host.stdout.columns || 100,
      getErrHelpWidth: () => host.stderr.columns || 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
