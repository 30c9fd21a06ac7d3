import { type PassThrough, Writable } from 'node:stream';
import type { PodRuntime } from '../api.ts';
import { badRequest, toApiError } from '../errors.ts';
import type { JsonObject } from '../fields/json.ts';

/** What an exec request asks for, from its query. */
export interface ExecParameters {
  namespace: string;
  pod: string;
  container: string;
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** The streams of a session with the client, over whichever protocol. */
export interface ExecSession {
  /** What the client sends; ends when it closes its side. */
  stdin: PassThrough;
  send(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  /** Sends the final status and ends the session. */
  finish(status: JsonObject): void;
  signal: AbortSignal;
}

/** Reads the query of an exec request. Throws 400. */
export function execParameters(
  query: URLSearchParams,
  place: { namespace: string; pod: string; container: string },
): ExecParameters {
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least 1 command for the container');
  const flag = (name: string): boolean => query.get(name) === 'true' || query.get(name) === '1';
  const [stdin, stdout, stderr, tty] = [flag('stdin'), flag('stdout'), flag('stderr'), flag('tty')];
  if (!stdin && !stdout && !stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  if (tty && stderr) throw badRequest('tty and stderr cannot both be true');
  return { ...place, command, stdin, stdout, stderr, tty };
}

function statusOf(exitCode: number): JsonObject {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** Runs the command and carries its streams, then its status. */
export async function runExec(runtime: PodRuntime, parameters: ExecParameters, session: ExecSession): Promise<void> {
  const output = (stream: 'stdout' | 'stderr', wanted: boolean): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (wanted && !session.signal.aborted) session.send(stream, chunk);
        done();
      },
    });
  const { stdin, stdout, stderr, ...request } = parameters;
  try {
    const exitCode = await runtime.exec({
      ...request,
      ...(stdin ? { stdin: session.stdin } : {}),
      stdout: output('stdout', stdout),
      stderr: output('stderr', stderr),
      signal: session.signal,
    });
    session.finish(statusOf(exitCode));
  } catch (error) {
    const { metadata, status, message, reason, details, code } = toApiError(error).toStatus();
    session.finish({ metadata, status, message, reason, details, code });
  }
}
