import type { ClusterClient } from '../kube/client.ts';

/** What a workflow needs of the world; a command's context is one. */
export interface Flow {
  progress: FlowProgress;
  now(): Date;
  signal: AbortSignal;
  packageRoot: URL;
}

interface FlowProgress {
  start(text: string): FlowTask;
  warn(text: string): void;
  info(text: string): void;
}

interface FlowTask {
  update(text: string): void;
  tick(text: string): void;
  done(text?: string): void;
  fail(text?: string): void;
  stop(): void;
}

/** One cluster that a workflow acts on. */
export interface Target {
  client: ClusterClient;
  /** Cilium's namespace. */
  namespace: string;
}

/** Runs a piece of work under a progress line that ends with it, whichever way. */
export async function during<T>(
  flow: Pick<Flow, 'progress'>,
  text: string,
  work: (task: FlowTask) => Promise<T>,
  done?: (result: T) => string,
): Promise<T> {
  const task = flow.progress.start(text);
  try {
    const result = await work(task);
    task.done(done?.(result));
    return result;
  } catch (error) {
    task.fail();
    throw error;
  }
}
