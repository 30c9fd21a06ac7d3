import { dirname } from 'node:path';
import { execa } from 'execa';
import type { CliResult } from './cli.ts';
import { missingProgram } from './e2e-programs.ts';
import type { FaultEntry } from './fault.ts';
import { BOTH, type FaultMesh } from './fault-mesh.ts';
import { kubectlStandIn } from './kubectl-stand-in.ts';
import { isLook, type PrintedCommand, printedCommands } from './printed-commands.ts';
import { textOf } from './verdicts.ts';

export const STATUS = ['clustermesh', 'status', '--context', BOTH];
export const CHECK = ['clustermesh', 'check', '--context', BOTH];

/**
 * What was mended is well within so many looks, however long each takes: programs of the sandbox try again after a few of their
 * intervals.
 */
const CONNECTED_WITHIN_LOOKS = 80;
const WELL_WITHIN_LOOKS = 4;
const LOOK_INTERVAL_MS = 50;
/** A command that waits for what is not to come is ended then, as an operator would. */
const PATIENCE_MS = 120_000;
/** Hints of hints that are followed. */
const DEEPEST = 3;
/** Why no look of kubectl can be had; false where it can. */
export const WITHOUT_KUBECTL = missingProgram('kubectl', 'version', '--client');

/**
 * Types what was printed, as it was printed, in its order; what fails must say what to type instead.
 * @param log hears of each command with its exit status
 * @returns how many commands were to mend something
 */
export async function follow(
  mesh: FaultMesh,
  fault: FaultEntry,
  commands: readonly PrintedCommand[],
  log: string[],
  depth = 0,
): Promise<number> {
  let mending = 0;
  for (const command of commands) {
    if (isLook(command) || fault.gone?.some((placeholder) => command.argv.includes(placeholder))) continue;
    mending += 1;
    const result = await type(mesh, fault, command);
    log.push(`${'  '.repeat(depth)}$ ${command.line}    # exit ${result.exitCode}`);
    if (result.exitCode === 0) continue;
    log.push(textOf(result).replaceAll(/^/gm, '  '.repeat(depth + 2)));
    // A plan that was not carried out says what would be next after it.
    const next = printedCommands({ ...result, stderr: result.stderr.slice(result.stderr.lastIndexOf('✖ ')) });
    const indented = textOf(result).replaceAll('\n', `\n${'  '.repeat(depth + 1)}`);
    if (depth === DEEPEST) throw new Error(`in a circle: ${command.line}\n${indented}`);
    if (next.length === 0 && !fault.operator)
      throw new Error(`it fails, and says no next step: ${command.line}\n${indented}`);
    mending += await follow(mesh, fault, next, log, depth + 1);
  }
  return mending;
}

/** How meshctl is run, by arguments. */
type Run = (argv: string[]) => Promise<CliResult>;

/**
 * Types a command that only looks, and each one that it prints to look further, until there is none that was not typed: a next step is to
 * tell more than what printed it.
 * @returns the commands that were printed to mend, in their order
 * @throws Error where a look leads to itself, or back to one by which it was come to
 */
export async function followLooks(run: Run, argv: readonly string[]): Promise<PrintedCommand[]> {
  const typed = new Set<string>();
  const mending = new Map<string, PrintedCommand>();
  const walk = async (words: readonly string[], path: readonly string[]): Promise<void> => {
    const key = words.join(' ');
    if (typed.has(key)) return;
    typed.add(key);
    const result = await run([...words]);
    for (const command of printedCommands(result)) {
      if ([...path, key].includes(command.argv.join(' '))) throw new Error(`in a circle: ${key}\n${textOf(result)}`);
      if (!isLook(command)) mending.set(command.line, command);
      else if (command.program === 'meshctl') await walk(command.argv, [...path, key]);
    }
  };
  await walk(argv, []);
  return [...mending.values()];
}

/** Runs a command that only shows, and requires that it shows what the fault promises. */
export async function requireEvidence(mesh: FaultMesh, fault: FaultEntry, command: PrintedCommand): Promise<void> {
  // What meshctl itself shows of it is what the other tests are about.
  if (command.program === 'meshctl') return;
  const result = await type(mesh, fault, command);
  const said = `${command.line}\n${textOf(result)}`;
  // Where nothing answers, a look that fails is what there is to see.
  if (result.exitCode !== 0 && !fault.evidence?.test(result.stderr)) throw new Error(`a look that fails: ${said}`);
  if (!fault.evidence) throw new Error(`nothing is promised of what this shows: ${said}`);
  if (result.exitCode === 0 && !fault.evidence.test(result.stdout))
    throw new Error(`no evidence ${fault.evidence} in: ${said}`);
}

/** Placeholders are filled in, as an operator would; anything else stays as it was printed. */
async function type(mesh: FaultMesh, fault: FaultEntry, { program, argv, input }: PrintedCommand): Promise<CliResult> {
  const words = argv.map((word) =>
    word.replaceAll(/<[^<>]+>/g, (placeholder) => {
      const filled = fault.fill?.[placeholder];
      if (filled === undefined) throw new Error(`nobody knows what to put for ${placeholder} in: ${argv.join(' ')}`);
      return filled;
    }),
  );
  if (program === 'meshctl') return withPatience((signal) => mesh.run(words, { signal }));
  if (WITHOUT_KUBECTL) {
    kubectlStandIn([mesh.one, mesh.two], mesh.kubeconfigPath, words, input);
    return { exitCode: 0, stdout: '', stderr: '' };
  }
  const { PATH = '' } = process.env;
  const {
    exitCode = 1,
    stdout,
    stderr,
  } = await execa('kubectl', words, {
    env: { PATH, HOME: dirname(mesh.kubeconfigPath) },
    extendEnv: false,
    reject: false,
    timeout: PATIENCE_MS,
    ...(input === undefined ? {} : { input }),
  });
  // Two of several commands that restart something are typed within one second: the first one does for both.
  if (/if restart has already been triggered within the past second/.test(stderr))
    return { exitCode: 0, stdout, stderr };
  return { exitCode, stdout, stderr };
}

/** Ctrl-C after a while. */
async function withPatience<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ctrlC = new AbortController();
  const timer = setTimeout(() => ctrlC.abort(), PATIENCE_MS);
  try {
    return await work(ctrlC.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What `status` and `check` say of what is still wrong after some time, also for those that dial anew; undefined when all is
 * well.
 */
export async function troubleOf(mesh: FaultMesh): Promise<CliResult[] | undefined> {
  mesh.redial();
  // Not at once: whoever was connected has to hear of it first.
  for (let look = 1; look <= CONNECTED_WITHIN_LOOKS; look++) {
    await new Promise((done) => setTimeout(done, LOOK_INTERVAL_MS));
    if (await mesh.isConnected()) break;
  }
  for (let look = 1; look <= WELL_WITHIN_LOOKS; look++) {
    if (await mesh.isWell()) return undefined;
    await new Promise((done) => setTimeout(done, LOOK_INTERVAL_MS));
  }
  const said = [await mesh.meshctl(STATUS), await mesh.meshctl(CHECK)];
  return said.every(({ exitCode }) => exitCode === 0) ? undefined : said;
}
