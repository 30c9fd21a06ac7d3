import { withoutVariables } from './cli/environment.ts';
import { commandOf, withFlagsBehind } from './cli/flags-first.ts';
import { inOwnSpelling, withShortsApart } from './cli/other-spellings.ts';
import { ownWords } from './cli/own-words.ts';
import { type Invocation, parseCommandLine } from './cli/program.ts';
import { asMeshctl, asTyped, typedHost } from './cli/program-name.ts';
import {
  type AddRunFlags,
  namespaceOptionOf,
  progressWithRunFlags,
  resultWithRunFlags,
  runFlagsAdder,
  runFlagsOf,
} from './cli/run-flags.ts';
import { createRunTime } from './cli/run-time.ts';
import { confirm } from './cli/terminal/confirm.ts';
import { type Host, processHost } from './cli/terminal/host.ts';
import { sayingWhatIsAwaited } from './cli/terminal/interruption.ts';
import { isDocumentFormat, writeResult } from './cli/terminal/output.ts';
import { plainProgress, quietProgress, spinnerProgress } from './cli/terminal/progress.ts';
import { reportError } from './cli/terminal/report-error.ts';
import { colourWanted, columnsOf, createTheme } from './cli/terminal/theme.ts';
import type { CommandContext, ParsedOptions } from './commands/command.ts';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from './commands/registry.ts';
import { shellWord, unnamedIn } from './mesh/command-line.ts';
import { exitCodeOf, MeshctlError } from './mesh/errors.ts';
import type { Installation } from './mesh/installation.ts';
import { printableLines, printableSentence } from './views/printable.ts';

/** Of git, put in by the build (.ci/build.mjs); empty outside of a checkout. Not there where the sources run as they are. */
declare const MESHCTL_COMMIT: string | undefined;

export { installedPackage } from './cli/installed-package.ts';

/** What the scripts of `meshctl completion` call. It is no command: all words after it are those of another line. */
const COMPLETE = '__complete';

/**
 * Runs one command line. @returns the exit status; everything else happens through the host
 * @param kubeconfigs those that are read already, where a command runs another one
 */
export async function run(
  argv: readonly string[],
  terminal: Host,
  kubeconfigs: CommandContext['kubeconfigs'] = new Map(),
): Promise<number> {
  if (argv[0] === COMPLETE) return completeLine(argv.slice(1), terminal);
  const { name } = terminal.installation;
  const host = typedHost(terminal, COMMANDS);
  const own = asMeshctl(name, { commands: COMMANDS, aliases: COMMAND_ALIASES }, argv);
  const behind = withFlagsBehind(COMMANDS, COMMAND_ALIASES, own);
  const command = commandOf(COMMANDS, COMMAND_ALIASES, behind);
  const words = inOwnSpelling(command, behind);
  // Known before commander has parsed, so that a usage error too comes in the format that was asked for.
  const typed = command ? words : withShortsApart(COMMANDS, words);
  const seen: { format: unknown; color: unknown; debug: boolean; command: string | undefined } = {
    format: valueIn(typed, '--output', '-o'),
    color: valueIn(typed, '--color'),
    debug: typed.includes('--debug'),
    command: command?.options.some(({ choices }) => choices?.includes('junit'))
      ? `meshctl ${command.path.join(' ')}`
      : undefined,
  };
  let addRunFlags: AddRunFlags = (text) => text;
  let failureStatus = 1;
  const leftOut: CommandContext['leftOut'] = new Map();
  const clocks: string[] = [];
  try {
    const version = await packageVersion(host);
    const texts = { version, groups: COMMAND_GROUPS, aliases: COMMAND_ALIASES };
    const invocation = await parseCommandLine(COMMANDS, texts, host, words);
    if (!invocation) return 0;
    const { output, color, debug } = invocation.options;
    // Who has not asked for a document is told in words, also by commands that print nothing else.
    const format = seen.format === undefined ? undefined : output;
    Object.assign(seen, { format, color, debug: debug === true });
    failureStatus = invocation.command.failureStatus ?? failureStatus;
    const flags = runFlagsOf(invocation.options, invocation.command);
    const complete = runFlagsAdder(flags, COMMANDS);
    addRunFlags = (text) => withPaths(complete(text), terminal.installation);
    const leaveUnnamed = (context: string) => {
      flags.unnamedContext = context;
    };
    const reachBy = (context: string, kubeconfig: string) => {
      flags.elsewhere?.set(context, kubeconfig);
    };
    return await runCommand(invocation, host, {
      addRunFlags,
      argv: words,
      leaveUnnamed,
      reachBy,
      kubeconfigs,
      leftOut,
      clocks,
    });
  } catch (thrown) {
    const theme = await createTheme(colourWanted(host.env, host.stderr, seen.color));
    const status = await reportError(host, theme, { ...seen, besides: { leftOut, clocks }, addRunFlags }, thrown);
    return status === 1 ? failureStatus : status;
  }
}

/** Texts name files of the package as such; where it is a folder, they can be typed. */
function withPaths(text: string, { folder }: Installation): string {
  const named = /\b(templates\/[a-z/-]+) of meshctl's package/g;
  return folder === undefined ? text : text.replace(named, (_, path: string) => shellWord(folder + path));
}

/** The verbosity of --debug. */
const MOST_VERBOSE = 2;

/** Whatever happens, nothing but an answer, which may be empty, comes out of a TAB. */
async function completeLine(argv: readonly string[], host: Host): Promise<number> {
  const { env, cwd, signal } = host;
  const { completionOf } = await import('./commands/complete.ts');
  const vocabulary = { commands: COMMANDS, groups: COMMAND_GROUPS, aliases: COMMAND_ALIASES };
  const userAgent = `meshctl/${await packageVersion(host)}`;
  host.stdout.write(await completionOf(argv, vocabulary, { env, cwd, signal, userAgent }));
  return 0;
}

/** The entry of every installed meshctl: runs the process's command line and sets its exit status. */
export async function start(installation: Installation): Promise<void> {
  const host = processHost(installation);
  let ended = false;
  // Nothing is left to wait for, whatever it was in the middle of: Node would end it without a word, and well.
  process.once('beforeExit', () => {
    if (ended) return;
    process.exitCode = exitCodeOf('Bug');
    host.stderr.write('✖ meshctl ended in the middle of its work. This is a bug in meshctl: please report it.\n');
  });
  // Node would end the process at once, in the middle of its writes, with a stack.
  let unheard = false;
  process.on('unhandledRejection', (reason) => {
    if (unheard || host.signal.aborted) return;
    unheard = true;
    const words = reason instanceof Error ? reason.message : String(reason);
    host.stderr.write(`✖ unexpected error: ${printableSentence(words)}\n`);
  });
  const argv = process.argv.slice(2);
  const exitCode = await run(argv, host);
  const lost = await host.drained();
  if (lost) host.stderr.write(`✖ cannot write the result to stdout: ${lost.message}\n`);
  const failure = unheard ? exitCodeOf('Bug') : lost ? 1 : 0;
  process.exitCode = exitCode || failure;
  ended = true;
  // The shell waits for the end of the process: nobody waits for a look-up of a host that goes on.
  leave(argv[0] === COMPLETE ? 0 : LEAVE_AFTER_MS);
}

const LEAVE_AFTER_MS = 1000;

/** The result is out, or on its way to a slow reader: nothing else (what a plugin left open, say) may keep the process. */
function leave(afterMs: number): void {
  const end = () => (process.stdout.writableLength > 0 ? leave(afterMs) : process.exit());
  setTimeout(end, afterMs).unref();
}

async function runCommand(
  { command, options }: Invocation,
  host: Host,
  {
    addRunFlags,
    argv,
    leaveUnnamed,
    reachBy,
    kubeconfigs,
    leftOut,
    clocks,
  }: { addRunFlags: AddRunFlags; argv: readonly string[]; clocks: string[] } & Pick<
    CommandContext,
    'leaveUnnamed' | 'reachBy' | 'kubeconfigs' | 'leftOut'
  >,
): Promise<number> {
  const styles = await createTheme(colourWanted(host.env, host.stdout, options.color));
  const theme = { ...styles, columns: columnsOf(host.env, host.stdout) };
  // A hint that names Cilium's namespace does not know by which flag the command takes it.
  const asNamespaceFlag = (word: string) => (word === '-n' ? (namespaceOptionOf(command) ?? word) : word);
  const againWithout = (flags: readonly string[], ...words: readonly string[]) =>
    [
      `meshctl ${command.path.join(' ')}`,
      ...[...ownWords(command, argv, flags), ...words.map(asNamespaceFlag)].map(shellWord),
    ].join(' ');
  const again = (...words: readonly string[]) => againWithout([], ...words);
  // A terminal that is drawn anew is not written to through the host.
  const typed = asTyped(host.installation.name, COMMANDS);
  const commit = typeof MESHCTL_COMMIT === 'undefined' ? '' : MESHCTL_COMMIT;
  const client = { version: await packageVersion(host), ...(commit ? { commit } : {}), node: process.version };
  const progress = progressWithRunFlags(await progressFor(options, host), (text) => typed(addRunFlags(text)));
  const time = createRunTime(host.now, (text) => {
    clocks.push(text);
    progress.warn(text);
  });
  const context: CommandContext = {
    progress,
    again,
    againWithout,
    print: (text) => host.stdout.write(text),
    confirm: (question, about, unasked) => confirm(host, question, addRunFlags(about), again, unasked),
    canAsk: host.keyboard !== undefined,
    readInput: async () => (await host.input?.(host.signal)) ?? '',
    theme,
    interactive: host.stdout.isTty,
    screenRows: () => host.stdout.rows,
    env: host.env,
    cwd: host.cwd,
    kubeconfigs,
    leftOut,
    silentServers: new Set(),
    work: { hasBegun: false },
    inFull: async (target, error) => {
      if (error.code !== 'Forbidden') return error;
      const { inFull } = await import('./commands/targets/lacking-rights.ts');
      return inFull(context, target, error, command);
    },
    leaveUnnamed,
    reachBy,
    client,
    userAgent: `meshctl/${client.version}`,
    installation: host.installation,
    now: time.now,
    issuing: time.issuing,
    sawClock: time.sawClock,
    aheadMs: time.aheadMs,
    clock: host.clock,
    signal: host.signal,
    runCommand: (argv, { env, signal = host.signal } = {}) =>
      run(
        [...argv, ...commonWords(options)],
        // What is awaited, the command says that runs it.
        { ...host, patienceMs: undefined, signal, env: { ...withoutVariables(host.env, COMMANDS), ...env } },
        env ? new Map() : kubeconfigs,
      ),
    verbosity: options.debug === true ? MOST_VERBOSE : Number(options.verbose ?? 0),
    debugLog: (text) => host.stderr.write(`${printableLines(text)}\n`),
  };
  await host.beforeCommand?.();
  const { run: runModule } = await command.load();
  const result = await sayingWhatIsAwaited(context, host.patienceMs, () => runModule(context, options)).catch(
    async (error: unknown) => {
      if (!(error instanceof MeshctlError) || unnamedIn(error.hint ?? '').length === 0) throw error;
      const { namingInError } = await import('./commands/targets/contexts-of-clusters.ts');
      throw await namingInError(context, options, error);
    },
  );
  const isCut = host.signal.aborted && result.exitCode !== 0 && result.exitCode !== undefined;
  // What a command has read by then is a part that would be taken for the whole; what it has written, nothing else tells.
  const hasWritten = options.dryRun === undefined && command.options.some(({ flags }) => flags.startsWith('--dry-run'));
  if (isCut && !hasWritten && !result.isLastSeen) throw new MeshctlError('Interrupted', 'interrupted');
  const shown = isCut ? { ...result, data: { ...result.data, interrupted: true } } : result;
  await writeResult(host, theme, options.output, resultWithRunFlags(shown, addRunFlags), { leftOut, clocks });
  if (!isCut) return result.exitCode ?? 0;
  host.stderr.write(`${theme.fail('✖')} interrupted\n`);
  return exitCodeOf('Interrupted');
}

/** How much is shown and how, for a command line that another one runs. */
function commonWords({ quiet, debug, verbose, color }: ParsedOptions): string[] {
  return [
    ...(quiet ? ['--quiet'] : []),
    ...(debug ? ['--debug'] : []),
    ...Array.from({ length: Number(verbose ?? 0) }, () => '-v'),
    ...(typeof color === 'string' ? ['--color', color] : []),
  ];
}

async function progressFor(options: ParsedOptions, host: Host): Promise<CommandContext['progress']> {
  const colour = colourWanted(host.env, host.stderr, options.color);
  const theme = await createTheme(colour);
  if (isDocumentFormat(options.output) || options.quiet) return quietProgress(host.stderr, theme);
  // A terminal without a size (of `script`, of a pipeline's runner) has no lines that could be redrawn.
  const redraws = (host.stderr.columns ?? 0) > 0 && !host.env.CI && host.env.TERM !== 'dumb' && host.stderr.terminal;
  return redraws && !options.debug && !options.verbose
    ? spinnerProgress(redraws, theme, colour)
    : plainProgress(host.stderr, theme);
}

/** The value of a flag as it stands in a command line that is not parsed yet: the last one, as commander takes it. */
function valueIn(argv: readonly string[], long: string, short?: string): string | undefined {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const values = argv.slice(0, end).flatMap((word, index) => {
    if (word === short || word === long) return argv.slice(index + 1, index + 2);
    if (word.startsWith(`${long}=`)) return [word.slice(long.length + 1)];
    return [];
  });
  return values.at(-1);
}

async function packageVersion({ installation }: Host): Promise<string> {
  return (JSON.parse(await installation.read('package.json')) as { version: string }).version;
}
