import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { withNamedContexts } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import type { Contexts } from '../faults/fault-advice.ts';
import { rotateCommand } from './rotate-command.ts';
import { unfinishedRotations } from './unfinished-rotation.ts';

/** A cluster whose CA is about to be replaced by another run, or by one that has stopped. */
export interface MidwayCluster {
  context: string;
  /** As a clause. */
  says: string;
  /** How it goes on. */
  hint: string;
}

/**
 * Of clusters that a run by age leaves in the middle of a rotation, how far that is and how it goes on.
 * @param others clusters that have no part in the run, as far as they were read
 */
export function midwayClusters(
  resting: readonly Member[],
  members: readonly Member[],
  contexts: Contexts,
  others: readonly ClusterSnapshot[] = [],
): MidwayCluster[] {
  if (resting.length === 0) return [];
  const all = members.map(({ snapshot }) => snapshot);
  const rotations = unfinishedRotations(all, others);
  return resting.map(({ snapshot: { context } }) => {
    const found = rotations.find((one) => one.context === context);
    const named = all.map((one) => one.context);
    const hint = found?.hint ?? rotateCommand(named, { ca: true, force: false });
    const says = found?.says ?? 'a rotation of the CA is unfinished';
    return { context, says: `${says}; --older-than leaves it as it is`, hint: withNamedContexts(hint, contexts) };
  });
}
