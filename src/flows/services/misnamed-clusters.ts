import { requireSettledName } from '../../mesh/apiserver/pod-marks.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { groupBy } from '../../mesh/pairs.ts';
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
  const reading = (client: Target['client'], namespace: string) =>
    readSnapshot(client, { namespace, purpose: 'health' }).catch((error: unknown) => {
      // Then nothing tells that it is misnamed.
      if (error instanceof MeshctlError) return undefined;
      throw error;
    });
  const snapshots = await Promise.all(alike.map(({ client, namespace }) => reading(client, namespace)));
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
