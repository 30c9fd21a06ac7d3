import pLimit from 'p-limit';
import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { requireCilium, requireIdentity } from '../../mesh/cilium/identity.ts';
import { requireEnabled } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

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
  for (const snapshot of snapshots) requireCilium(snapshot);
  requireEnabled(snapshots);
  return snapshots.map((snapshot): Member => {
    const earlier = before.find((member) => member.snapshot.context === snapshot.context);
    const endpoints = earlier?.endpoints ?? listEndpoints(snapshot);
    return { snapshot, identity: requireIdentity(snapshot), endpoints };
  });
}
