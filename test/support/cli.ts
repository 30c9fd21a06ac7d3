import { tmpdir } from 'node:os';
import { run } from '../../src/main.ts';
import type { Clock } from '../../src/mesh/clock.ts';
import { briskClock } from './brisk-clock.ts';
import { CHECKOUT, requireValid } from './schemas.ts';

export interface CliOptions {
  /** By which it is called. Default: `meshctl`. */
  name?: string;
  /** Default: one on which waits are short. */
  clock?: Clock;
  /** What the calendar says. Default: the present time. */
  now?: () => Date;
  /** The whole environment: nothing of the test's own comes along. */
  env?: Record<string, string | undefined>;
  /** Aborting it is Ctrl-C. */
  signal?: AbortSignal;
  /** Default: what is awaited after Ctrl-C is not said. */
  patienceMs?: number;
  cwd?: string;
  /** Width of both streams; with `isTty` only a terminal has one. */
  columns?: number;
  isTty?: boolean;
  /** Standard input, for `-f -`. */
  input?: string;
  /** What is typed when meshctl asks, a line for each question, or what is done before it; absent: there is nobody to ask. */
  answers?: readonly (string | (() => Promise<string>))[];
  /** Hears each piece of output as it is written, e.g. to press Ctrl-C at a certain line. */
  onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
}

export interface CliResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs one meshctl command line in this process, with the real main but a terminal of its own. */
export async function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { env = {}, signal = new AbortController().signal, cwd = tmpdir(), columns, isTty = false } = options;
  const written = { stdout: '', stderr: '' };
  const sink = (stream: 'stdout' | 'stderr') => ({
    write(text: string) {
      written[stream] += text;
      options.onOutput?.(text, stream);
    },
    isTty,
    columns,
  });
  const answers = options.answers && [...options.answers];
  const ask = async (prompt: string): Promise<string | undefined> => {
    sink('stderr').write(prompt);
    const answer = answers?.shift();
    return typeof answer === 'function' ? answer() : answer;
  };
  const exitCode = await run(argv, {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    keyboard: answers && { ask },
    input: async () => options.input ?? '',
    env,
    cwd,
    signal,
    patienceMs: options.patienceMs,
    now: options.now ?? (() => new Date()),
    clock: options.clock ?? briskClock(),
    installation: { ...CHECKOUT, name: options.name ?? CHECKOUT.name },
  });
  return { exitCode, ...written };
}

/** The document that a command printed with `-o json`, valid by the schema of its kind. */
export function jsonOf(result: CliResult): Record<string, unknown> {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(result.stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`no JSON on stdout (exit ${result.exitCode}):\n${result.stdout}\n${result.stderr}`);
  }
  requireValid(document);
  requireReason(document, result.exitCode);
  return document;
}

/** @throws Error where a plan ends with a failure of which its document has nothing: who reads that takes the plan for sound */
function requireReason(document: Record<string, unknown>, exitCode: number): void {
  if (exitCode === 0 || document.kind !== 'Plan') return;
  const { refused, failures, unreachable, clusters } = document;
  const isJudged = (clusters as { steps: { server?: { accepted: boolean } }[] }[]).some(({ steps }) =>
    steps.some(({ server }) => server?.accepted === false),
  );
  if (refused || failures || unreachable || isJudged) return;
  throw new Error(`the plan does not say why it exits ${exitCode}:\n${JSON.stringify(document, null, 1)}`);
}

/** What is said of a failure: the sentence with its hint, after the progress lines; nothing on stdout. */
export function failureOf({ exitCode, stdout, stderr }: CliResult): { exitCode: number; says: string } {
  if (stdout !== '') throw new Error(`a failure has no result, but stdout has:\n${stdout}`);
  return { exitCode, says: stderr.slice(stderr.lastIndexOf('✖ ')) };
}
