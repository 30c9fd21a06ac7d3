import type { JournalEntry } from '../../kube/apply.ts';
import { isAppliedAlike } from '../../kube/changed-meanwhile.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { keyOf, refOf } from '../../mesh/objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../../mesh/objects/names.ts';
import { joinedPeers } from '../../mesh/peers/joined-peers.ts';
import { PEER_SECRETS } from '../../mesh/peers/peers.ts';
import { userNames, usersFile } from '../../mesh/peers/users/remote-users.ts';
import type { Flow, Target } from '../flow.ts';
import type { RunAccount } from '../write/apply-clusters.ts';
import { askedBeforeRollback } from '../write/before-rollback.ts';
import { spareOthers } from '../write/spare-others.ts';
import type { PreparedMesh } from './prepare-mesh.ts';
import { changedDrafts } from './require-applicable.ts';

/**
 * Clusters that this run has enabled, and that others stand on by now: to take it back would cut them, who are in no plan of it. By
 * context, with why. One that could not be looked at may be in use too.
 * @param directions who was let in where, as far as the run came
 */
export async function clustersInUse(
  flow: Flow,
  { members, snapshots, drafts }: PreparedMesh,
  directions: readonly Direction[] = [],
  { journals }: RunAccount,
): Promise<ReadonlyMap<string, string>> {
  const targets = members.map(({ target }) => target);
  const sparing = await spareOthers(flow, targets, directions, journals);
  const own = snapshots.map(clusterNameOf);
  const enabled = changedDrafts(drafts);
  const found = await Promise.all(
    enabled.map(async ({ member: { target }, draft: { snapshot: before } }): Promise<[string, string][]> => {
      const { context } = target.client;
      const seen = await readSince(target, before);
      if (!seen) return [[context, UNSEEN]];
      const joined = joinedPeers({ before, now: seen }).filter((peer) => !own.includes(peer));
      const written = journals.filter(({ cluster }) => cluster === context).flatMap(({ entries }) => entries);
      const isEnabledByOthers = hasOthersWork(before, seen, written);
      const by = [...joined, ...(sparing.get(context) || isEnabledByOthers ? ['another run'] : [])];
      if (by.length > 0) return [[context, `left as it is, because it is in use by ${by.join(', ')}`]];
      return sparing.has(context) ? [[context, UNSEEN]] : [];
    }),
  );
  return new Map(found.flat());
}

const UNSEEN = 'left as it is, because it could not be seen whether another cluster uses it by now';

/**
 * Whether something has come since a cluster was read that this run has not written, or meshctl has applied other fields than it
 * had: then another run enables it too. So it is with an object that was made anew, under the name of one that was there, or that
 * this run has deleted. What both write alike shows nothing of that, and may be what the other one stands on.
 */
function hasOthersWork(before: ClusterSnapshot, now: ClusterSnapshot, written: readonly JournalEntry[]): boolean {
  const own = new Map(written.map((entry) => [keyOf(entry.ref), entry]));
  return [...now.objects].some(([key, live]) => {
    const entry = own.get(key);
    // Of a write without an answer it is not known what was stored.
    if (entry && !entry.certain) return false;
    const known = entry ? entry.after : before.objects.get(key);
    return !known || known.metadata.uid !== live.metadata.uid || !isAppliedAlike(known, live);
  });
}

/** What tells who uses a cluster, as it is now; undefined where it does not tell. */
async function readSince({ client, namespace }: Target, before: ClusterSnapshot): Promise<ClusterSnapshot | undefined> {
  const refs = [
    apiserverDeploymentRef(namespace),
    ...PEER_SECRETS.map((name) => secretRef(namespace, name)),
    configMapRef(namespace, REMOTE_USERS_CONFIGMAP),
  ];
  try {
    const read = await askedBeforeRollback(client, (signal) =>
      Promise.all(refs.map((ref) => client.get(ref, { signal }))),
    );
    const objects = new Map(read.flatMap((object) => (object ? [[keyOf(refOf(object)), object]] : [])));
    const users = read.at(-1);
    const remoteUsers = users && userNames(usersFile(users)).map((name) => ({ name, role: REMOTE_ROLE }));
    return { ...before, objects, remoteUsers };
  } catch (error) {
    if (error instanceof MeshctlError) return undefined;
    throw error;
  }
}
