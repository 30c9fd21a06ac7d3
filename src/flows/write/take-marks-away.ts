/** The end of marks of runs at work (working-run.ts): each run's own, and those of dead ones whose work it has finished. */
import pLimit from 'p-limit';
import { MeshctlError } from '../../mesh/errors.ts';
import { type Hold, isAlive } from '../../mesh/hold.ts';
import { applyLeaseRef } from '../../mesh/objects/names.ts';
import {
  disablesCluster,
  finishes,
  isOneRun,
  markedRuns,
  type WorkingRun,
  workingAnnotation,
} from '../../mesh/working-runs.ts';
import type { Target } from '../flow.ts';
import { hasEnded } from '../own-process.ts';
import { deletedOr, leaveMark, MARKED_AT_A_TIME } from '../run-mark.ts';

/** Runs a look in the other clusters that are within reach. */
export type OpenElsewhere = (look: (others: readonly Target[]) => Promise<void>) => Promise<void>;

/** Of a run that is about some peers of a cluster alone: their names, by its context. */
export interface AboutPeers {
  peersOf?: ((context: string) => readonly string[]) | undefined;
}

type FinishingRun = AboutPeers & Pick<WorkingRun, 'command'>;

/**
 * Takes marks away, and the Lease with the last one; those of others stay, of whom no one would know else, also where they have died.
 * Where there is none, nothing is written; where that is not possible, it is no failure.
 */
export function takeMarksAway({ client, namespace }: Target, isOver: (one: WorkingRun) => boolean): Promise<void> {
  const ref = applyLeaseRef(namespace);
  return leaveMark(client, ref, async (live, signal) => {
    const runs = markedRuns(live);
    const over = runs.filter(isOver);
    if (over.length === 0) return;
    const { uid, resourceVersion } = live.metadata;
    const annotations = Object.assign({}, ...over.map(({ run }) => workingAnnotation(run, null)));
    const unmark = () => client.patch(ref, { metadata: { annotations } }, { resourceVersion, signal });
    if (over.length === runs.length) await deletedOr(client.delete(ref, { uid, resourceVersion, signal }), unmark);
    else await unmark();
  });
}

/** Of the marks at a cluster those of runs that have died, and whose work a run has finished that has come to its end. */
export function finishedRunsBy({ command, peersOf }: FinishingRun, { client }: Target): (one: WorkingRun) => boolean {
  const own = { command, peers: peersOf?.(client.context) };
  return (one) => finishes(own, one) && isDead(one, client);
}

/** Whether a run has died by its mark at a cluster. */
export function isDead(one: Hold, client: Target['client']): boolean {
  return !isAlive(one, client.now()) || hasEnded(one);
}

/**
 * What a run that was disabling these clusters has marked where the one that finishes its work has nothing to do any more, as at peers that
 * have parted. One that only parted them from another cluster, which it was disabling, is finished here alone: it may have left that one
 * half done. Where that cannot be looked for, it is no failure.
 */
export async function takeMarksAwayElsewhere(
  targets: readonly Target[],
  run: FinishingRun,
  elsewhere: OpenElsewhere,
): Promise<void> {
  const marks = targets.map(async (target) => {
    const live = await target.client.get(applyLeaseRef(target.namespace));
    return markedRuns(live).filter(disablesCluster).filter(finishedRunsBy(run, target));
  });
  try {
    const finished = (await Promise.all(marks)).flat();
    if (finished.length === 0) return;
    const limit = pLimit(MARKED_AT_A_TIME);
    const isOver = (one: WorkingRun) => finished.some((dead) => isOneRun(dead, one));
    await elsewhere(async (others) => {
      const away = others.map((target) =>
        limit(() => takeMarksAway(target, (one) => isOver(one) && isDead(one, target.client))),
      );
      await Promise.all(away);
    });
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
  }
}
