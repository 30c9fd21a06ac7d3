import pLimit from 'p-limit';
import type { ExecResult } from '../../kube/exec.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { FailureReason } from '../../mesh/status/status.ts';
import { type DialOutcome, dialOutcomes, isTooOld } from '../../mesh/status/troubleshoot.ts';
import { firstLine } from '../first-line.ts';
import { type StatusProgram, TROUBLESHOOT_TIMEOUT_MS, TROUBLESHOOTS_AT_A_TIME } from './status-programs.ts';

/** @param timeoutMs default: what is left for the pod's answer */
export type Exec = (command: readonly string[], signal: AbortSignal, timeoutMs?: number) => Promise<ExecResult>;

/** A pod that is to make new connections to its peers. */
export interface DiallingPod {
  of: StatusProgram;
  exec: Exec;
  signal: AbortSignal;
}

/** What a program wrote, or why nothing is heard of it. */
type Heard = ExecResult | MeshctlError;

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
  try {
    return await exec(command, signal, timeoutMs);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    return error;
  }
}

/**
 * What came of new connections to these peers. Those of which {@link dialAll} says nothing are dialled each by itself: it looks
 * at one after the other, and of one whose packets are lost waits five seconds for each. One of which nothing is heard then
 * either is not called connected.
 */
export async function readDials(pod: DiallingPod, heard: Heard, peers: readonly string[]): Promise<Dials> {
  if (!(heard instanceof MeshctlError) && isTooOld(heard)) return {};
  const known = outcomesIn(heard);
  const limit = pLimit(TROUBLESHOOTS_AT_A_TIME);
  let broken: MeshctlError | undefined;
  const outcomes = await Promise.all(
    peers.map(async (peer): Promise<[string, DialOutcome]> => {
      const outcome = known.get(peer);
      if (outcome) return [peer, outcome];
      const command = [...pod.of.troubleshoot, peer];
      const alone = await limit(() => broken ?? hear(pod, command, TROUBLESHOOT_TIMEOUT_MS));
      // What keeps a pod from being asked about one peer keeps it from being asked about the others.
      if (alone instanceof MeshctlError && alone.code !== 'Timeout') broken ??= alone;
      return [peer, outcomesIn(alone).get(peer) ?? unheard(alone, peer, command)];
    }),
  );
  const failing = outcomes.flatMap(([peer, outcome]): [string, FailureReason][] =>
    outcome === 'works' ? [] : [[peer, outcome]],
  );
  return { failingDials: new Map(failing), ...(broken ? { brokeOff: true } : {}) };
}

function outcomesIn(heard: Heard): Map<string, DialOutcome> {
  return heard instanceof MeshctlError || heard.exitCode !== 0 ? new Map() : dialOutcomes(heard.stdout);
}

/** What is told of a peer where nobody could say how a new connection to it does. */
function unheard(heard: Heard, peer: string, command: readonly string[]): DialOutcome {
  if (heard instanceof MeshctlError) {
    return heard.code === 'Timeout'
      ? { class: 'timed-out', message: `no answer to a new connection: ${heard.message}` }
      : { class: 'agent-unreachable', message: heard.message };
  }
  // Of no failure is known.
  if (isTooOld(heard)) return 'works';
  const { stdout, stderr, exitCode } = heard;
  const how = exitCode === 0 ? `says nothing of "${peer}"` : `ended with ${exitCode}`;
  return { class: 'agent-unreachable', message: `${command.join(' ')} ${how}: ${firstLine(stderr || stdout)}` };
}
