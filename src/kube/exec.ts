import type { WebSocket } from 'ws';
import { errorOfAbort, MeshctlError } from '../mesh/errors.ts';
import { type KubeStatus, soundStatus } from './api-status.ts';
import type { ApiAction, Whereabouts } from './errors.ts';
import { linkSignals, timeoutSignal } from './http/linked-signal.ts';
import type { Transport } from './http/transport.ts';
import { segment } from './resources.ts';

export interface ExecOptions {
  namespace: string;
  pod: string;
  container: string;
  command: readonly string[];
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Of stdout and stderr together; more is an error. Default 16 MiB. */
  maxOutputBytes?: number | undefined;
  /** Told, where it does not end in time, what it has written to stdout by then. */
  onLate?: ((stdout: string) => void) | undefined;
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** v5 adds closing of streams, which only stdin needs; a server picks what it knows. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs a command in a container, without stdin. A non-zero exit is a result, not an error.
 * Throws `ExecFailed` (the command could not run, or the connection broke before its status came), `Timeout`,
 * `NotFound` (no such pod), `Forbidden` and so on.
 */
export async function execInPod(transport: Transport, at: Whereabouts, options: ExecOptions): Promise<ExecResult> {
  const { namespace, pod, container, command, timeoutMs, onLate } = options;
  const { maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = options;
  const place = `container ${container} of Pod ${namespace}/${pod}`;
  // As a GET it needs the verb get; from Kubernetes 1.35 on also create, as exec over SPDY always has.
  const action: ApiAction = {
    ...at,
    verb: 'get',
    target: `Pod ${namespace}/${pod}`,
    attempt: `run ${command.join(' ')} in ${place}`,
    apiGroup: '',
    resource: 'pods/exec',
    namespace,
  };
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  for (const word of command) query.append('command', word);
  const path = `/api/v1/namespaces/${segment(namespace, 'a namespace')}/pods/${segment(pod, 'a Pod')}/exec?${query}`;

  const own = transport.signalOf(options.signal);
  const { signal, unlink } = linkSignals(own.signal, timeoutSignal(timeoutMs));
  const said = `context "${at.context}": ${command.join(' ')} in ${place}`;
  const details = { context: at.context, object: place, command: [...command] };
  const failed = (why: string) => new MeshctlError('ExecFailed', `${said} ${why}`, { details });
  const aborted = () =>
    own.signal.aborted
      ? errorOfAbort(own.signal)
      : new MeshctlError('Timeout', `${said} did not end within ${timeoutMs / 1000} s`, { details });

  try {
    const socket = await transport.openWebSocket({ action, path, signal }, PROTOCOLS);
    const { status, stdout, stderr } = await outcomeOver(socket, signal, {
      failed,
      aborted,
      maxOutputBytes,
      onAborted: (written) => {
        if (!own.signal.aborted) onLate?.(written);
      },
    });
    const exitCode = exitCodeIn(status);
    if (exitCode === undefined) throw failed(`could not run: ${status.message ?? status.reason ?? 'no reason given'}`);
    return { stdout, stderr, exitCode };
  } catch (error) {
    throw signal.aborted ? aborted() : error;
  } finally {
    unlink();
    own.unlink();
  }
}

interface Outcome {
  status: KubeStatus;
  stdout: string;
  stderr: string;
}

interface OutcomeOptions {
  failed: (why: string) => MeshctlError;
  aborted: () => MeshctlError;
  maxOutputBytes: number;
  /** Told what was on stdout by then. */
  onAborted: (stdout: string) => void;
}

/** Collects what a command writes, until its status comes. */
async function outcomeOver(
  socket: WebSocket,
  signal: AbortSignal,
  { failed, aborted, maxOutputBytes, onAborted }: OutcomeOptions,
): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let size = 0;
  let onAbort: (() => void) | undefined;
  try {
    const status = await new Promise<KubeStatus>((resolve, reject) => {
      onAbort = () => {
        onAborted(Buffer.concat(stdout).toString('utf8'));
        reject(aborted());
      };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      socket.on('message', (data: Buffer) => {
        const channel = data[0];
        const payload = data.subarray(1);
        if (channel === STDOUT || channel === STDERR) {
          size += payload.length;
          if (size > maxOutputBytes) reject(failed(`wrote more than ${maxOutputBytes} bytes`));
          else (channel === STDOUT ? stdout : stderr).push(payload);
        } else if (channel === STATUS && payload.length > 0) {
          try {
            resolve(soundStatus(JSON.parse(payload.toString('utf8'))) ?? {});
          } catch {
            reject(failed('ended with an unreadable status'));
          }
        }
      });
      socket.on('error', (error) => reject(failed(`broke off: ${error.message}`)));
      socket.on('close', () => reject(failed('broke off: the connection closed before its exit status came')));
      socket.resume();
    });
    return { status, stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') };
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
    socket.terminate();
  }
}

/** Undefined when the command did not run. */
function exitCodeIn(status: KubeStatus): number | undefined {
  if (status.status === 'Success') return 0;
  if (status.reason !== 'NonZeroExitCode') return undefined;
  const code = Number(status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message);
  return Number.isInteger(code) ? code : undefined;
}
