import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { requireEnabled } from '../mesh/connect/direction.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { Flow } from './flow.ts';
import { firstFailure, type Unanswered } from './where-it-succeeds.ts';

/**
 * The clusters that can take part as they are. With `--all` one that cannot is left out like one that does not answer; of those that
 * were named each has to, and all that keeps any of them from it is said at once.
 * @param judge throws why a cluster cannot
 * @param spare whether one may be left out; absent: none may
 * @throws MeshctlError why a cluster cannot, of the others warnings; `ClusterMeshNotEnabled` for all that are not enabled in one
 */
export function whereUsable(
  flow: Pick<Flow, 'progress'>,
  snapshots: readonly ClusterSnapshot[],
  judge: (snapshot: ClusterSnapshot) => void,
  spare?: { least: number; needed?: string | undefined },
): { usable: ClusterSnapshot[]; failed: Unanswered[] } {
  const failed: Unanswered[] = [];
  const usable = snapshots.filter((snapshot) => {
    try {
      judge(snapshot);
      return true;
    } catch (error) {
      if (!(error instanceof MeshctlError)) throw error;
      failed.push({ context: snapshot.context, error, isUnusable: true });
      return false;
    }
  });
  const needed = failed.find(({ context }) => context === spare?.needed);
  if (failed.length === 0 || (spare && !needed && usable.length >= spare.least)) return { usable, failed };
  const isOff = ({ error }: Unanswered) => error.code === 'ClusterMeshNotEnabled';
  const off = failed.filter(isOff).map(({ context }) => context);
  const others = failed.filter((one) => !isOff(one));
  if (off.length < 2 || needed) throw firstFailure(flow, failed, needed);
  // One command enables all of them.
  const enabling = errorOf(() => requireEnabled(snapshots.filter(({ context }) => off.includes(context))));
  throw firstFailure(flow, [{ context: off[0] ?? '', error: enabling }, ...others]);
}

function errorOf(judge: () => void): MeshctlError {
  try {
    judge();
  } catch (error) {
    if (error instanceof MeshctlError) return error;
    throw error;
  }
  return new MeshctlError('Bug', 'what was refused for each cluster is not refused for all of them');
}
