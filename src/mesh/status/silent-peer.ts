import { capital } from '../counted.ts';
import { forgetCommands, stillSent } from '../peers/silent-peers.ts';
import type { FailureClass } from './failure-reason.ts';
import { mayBePeersOf, peerNameOf, type StatusProblem, type StatusReport } from './status.ts';

/** Where nobody answers any more. */
const SILENT: readonly FailureClass[] = ['timed-out', 'refused', 'cannot-resolve'];

/**
 * A next step for a peer that does not answer, with what ends the requests that it is sent all the same: where it was not read, and
 * agents go on using its backends, as they last heard of them. Where one cluster lacks several peers, that is likely its own fault.
 * @param hint the next step as it is; what it is called there to forget the peer is not said twice
 * @param group who lacks it, at the peer's own server
 */
export function endOfRequests(
  hint: string,
  group: readonly { report: StatusReport; problem: StatusProblem }[],
  clusters: readonly StatusReport[],
): string {
  const [peer = '', ...others] = [...new Set(group.map(({ problem }) => problem.peer))];
  if (peer === '' || others.length > 0) return hint;
  const found = group.flatMap(({ report, problem }) => {
    const isRead = mayBePeersOf(report, clusters).some((one) => peerNameOf(one) === peer);
    return !isRead && SILENT.includes(problem.class) && isUsing(report, peer) ? [report] : [];
  });
  const senders = [...new Set(found)];
  if (senders.length === 0) return hint;
  const forget = forgetCommands(
    peer,
    senders.map(({ context }) => context),
  );
  if (hint.endsWith(forget)) return `${capital(stillSent(senders))}. ${hint}`;
  return `${hint}; or once ${peer} is gone for good, as ${stillSent(senders)}: ${forget}`;
}

/** Whether agents send requests there: those that are connected, to their own cluster's cache perhaps, and those that hold what they had. */
function isUsing({ peers }: StatusReport, peer: string): boolean {
  const { connected = 0, holding = 0 } = peers.find(({ name }) => name === peer)?.agents ?? {};
  return connected + holding > 0;
}
