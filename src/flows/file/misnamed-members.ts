import { hasTakenIdentity, requireSettledIdentity } from '../../mesh/apiserver/pod-marks.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { knownAs } from '../../mesh/peers/concerned-peers.ts';
import type { Unanswered } from '../where-it-succeeds.ts';
import type { FileMember } from './file-member.ts';

interface ReadMember {
  member: FileMember;
  connect: ClusterSnapshot;
}

/**
 * Without clusters that are those of the file, and whose cilium-config has the name or the id of another one by now: nothing of them can
 * be compared until that is settled. Where it is only looked, the rest is.
 * @throws MeshctlError `ClusterIdentity` with the way back, where something is to be written, or no cluster is left
 */
export function withoutMisnamed<T extends ReadMember>(
  { done, failed }: { done: T[]; failed: Unanswered[] },
  { spare }: { spare?: boolean | undefined },
): { done: T[]; failed: Unanswered[] } {
  const others = done.map(({ connect }) => connect);
  const misnamed = done.flatMap((one) => {
    const error = misnamedError(one, others);
    return error ? [{ one, error }] : [];
  });
  const [first] = misnamed;
  if (!first) return { done, failed };
  if (!spare || misnamed.length === done.length) throw first.error;
  const left = misnamed.map(({ one }) => one);
  const unread = misnamed.map(({ one, error }) => ({ context: one.connect.context, error }));
  return { done: done.filter((one) => !left.includes(one)), failed: [...failed, ...unread] };
}

/** Undefined where its identity is its own, and where enable is to make everything follow a new one that the file has. */
function misnamedError(
  { member: { wanted }, connect }: ReadMember,
  others: readonly ClusterSnapshot[],
): MeshctlError | undefined {
  const isRenamed = clusterNameOf(connect) !== wanted.name;
  if (isRenamed ? knownAs(connect) !== wanted.name : !hasTakenIdentity(connect, others)) return undefined;
  try {
    requireSettledIdentity(connect, others);
    return undefined;
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return error;
  }
}

/**
 * A file that is for other clusters than its contexts lead to would make something of them that nobody wants.
 * @throws MeshctlError `ClusterIdentity`
 */
export function requireNames(read: readonly ReadMember[]): void {
  const wrong = read.flatMap(({ member: { wanted }, connect }) => {
    const name = clusterNameOf(connect);
    return name === wanted.name ? [] : [{ context: connect.context, name, file: wanted.name }];
  });
  if (wrong.length === 0) return;
  throw new MeshctlError(
    'ClusterIdentity',
    wrong
      .map(
        ({ context, name, file }) => `context "${context}" leads to cluster "${name}", and the file calls it "${file}"`,
      )
      .join('; '),
    {
      hint: 'Correct the name or the context in the file. A cluster has its name from ConfigMap cilium-config (cluster-name).',
      details: { clusters: wrong },
    },
  );
}
