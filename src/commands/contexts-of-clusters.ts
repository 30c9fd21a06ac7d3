import { MeshctlError } from '../mesh/errors.ts';
import { identityOf } from '../mesh/identity.ts';
import { CILIUM_CONFIG, configMapRef } from '../mesh/names.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext } from './command.ts';

/**
 * The contexts of the kubeconfig that lead to the clusters of these names, as their cilium-config tells; names that no
 * context leads to are absent.
 */
export async function contextsOfClusters(
  context: CommandContext,
  flags: ClusterFlags,
  names: readonly string[],
): Promise<Map<string, string>> {
  const all = await clustersOfKubeconfig(context, flags);
  return new Map([...all].filter(([cluster]) => names.includes(cluster)));
}

/**
 * Every cluster with Cilium that a context of the kubeconfig leads to, by its name. Contexts that cannot be used are
 * passed over: they are not what the command is about.
 */
export async function clustersOfKubeconfig(context: CommandContext, flags: ClusterFlags): Promise<Map<string, string>> {
  const { loadKubeconfig } = await import('../kube/kubeconfig.ts');
  const kubeconfig = await loadKubeconfig({ path: flags.kubeconfig, env: context.env, cwd: context.cwd });
  const found = await Promise.all(
    kubeconfig.contexts.map(async ({ name }) => [await clusterNameOf(context, flags, name), name] as const),
  );
  const known = found.flatMap(([cluster, name]) => (cluster === undefined ? [] : [[cluster, name] as const]));
  // Several contexts may lead to one cluster: the first one counts.
  return new Map(known.reverse());
}

async function clusterNameOf(context: CommandContext, flags: ClusterFlags, name: string): Promise<string | undefined> {
  try {
    return await withClusters(context, flags, [name], async ([client]) => {
      const config = await client?.get(configMapRef(flags.namespace, CILIUM_CONFIG));
      return config && identityOf((config.data ?? {}) as Record<string, string>).name;
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof MeshctlError) return undefined;
    throw error;
  }
}
