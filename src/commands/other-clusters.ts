import type { Target } from '../flows/flow.ts';
import { readSnapshot } from '../kube/snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext } from './command.ts';
import { clustersOfKubeconfig } from './contexts-of-clusters.ts';

/** A cluster that is not what the command is about, but stands on it. */
export interface OtherCluster {
  target: Target;
  snapshot: ClusterSnapshot;
}

/**
 * Opens and reads the clusters that other contexts of the kubeconfig lead to, runs `work` with them and closes them.
 * Those that cannot be read are left out: what is not known of them, the plan says.
 * @param contexts of the run itself, which are left out
 */
export async function withOtherClusters<T>(
  context: CommandContext,
  flags: ClusterFlags,
  contexts: readonly string[],
  work: (others: readonly OtherCluster[]) => Promise<T>,
): Promise<T> {
  const known = [...(await clustersOfKubeconfig(context, flags)).values()];
  const wanted = known.filter((name) => !contexts.includes(name));
  return withClusters(context, flags, wanted, async (clients) => {
    const read = clients.map(async (client): Promise<OtherCluster[]> => {
      const target = { client, namespace: flags.namespace };
      try {
        return [{ target, snapshot: await readSnapshot(client, { namespace: target.namespace, purpose: 'status' }) }];
      } catch (error) {
        context.signal.throwIfAborted();
        if (error instanceof MeshctlError) return [];
        throw error;
      }
    });
    return work((await Promise.all(read)).flat());
  });
}
