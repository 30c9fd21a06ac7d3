import type { ClusterClient } from '../kube/client.ts';
import type { Clock } from '../mesh/clock.ts';
import type { Installation } from '../mesh/installation.ts';

/** What a workflow needs of the world; a command's context is one. */
export interface Flow {
  progress: Progress;
  now(): Date;
  /** For waits and their deadlines. */
  clock: Clock;
  /** Aborted on Ctrl-C or SIGTERM. */
  signal: AbortSignal;
  /** Has templates/. */
  installation: Installation;
}

/** Progress goes to stderr: a spinner on a TTY, one plain line per event elsewhere, only warnings with `-o json|yaml`. */
interface Progress {
  /** Starts a task. Each task ends with exactly one of done, fail or stop. */
  start(text: string): Task;
  /** A note that stays, e.g. a warning. */
  warn(text: string): void;
  info(text: string): void;
}

interface Task {
  update(text: string): void;
  /** A state that goes by, e.g. a count: shown only where the next one can take its place, on a terminal. */
  tick(text: string): void;
  done(text?: string): void;
  fail(text?: string): void;
  /** Ends without a word. */
  stop(): void;
}

/** One cluster that a workflow acts on. */
export interface Target {
  client: ClusterClient;
  /** Cilium's namespace. */
  namespace: string;
}

/**
 * Runs a piece of work under a progress line that ends with it, whichever way.
 * @param done the line's words at the end
 * @param good whether what came out is what was hoped for; if not, the line is that of a failure
 */
export async function during<T>(
  flow: Pick<Flow, 'progress'>,
  text: string,
  work: (task: Task) => Promise<T>,
  done?: (result: T) => string,
  good: (result: T) => boolean = () => true,
): Promise<T> {
  const task = flow.progress.start(text);
  try {
    const result = await work(task);
    if (good(result)) task.done(done?.(result));
    else task.fail(done?.(result));
    return result;
  } catch (error) {
    task.fail();
    throw error;
  }
}
