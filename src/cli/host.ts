/** The process as meshctl sees it; tests give their own. */
export interface Host {
  stdout: TextSink;
  stderr: TextSink;
  /** Absent: there is nobody to ask. */
  keyboard?: Keyboard | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  now(): Date;
  /** Aborted on Ctrl-C, SIGTERM, and when the terminal is gone. */
  signal: AbortSignal;
  /** The folder of the installed package, with a slash at its end. */
  packageRoot: URL;
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
}

/**
 * The real process. The first Ctrl-C or SIGTERM aborts the signal, so that a command can put things back; a second one
 * ends the process at once. So does the terminal's end (SIGHUP, or only a failing write), but never at once: nobody is there
 * any more who would wait. A reader that goes away (`| head`) is no error.
 */
export function processHost(packageRoot: URL): Host {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const hangUp = (): void => controller.abort();
  process.on('SIGHUP', hangUp);
  return {
    stdout: sinkOf(process.stdout, hangUp),
    stderr: sinkOf(process.stderr, hangUp),
    keyboard: process.stdin.isTTY && process.stderr.isTTY ? { ask: askOnTerminal } : undefined,
    env: process.env,
    cwd: process.cwd(),
    now: () => new Date(),
    signal: controller.signal,
    packageRoot,
  };
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

function sinkOf(stream: NodeJS.WriteStream, onHangUp: () => void): TextSink {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (HUNG_UP.includes(error.code)) onHangUp();
    else if (error.code !== 'EPIPE') throw error;
  });
  return {
    write: (text) => void stream.write(text),
    get isTty() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns;
    },
  };
}
