import { Command, CommanderError, Option } from 'commander';
import type { LoadableCommand, ParsedOptions } from '../commands/command.ts';
import type { OptionGroup, OptionSpec } from '../commands/command-spec.ts';
import { CLUSTER_OPTIONS, COMMON_OPTIONS } from '../commands/shared-options.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { Host } from './host.ts';

/** Runs one command of the line that was parsed. */
export type Runner = (spec: LoadableCommand, options: ParsedOptions) => Promise<void>;

export interface ProgramTexts {
  version: string;
  /** What each group of commands is, by its path, e.g. `clustermesh`. */
  groups: Readonly<Record<string, string>>;
  /** Other names of groups, e.g. `cm` for `clustermesh`. */
  aliases: Readonly<Record<string, string>>;
}

/** Headings in help, in the order in which every command has them; what is a command's own comes before. */
const OPTION_GROUPS: Readonly<Record<OptionGroup, string>> = {
  exposure: 'Exposure:',
  pods: 'Image and pods:',
  certificates: 'Certificates:',
  helm: 'Helm:',
  run: 'How it runs:',
  output: 'Output:',
  clusters: 'Clusters and access:',
};
const GROUP_ORDER: readonly (OptionGroup | undefined)[] = [undefined, ...(Object.keys(OPTION_GROUPS) as OptionGroup[])];

/** Turns command specs into a commander program. Nothing of a command is loaded before it runs. */
export function createProgram(
  specs: readonly LoadableCommand[],
  texts: ProgramTexts,
  host: Host,
  runner: Runner,
): Command {
  const program = new Command('meshctl')
    .description('Join Kubernetes clusters that run Cilium into one Cluster Mesh')
    .version(texts.version, '-V, --version', 'print the version')
    .helpCommand(false);
  for (const spec of specs) addCommand(program, spec, texts, runner);
  program.addCommand(helpCommand(program));
  forEachCommand(program, (command) => configure(command, host));
  return program;
}

/** @throws MeshctlError `Usage`; commander's own help and version outputs end normally. */
export async function parseArguments(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return;
    if (thrown.code === 'commander.help')
      throw new MeshctlError('Usage', 'a command is missing', { hint: 'meshctl --help' });
    throw new MeshctlError('Usage', thrown.message.replace(/^error: /, ''), { hint: 'Add --help to see the options.' });
  }
}

function addCommand(program: Command, spec: LoadableCommand, texts: ProgramTexts, runner: Runner): void {
  const name = spec.path.at(-1);
  if (name === undefined) return;
  const command = new Command(name).summary(spec.summary).description(spec.description ?? `${spec.summary}.`);
  const names = new Set(spec.options.map(nameOf));
  const shared: readonly OptionSpec[] = [...(spec.reachesClusters ? CLUSTER_OPTIONS : []), ...COMMON_OPTIONS];
  const all: readonly OptionSpec[] = [...spec.options, ...shared.filter((option) => !names.has(nameOf(option)))];
  for (const group of GROUP_ORDER) {
    for (const option of all) if (option.group === group) command.addOption(createOption(option));
  }
  command.addHelpOption(new Option('-h, --help', 'display help for command').helpGroup(OPTION_GROUPS.output));
  const words = spec.arguments ?? [];
  for (const { name: word, description, optional } of words) {
    command.argument(optional ? `[${word}]` : `<${word}>`, description);
  }
  if (spec.examples) command.addHelpText('after', examplesText(spec.examples));
  command.action(async (...given: unknown[]) => {
    const values = words.flatMap(({ name: word }, index) => (given[index] === undefined ? [] : [[word, given[index]]]));
    await runner(spec, { ...command.opts(), ...Object.fromEntries(values) });
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

/** `--output` of `-o, --output <format>`. */
function nameOf({ flags }: OptionSpec): string | undefined {
  return /--[a-z-]+/.exec(flags)?.[0];
}

function createOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.group) option.helpGroup(OPTION_GROUPS[spec.group]);
  if (typeof spec.default === 'string' && spec.parse) option.default(spec.parse(spec.default), spec.default);
  else if (spec.default !== undefined) option.default(spec.default);
  if (spec.choices) option.choices(spec.choices);
  if (spec.required) option.makeOptionMandatory();
  if (spec.hidden) option.hideHelp();
  const parse = (text: string): unknown => namingFlag(option, () => (spec.parse ? spec.parse(text) : text));
  if (spec.repeatable) {
    option.argParser((text: string, before: unknown) => {
      const value = parse(text);
      const added: unknown[] = spec.repeatable === 'lists' && Array.isArray(value) ? value : [value];
      return [...(Array.isArray(before) ? before : []), ...added];
    });
  } else if (spec.once) {
    option.argParser((text: string, before: unknown) => {
      if (before === undefined) return parse(text);
      throw new MeshctlError('Usage', `${option.long} is given twice: "${before}" and "${text}"`, {
        hint: 'Give it once.',
      });
    });
  } else if (spec.parse) {
    option.argParser(parse);
  }
  return option;
}

/** A usage error about a value says whose value it is. */
function namingFlag(option: Option, parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    const flag = option.long ?? option.short ?? '';
    if (!(error instanceof MeshctlError) || error.code !== 'Usage' || error.message.includes(flag)) throw error;
    throw new MeshctlError('Usage', `${flag}: ${error.message}`, { hint: error.hint, details: error.details });
  }
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
