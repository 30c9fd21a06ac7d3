import { addAbortSignal } from 'node:stream';
import { isatty } from 'node:tty';
import type { Clock } from '../../mesh/clock.ts';
import type { Installation } from '../../mesh/installation.ts';
import { ONE_WISH_MS, onInterrupt } from './interruption.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';

/** The process as meshctl sees it; tests give their own. */
export interface Host {
  stdout: TextSink;
  stderr: TextSink;
  /** Absent: there is nobody to ask. */
  keyboard?: Keyboard | undefined;
  /** All of standard input; absent: there is none. Rejects when the signal is aborted. */
  input?: ((signal: AbortSignal) => Promise<string>) | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  now(): Date;
  /** For waits and their deadlines. */
  clock: Clock;
  /** Aborted on Ctrl-C, SIGTERM, and when the terminal is gone. */
  signal: AbortSignal;
  /** A command that goes on for so long after Ctrl-C says what it waits for; absent: it does not. */
  patienceMs?: number | undefined;
  installation: Installation;
  /** What the process needs for the work of a command, and not for --help. */
  beforeCommand?(): Promise<void>;
}

/** Someone at a terminal. */
export interface Keyboard {
  /** The line that is typed after `prompt`; undefined at the end of input. Rejects when the signal is aborted. */
  ask(prompt: string, signal: AbortSignal): Promise<string | undefined>;
}

/** A terminal or a pipe. */
export interface TextSink {
  write(text: string): void;
  isTty: boolean;
  /** Width of the terminal in characters; undefined for a pipe. */
  columns?: number | undefined;
  /** Its height in lines. */
  rows?: number | undefined;
  /** The terminal itself, for lines that are drawn anew; undefined for a pipe. */
  terminal?: NodeJS.WriteStream | undefined;
}

/** The host of a process, which can tell what became of its output. */
export interface ProcessHost extends Host {
  /** Resolves when the system has taken all of stdout; with the error if it did not. A reader that went away is none. */
  drained(): Promise<Error | undefined>;
}

/**
 * The real process. The first Ctrl-C or SIGTERM aborts the signal, so that a command can put things back; another one
 * after that ends the process at once. So does the end of whoever reads along: SIGHUP of its terminal, or a log that takes nothing any
 * more (a terminal that is gone, a full disk, a closed pipe), but never at once: nobody is there any more who would wait. A
 * reader of stdout that goes away (`| head`) is no error.
 */
export function processHost(installation: Installation): ProcessHost {
  const controller = new AbortController();
  const stop = onInterrupt({
    ms: () => performance.now(),
    abort: () => controller.abort(),
    exit: () => {
      writeSafely(process.stderr, STOPPED, () => undefined);
      process.exit(130);
    },
  });
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const hangUp = (): void => controller.abort();
  // What was started with `nohup` is to go on, and cannot see that it was: Node takes back the signals that it finds ignored, so
  // that without a listener it would die. But nohup lets nothing be written to a terminal; and who writes to none does not lose
  // its reader. Its stdin may be one: only some systems' nohup (GNU, BusyBox) closes that, POSIX does not ask for it.
  const hasTerminal = [1, 2].some((descriptor) => isatty(descriptor));
  process.on('SIGHUP', hasTerminal ? hangUp : () => undefined);
  let lost: NodeJS.ErrnoException | undefined;
  const stdout = sinkOf(process.stdout, (error) => {
    if (error.code === 'EPIPE') return;
    lost ??= error;
    if (HUNG_UP.includes(error.code)) hangUp();
  });
  return {
    stdout,
    stderr: sinkOf(process.stderr, hangUp),
    // To look at process.stdin would open it.
    keyboard: isatty(0) && isatty(2) ? { ask: askOnTerminal } : undefined,
    input: (signal) => textOfInput(process.stdin, signal),
    env: process.env,
    cwd: process.cwd(),
    now: () => new Date(),
    clock: SYSTEM_CLOCK,
    signal: controller.signal,
    patienceMs: ONE_WISH_MS,
    installation,
    beforeCommand: keepLittleGarbage,
    async drained() {
      await new Promise<void>((resolve) => writeSafely(process.stdout, '', () => resolve()));
      return lost;
    },
  };
}

/** Node versions whose V8 knows the flag below; one that does not would complain on every run. */
const NODES_WITH_GROWTH_FACTOR = ['20', '22', '24'];

/** Answers of many agents are garbage at once: a young generation that does not grow saves a fifth of the memory. */
async function keepLittleGarbage(): Promise<void> {
  const [major = ''] = process.versions.node.split('.');
  if (!NODES_WITH_GROWTH_FACTOR.includes(major)) return;
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--semi-space-growth-factor=1');
}

const STOPPED =
  '✖ stopped at once: writes and rollbacks that were under way are left unfinished; run the same command again to continue from there\n';

async function textOfInput(stream: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of addAbortSignal(signal, stream)) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString('utf8');
}

async function askOnTerminal(prompt: string, signal: AbortSignal): Promise<string | undefined> {
  const { createInterface } = await import('node:readline');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((resolve, reject) => {
      reader.on('close', () => resolve(undefined));
      // readline takes Ctrl-C for itself while it reads; the process shall hear of it as always.
      reader.on('SIGINT', () => process.emit('SIGINT'));
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      reader.question(prompt, resolve);
    });
  } finally {
    reader.close();
  }
}

/** What a write to a terminal that is gone fails with. */
const HUNG_UP: readonly (string | undefined)[] = ['EIO', 'ENXIO'];

function sinkOf(stream: NodeJS.WriteStream, onFailure: (error: NodeJS.ErrnoException) => void): TextSink {
  stream.on('error', onFailure);
  return {
    write: (text) => writeSafely(stream, text, (error) => error && onFailure(error)),
    get isTty() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
    terminal: stream.isTTY ? stream : undefined,
  };
}

/** Writes; what fails is told to `done` and never thrown, as Node's streams of files do. */
function writeSafely(
  stream: NodeJS.WriteStream,
  text: string,
  done: (error?: NodeJS.ErrnoException | null) => void,
): void {
  try {
    stream.write(text, done);
  } catch (error) {
    done(error as NodeJS.ErrnoException);
  }
}
