import pLimit from 'p-limit';
import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import { requireSettledIdentity } from '../../mesh/apiserver/pod-marks.ts';
import { requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { requireEnabled } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { leftOut } from '../../mesh/enable/unfinished-disable.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Flow, Target } from '../flow.ts';
import { type Unanswered, whereAccessible } from '../where-it-succeeds.ts';
import { whereUsable } from '../where-usable.ts';

/**
 * Reads the clusters of a mesh with all that is needed to issue certificates.
 * @param before as they were at an earlier look: what does not change meanwhile is not read again
 * @param parallel clusters at a time
 * @throws MeshctlError `ClusterMeshNotEnabled`, and what keeps a cluster from taking part
 */
export async function readMembers(
  targets: readonly Target[],
  parallel: number,
  before: readonly Member[] = [],
): Promise<Member[]> {
  const limit = pLimit(parallel);
  const purpose = before.length > 0 ? 'certificates' : 'connect';
  const snapshots = await Promise.all(
    targets.map(({ client, namespace }) => limit(() => readSnapshot(client, { namespace, purpose }))),
  );
  return membersOf(snapshots, before);
}

/**
 * The same of those among the clusters that can be accessed and that have a clustermesh-apiserver; of the others, which have no
 * certificates, it is said that they have no part. Those that answer, and cannot take part as they are, are `unusable`.
 * @throws MeshctlError as well where none is left
 */
export async function readAccessibleMembers(
  flow: Flow,
  targets: readonly Target[],
  parallel: number,
): Promise<{ targets: Target[]; members: Member[]; failed: Unanswered[]; unusable: Unanswered[] }> {
  const read = ({ client, namespace }: Target) => readSnapshot(client, { namespace, purpose: 'connect' });
  const { done, failed, ...found } = await whereAccessible(flow, targets, read, { parallel, least: 1 });
  const serving = done.filter((snapshot) => apiserverDeployment(snapshot) !== undefined);
  if (serving.length === 0) return { targets: found.targets, members: membersOf(done), failed, unusable: [] };
  for (const snapshot of done.filter((one) => !serving.includes(one))) flow.progress.warn(leftOut(snapshot));
  const judge = (snapshot: ClusterSnapshot) => {
    membersOf([snapshot]);
    requireSettledIdentity(snapshot, done);
  };
  const { usable, failed: unusable } = whereUsable(flow, serving, judge, { least: 1 });
  const isUsable = ({ client }: Target) => usable.some(({ context }) => context === client.context);
  return { targets: found.targets.filter(isUsable), members: membersOf(usable), failed, unusable };
}

function membersOf(snapshots: readonly ClusterSnapshot[], before: readonly Member[] = []): Member[] {
  for (const snapshot of snapshots) requireCilium(snapshot);
  requireEnabled(snapshots);
  return snapshots.map((snapshot): Member => {
    const earlier = before.find((member) => member.snapshot.context === snapshot.context);
    const endpoints = earlier?.endpoints ?? listEndpoints(snapshot);
    return { snapshot, identity: requireIdentity(snapshot), endpoints };
  });
}
