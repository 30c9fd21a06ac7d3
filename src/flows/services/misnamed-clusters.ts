import { formerName, requireSettledName } from '../../mesh/apiserver/pod-marks.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { groupBy } from '../../mesh/pairs.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { unreadPeers } from '../../mesh/services/services.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

/**
 * Clusters without those that have been given the name of another one of them: what is theirs would be taken for that one's. They are
 * known by the name with which they run, for which more is read of clusters only where a name is there twice.
 * @param onFailure hears of each that is left out
 * @throws MeshctlError `ClusterIdentity` with the way back, where there is no `onFailure`
 */
export async function soundlyNamed<T extends Target & { cluster: string }>(
  read: readonly T[],
  onFailure: ((context: string, error: MeshctlError) => void) | undefined,
): Promise<T[]> {
  const alike = [...groupBy(read, ({ cluster }) => cluster).values()].filter((same) => same.length > 1).flat();
  const snapshots = await Promise.all(alike.map(readOrNothing));
  const others = snapshots.flatMap((snapshot) => snapshot ?? []);
  const misnamed = alike.filter((_member, index) => {
    const snapshot = snapshots[index];
    try {
      if (snapshot) requireSettledName(snapshot, others);
      return false;
    } catch (error) {
      if (!onFailure || !(error instanceof MeshctlError)) throw error;
      onFailure(snapshot?.context ?? '', error);
      return true;
    }
  });
  return read.filter((one) => !misnamed.includes(one));
}

/**
 * Clusters with the names with which they run, where others read from a cluster that nobody is called by now: of those that were read,
 * one may have been renamed since it was started. More is read only of those that nobody dials by their present name.
 */
export async function withFormerNames(
  members: readonly Target[],
  clusters: readonly ClusterServices[],
): Promise<ClusterServices[]> {
  const unread = clusters.flatMap((of) => unreadPeers(of, clusters));
  if (unread.length === 0) return [...clusters];
  return Promise.all(
    clusters.map(async (of) => {
      const target = members.find(({ client }) => client.context === of.context);
      if (!target || clusters.some(({ peers = [] }) => peers.includes(of.cluster))) return of;
      const snapshot = await readOrNothing(target);
      const former = snapshot && formerName(snapshot, { name: of.cluster });
      return former !== undefined && unread.includes(former) ? { ...of, runsAs: former } : of;
    }),
  );
}

/** Nothing where it may not be read: then nothing tells that it is misnamed. */
function readOrNothing({ client, namespace }: Target): Promise<ClusterSnapshot | undefined> {
  return readSnapshot(client, { namespace, purpose: 'health' }).catch((error: unknown) => {
    if (error instanceof MeshctlError) return undefined;
    throw error;
  });
}
