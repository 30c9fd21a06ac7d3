import { meshctlCommand } from '../command-line.ts';
import { counted } from '../counted.ts';
import { type ConnectionCounts, isUntried, type StatusProblem, type StatusReport } from './status.ts';

/** Whether some gave no answer, and all others are connected: how it is as a whole nobody knows. */
export function areSomeUnasked(counts: Pick<ConnectionCounts, 'connected' | 'total' | 'unasked'>): boolean {
  const { connected, total, unasked = 0 } = counts;
  return unasked > 0 && connected + unasked === total;
}

/** Whether it was not seen that anything is wrong: no answer came in time, or a new connection beside the one that stands could not be tried. */
export function isUnseen(problem: Pick<StatusProblem, 'unasked' | 'heldOver' | 'class'>): boolean {
  return problem.unasked === true || isUntried(problem);
}

/**
 * Whether of a cluster that is not known to be healthy nothing else is known: that not all of it could be asked in time is what is
 * wrong.
 */
export function isOnlyUnasked({ enabled, nodes, kvstoremesh, problems, faults }: StatusReport): boolean {
  const { replicas: total, connected, unasked } = kvstoremesh;
  const isWhole = [nodes, ...(kvstoremesh.enabled ? [{ total, connected, unasked }] : [])].every(
    (counts) => counts.total > 0 && counts.connected + (counts.unasked ?? 0) === counts.total,
  );
  return enabled && isWhole && problems.length > 0 && problems.every(isUnseen) && faults.length === 0;
}

/**
 * Whether what gives no answer is likely not the clusters, but the way from here to them, or this machine: most of those that were
 * asked have it, several at least.
 */
export function isSlowFromHere(reports: readonly StatusReport[]): boolean {
  const slow = reports.filter(({ problems }) => problems.some(({ unasked }) => unasked));
  return slow.length > 1 && slow.length * 2 > reports.length;
}

/** What is said of all of them at once. @param held by whom it was met */
export function slowFromHere(held: readonly { report: StatusReport; problem: StatusProblem }[]): {
  says: string;
  hint: string;
} {
  const contexts = [...new Set(held.map(({ report: { context } }) => context))];
  const command = meshctlCommand('clustermesh status', { context: contexts }, [
    '--node-timeout',
    '60s',
    '--parallel',
    '10',
  ]);
  return {
    says: `${counted(contexts.length, 'cluster')} gave no answer in time, which says nothing of their connections`,
    hint: `Is the way from here slow, or this machine busy? Ask fewer at a time, and wait longer: ${command}`,
  };
}
