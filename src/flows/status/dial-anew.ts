import pLimit from 'p-limit';
import type { ExecOptions, ExecResult } from '../../kube/exec.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { FailureReason } from '../../mesh/status/status.ts';
import { type DialOutcome, dialOutcomes, isTooOld } from '../../mesh/status/troubleshoot.ts';
import { firstLine } from '../first-line.ts';
import { type StatusProgram, TROUBLESHOOT_TIMEOUT_MS, TROUBLESHOOTS_AT_A_TIME } from './status-programs.ts';

export type Exec = (command: readonly string[], options: ExecWait) => Promise<ExecResult>;

interface ExecWait extends Pick<ExecOptions, 'onLate'> {
  signal: AbortSignal;
  /** Default: what is left for the pod's answer. */
  timeoutMs?: number | undefined;
}

/** A pod that is to make new connections to its peers. */
export interface DiallingPod {
  of: StatusProgram;
  exec: Exec;
  signal: AbortSignal;
}

/** What a program wrote, or why it was not heard to its end, and what it had written to stdout by then. */
type Heard = ExecResult | { failure: MeshctlError; stdout: string };

/** What came of new connections. */
export interface Dials {
  /** By peer: why one fails, or could not be tried. Absent where the program is too old to try. */
  failingDials?: Map<string, FailureReason>;
  /** The pod did not let itself be asked, as one that is being replaced. */
  brokeOff?: true;
}

/** Has a pod dial all its peers. Rejects only where it is not waited for any more. */
export function dialAll(pod: DiallingPod): Promise<Heard> {
  return hear(pod, pod.of.troubleshoot);
}

async function hear({ exec, signal }: DiallingPod, command: readonly string[], timeoutMs?: number): Promise<Heard> {
  let stdout = '';
  const onLate = (written: string) => {
    stdout = written;
  };
  try {
    return await exec(command, { signal, timeoutMs, onLate });
  } catch (failure) {
    signal.throwIfAborted();
    if (!(failure instanceof MeshctlError)) throw failure;
    return { failure, stdout };
  }
}

/**
 * What came of new connections to these peers. Those of which {@link dialAll} says nothing are dialled each by itself: it looks
 * at one after the other, and at one whose packets are lost for five seconds (`--timeout` of Cilium's troubleshoot), so that two of these
 * may take its time. One of which nothing is heard then either is not called connected.
 */
export async function readDials(pod: DiallingPod, heard: Heard, peers: readonly string[]): Promise<Dials> {
  if (!('failure' in heard) && isTooOld(heard)) return {};
  const known = outcomesIn(heard);
  const limit = pLimit(TROUBLESHOOTS_AT_A_TIME);
  let broken: Heard | undefined;
  const outcomes = await Promise.all(
    peers.map(async (peer): Promise<[string, DialOutcome]> => {
      const outcome = known.get(peer);
      if (outcome) return [peer, outcome];
      const command = [...pod.of.troubleshoot, peer];
      const alone = await limit(() => broken ?? hear(pod, command, TROUBLESHOOT_TIMEOUT_MS));
      // What keeps a pod from being asked about one peer keeps it from being asked about the others.
      if ('failure' in alone && alone.failure.code !== 'Timeout') broken ??= alone;
      return [peer, outcomesIn(alone).get(peer) ?? unheard(alone, peer, command)];
    }),
  );
  const failing = outcomes.flatMap(([peer, outcome]): [string, FailureReason][] =>
    outcome === 'works' ? [] : [[peer, outcome]],
  );
  return { failingDials: new Map(failing), ...(broken ? { brokeOff: true } : {}) };
}

function outcomesIn(heard: Heard): Map<string, DialOutcome> {
  // Where time was up in the middle of a line, that is not what it was to say.
  if ('failure' in heard) return dialOutcomes(heard.stdout.slice(0, heard.stdout.lastIndexOf('\n') + 1));
  return heard.exitCode === 0 ? dialOutcomes(heard.stdout) : new Map();
}

/** What is told of a peer where nobody could say how a new connection to it does. */
function unheard(heard: Heard, peer: string, command: readonly string[]): DialOutcome {
  if ('failure' in heard) {
    const { code, message } = heard.failure;
    return code === 'Timeout'
      ? { class: 'timed-out', message: `no answer to a new connection: ${message}` }
      : { class: 'agent-unreachable', message };
  }
  // Of no failure is known.
  if (isTooOld(heard)) return 'works';
  const { stdout, stderr, exitCode } = heard;
  const how = exitCode === 0 ? `says nothing of "${peer}"` : `ended with ${exitCode}`;
  return { class: 'agent-unreachable', message: `${command.join(' ')} ${how}: ${firstLine(stderr || stdout)}` };
}
