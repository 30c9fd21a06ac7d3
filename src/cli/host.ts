/** The process as meshctl sees it; tests give their own. */
export interface Host {
  stdout: TextSink;
  stderr: TextSink;
  /** Absent: there is nobody to ask. */
  keyboard?: Keyboard | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  now(): Date;
  /** Aborted on Ctrl-C and SIGTERM. */
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
 * ends the process at once. A reader that goes away (`| head`) is no error.
 */
export function processHost(packageRoot: URL): Host {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
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

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
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
