import type { FileMember } from '../../flows/file/file-member.ts';
import type { PreparedMesh } from '../../flows/file/prepare-mesh.ts';
import type { Target } from '../../flows/flow.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import { forget } from '../../mesh/connect/disconnect/dead-cluster.ts';
import { halfLeft } from '../../mesh/file/extra.ts';
import type { CommandContext } from '../command.ts';
import type { ClusterFlags } from '../targets/cluster-flags.ts';
import { namesakeContexts } from '../targets/mesh-targets.ts';
import { findPeerClusters, requireAnswers } from '../targets/peer-clusters.ts';
import { withClustersOf } from '../targets/several-clusters.ts';
import { othersOf } from './other-clusters.ts';

/**
 * Opens the clusters that have gone from the files, as far as contexts lead to them.
 * @param work gets also the names of those to which none leads: what has such a name may be another cluster
 */
export async function withOutsideClusters<T>(
  context: CommandContext,
  flags: ClusterFlags & { prune: boolean },
  { extra: { strangers, leaving }, snapshots, spec }: PreparedMesh,
  members: readonly FileMember[],
  work: (outside: readonly Target[], astray: readonly string[]) => Promise<T>,
): Promise<T> {
  if (!flags.prune || strangers.length + leaving.length === 0) return work([], []);
  const wanted = strangers.map(({ peer, knownBy }) => ({
    name: peer,
    knownBy: snapshots.filter((snapshot) => knownBy.includes(clusterNameOf(snapshot))),
  }));
  const found = await findPeerClusters(context, flags, wanted);
  const names = wanted.map(({ name }) => name);
  const forgetting = wanted
    .filter(({ name }) => !found.known.has(name))
    .map(({ name, knownBy }) =>
      forget(
        knownBy.map((snapshot) => snapshot.context),
        [name],
      ),
    );
  requireAnswers(names, found, `What is gone for good is forgotten by: ${forgetting.join(' && ')}`);
  // Of those nobody knows anything any more.
  const halfway = leaving.length > 0 ? halfLeft(leaving, spec, await othersOf(context, flags, members)()) : [];
  const contexts = [...new Set([...found.known.values(), ...halfway.map((one) => one.context)])];
  // The files' clusters may have kubeconfigs of their own, and in those names of their own.
  const namesake = members.find(({ target }) => contexts.includes(target.client.context));
  if (namesake) throw namesakeContexts(namesake.target.client.context, flags.kubeconfig);
  const astray = names.filter((name) => !found.known.has(name));
  return withClustersOf(context, flags, contexts, (outside) => work(outside, astray));
}
