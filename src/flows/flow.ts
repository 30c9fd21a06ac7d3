import type { ClusterClient } from '../kube/client.ts';
import type { Clock } from '../mesh/clock.ts';
import type { MeshctlError } from '../mesh/errors.ts';
import type { Installation } from '../mesh/installation.ts';

/** What a workflow needs of the world; a command's context is one. */
export interface Flow {
  progress: Progress;
  now(): Date;
  /** By which certificates are dated: no cluster that is to accept them may be behind it. Default: `now`. */
  issuing?(): Date;
  /** For waits and their deadlines. */
  clock: Clock;
  /** Aborted on Ctrl-C or SIGTERM. */
  signal: AbortSignal;
  /** Has templates/. */
  installation: Installation;
  /**
   * A refusal of one of several clusters, with all rights that the user lacks there: who grants one after the other runs the command as
   * often. Any other error stays as it is. Absent where nobody tells.
   */
  inFull?: ((target: Target, error: MeshctlError) => Promise<MeshctlError>) | undefined;
}

/** Progress goes to stderr: a spinner on a TTY, one plain line per event elsewhere, only warnings with `-o json|yaml`. */
interface Progress {
  /**
   * Starts a task. Each task ends with exactly one of done, fail or stop.
   * @param onlyLong it is mostly over at once: it has a line only once it has lasted, a second on a terminal, three elsewhere
   */
  start(text: string, onlyLong?: 'only-long'): Task;
  /** A note that stays, e.g. a warning. */
  warn(text: string): void;
  info(text: string): void;
}

/** A piece of work whose line an operator sees. */
export interface Task {
  update(text: string): void;
  /** A state that goes by, e.g. a count: shown only where the next one can take its place, on a terminal. */
  tick(text: string): void;
  /** @param text what is so now: no line ends in what was being done */
  done(text: string): void;
  fail(text?: string): void;
  /** Ends without a word. */
  stop(): void;
}

/** The time by which a certificate is dated that is made now. */
export function issuingTime(flow: Pick<Flow, 'now' | 'issuing'>): Date {
  return flow.issuing?.() ?? flow.now();
}

/** One cluster that a workflow acts on. */
export interface Target {
  client: ClusterClient;
  /** Cilium's namespace. */
  namespace: string;
}

/** The words of a progress line: while it lasts, and when it is over. */
export interface ProgressWords<T> {
  doing: string;
  done: string | ((result: T) => string);
  /** Whether what came out is what was hoped for; if not, the line ends as that of a failure. Default: it always is. */
  good?: (result: T) => boolean;
  /** The clusters that it is about: of none of them there is no line, which would end as well done. Default: there are some. */
  of?: readonly unknown[];
}

const nothing = () => undefined;
const UNSEEN: Task = { update: nothing, tick: nothing, done: nothing, fail: nothing, stop: nothing };

/** Runs a piece of work under a progress line that ends with it, whichever way. */
export async function during<T>(
  flow: Pick<Flow, 'progress'>,
  { doing, done, good = () => true, of }: ProgressWords<T>,
  work: (task: Task) => Promise<T>,
): Promise<T> {
  if (of?.length === 0) return work(UNSEEN);
  const task = flow.progress.start(doing);
  try {
    const result = await work(task);
    const said = typeof done === 'string' ? done : done(result);
    if (good(result)) task.done(said);
    else task.fail(said);
    return result;
  } catch (error) {
    task.fail();
    throw error;
  }
}
