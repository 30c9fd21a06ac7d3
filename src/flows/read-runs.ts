import pLimit from 'p-limit';
import { readOr } from '../kube/unless-refused.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { applyLeaseRef, rotationLeaseRef } from '../mesh/objects/names.ts';
import { unfinishedRotation } from '../mesh/rotation/unfinished-rotation.ts';
import { type HeldCluster, runsMarked, type SeenRuns } from '../mesh/runs-at-work.ts';
import { disablesCluster, markedRuns } from '../mesh/working-runs.ts';
import type { Flow, Target } from './flow.ts';
import { hasEnded } from './own-process.ts';
import { orWithout } from './where-it-succeeds.ts';
import { isDead } from './write/take-marks-away.ts';

/** The runs of meshctl that are at work in a cluster, or have died there, by its clock, as far as their marks may be read. */
export async function readRuns(flow: Pick<Flow, 'signal'>, { client, namespace }: Target): Promise<SeenRuns> {
  const read = (ref: ReturnType<typeof rotationLeaseRef>) =>
    orWithout(flow, readOr(client.get(ref), { absent: undefined, forbidden: 'unread' as const }), 'unread' as const);
  const marks = await Promise.all([rotationLeaseRef(namespace), applyLeaseRef(namespace)].map(read));
  const [rotation, apply] = marks.map((mark) => (mark === 'unread' ? undefined : mark));
  const runs = rotation || apply ? runsMarked({ rotation, apply }, client.now(), hasEnded) : [];
  return { ...(runs.length > 0 ? { runs } : {}), ...(marks.includes('unread') ? { runsUnread: true } : {}) };
}

/** The same of several clusters. @param parallel clusters at a time */
export function readHeldClusters(
  flow: Pick<Flow, 'signal'>,
  targets: readonly Target[],
  parallel: number,
): Promise<HeldCluster[]> {
  const limit = pLimit(parallel);
  const read = targets.map((target) =>
    limit(async () => ({
      context: target.client.context,
      namespace: target.namespace,
      ...(await readRuns(flow, target)),
    })),
  );
  return Promise.all(read);
}

/** A snapshot with the run that is disabling its cluster: what is enabled or connected there meanwhile goes with it. */
export async function withDisablingRun<S extends ClusterSnapshot>(
  flow: Pick<Flow, 'signal'>,
  { client, namespace }: Target,
  snapshot: S,
): Promise<S> {
  const lease = await orWithout(flow, client.get(applyLeaseRef(namespace)), undefined);
  const run = markedRuns(lease).find((one) => disablesCluster(one) && !isDead(one, client));
  return run ? { ...snapshot, disabledBy: { host: run.host, since: run.since.toISOString() } } : snapshot;
}

/** A snapshot with the run that is at work at the rotation in whose middle its CA is: it is to be waited for, and nothing to be finished. */
export async function withRotatingRun(
  flow: Pick<Flow, 'signal'>,
  target: Target,
  snapshot: ClusterSnapshot,
): Promise<ClusterSnapshot> {
  if (!unfinishedRotation(snapshot)) return snapshot;
  const { runs = [] } = await readRuns(flow, target);
  const rotatedBy = runs.find(({ command, stale }) => command === 'certs rotate' && !stale);
  return rotatedBy ? { ...snapshot, rotatedBy } : snapshot;
}
