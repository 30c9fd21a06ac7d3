import type { Readable, Writable } from 'node:stream';
import type { Container, Pod } from '../objects.ts';

/** What a stood-in container program gets from its kubelet. */
export interface ContainerContext {
  /** As started: with its node and addresses. */
  pod: Pod;
  container: Container;
  /** Command and arguments, variables expanded. */
  argv: readonly string[];
  environment: ReadonlyMap<string, string>;
  /** The mounted files by absolute path, as the container sees them now. */
  files(): ReadonlyMap<string, Buffer>;
  /** The other programs of the pod, by container name; grows while the pod starts. */
  siblings: ReadonlyMap<string, ContainerProcess>;
  /** To be called when readiness or the crash reason may have changed. */
  changed(): void;
}

export interface ExecStreams {
  stdin?: Readable | undefined;
  stdout: Writable;
  stderr: Writable;
  signal: AbortSignal;
}

/** A stood-in program: what runs in one container. */
export interface ContainerProcess {
  ready(): boolean;
  /** Why the program exited, while it does not run; it runs again once its files allow it. */
  crashed?(): string | undefined;
  /** The mounted files have changed. */
  filesChanged?(): void;
  /** The etcd of the pod has another server certificate: what was refused for the former one may be dialled anew. */
  serverChanged?(): void;
  /** Runs a program of the container's image. Resolves with its exit code, or undefined where it has no such program. */
  exec?(argv: readonly string[], streams: ExecStreams): Promise<number | undefined>;
  /** How long the program goes on after its pod was deleted, to end what it has begun. Absent: it ends at once. */
  drainMs?: number;
  /** Lines of the container's log. */
  logs(): readonly string[];
  /** Ends the program and all that it holds. */
  close(): void;
}

/** Starts the stand-in for a container. */
export type StartProcess = (context: ContainerContext) => ContainerProcess;

/** The last lines that a program logged. */
export interface ProcessLog {
  write(line: string): void;
  lines(): readonly string[];
}

const LOG_LINES = 200;

/** A log with times, that opens by saying that the container is simulated. */
export function createProcessLog(container: string, now: () => Date): ProcessLog {
  const lines: string[] = [];
  const write = (line: string) => {
    lines.push(`time=${now().toISOString()} ${line}`);
    if (lines.length > LOG_LINES) lines.splice(1, 1);
  };
  write(`level=info msg="Container ${container} is simulated: meshctl's sandbox stands in for its program"`);
  return { write, lines: () => lines };
}
