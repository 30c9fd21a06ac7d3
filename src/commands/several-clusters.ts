import type { Target } from '../flows/flow.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { CILIUM_CONFIG, configMapRef } from '../mesh/names.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext } from './command.ts';

/** The flags of commands that take several clusters, as parsed. */
export interface SeveralClustersFlags extends ClusterFlags {
  context?: string[];
  all?: boolean;
}

/**
 * Opens the clusters of `--context` or `--all`, else the current one, and closes them whatever happens.
 * @throws MeshctlError `Usage` for both flags
 */
export async function withChosenClusters<T>(
  context: CommandContext,
  flags: SeveralClustersFlags,
  work: (targets: readonly Target[]) => Promise<T>,
): Promise<T> {
  const { all, context: named, namespace } = flags;
  if (all && named) {
    throw new MeshctlError('Usage', '--all and --context exclude each other', { hint: 'Give one of them.' });
  }
  const names = all ? await allCiliumContexts(context, flags) : (named ?? [undefined]);
  return withClusters(context, flags, names, (clients) => work(clients.map((client) => ({ client, namespace }))));
}

/**
 * The contexts of the kubeconfig whose clusters run Cilium, for `--all`; one for each API server. Contexts that cannot be
 * used or reached are warned of: a kubeconfig often has stale ones.
 * @throws MeshctlError `CiliumMissing` when there is none
 */
export async function allCiliumContexts(context: CommandContext, flags: ClusterFlags): Promise<string[]> {
  const { loadKubeconfig } = await import('../kube/kubeconfig.ts');
  const kubeconfig = await loadKubeconfig({ path: flags.kubeconfig, env: context.env, cwd: context.cwd });
  const servers = new Set<string>();
  const candidates = kubeconfig.contexts.filter(({ cluster: name }) => {
    const server = kubeconfig.clusters.find((cluster) => cluster.name === name)?.server ?? name;
    return !servers.has(server) && servers.add(server);
  });
  const found = await Promise.all(
    candidates.map(async ({ name }) => ((await runsCilium(context, flags, name)) ? [name] : [])),
  );
  const names = found.flat();
  if (names.length > 0) return names;
  throw new MeshctlError('CiliumMissing', `no context of kubeconfig ${kubeconfig.files.join(', ')} runs Cilium`, {
    hint: 'Name contexts with --context, or the namespace of Cilium with -n.',
    details: { files: kubeconfig.files },
  });
}

async function runsCilium(context: CommandContext, flags: ClusterFlags, name: string): Promise<boolean> {
  try {
    return await withClusters(context, flags, [name], async ([client]) => {
      const config = await client?.get(configMapRef(flags.namespace, CILIUM_CONFIG));
      return config !== undefined;
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    context.progress.warn(`context "${name}" is left out: ${error.message}`);
    return false;
  }
}
