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

/** What becomes of a context that cannot be asked whether it runs Cilium, with `--all`. */
export type UnaskedContexts = 'left out' | 'counted';

/**
 * Opens the clusters of `--context` or `--all`, else the current one, and closes them whatever happens.
 * @throws MeshctlError `Usage` for both flags
 */
export async function withChosenClusters<T>(
  context: CommandContext,
  flags: SeveralClustersFlags,
  work: (targets: readonly Target[]) => Promise<T>,
  unasked: UnaskedContexts = 'left out',
): Promise<T> {
  const { all, context: named, namespace } = flags;
  if (all && named) {
    throw new MeshctlError('Usage', '--all and --context exclude each other', { hint: 'Give one of them.' });
  }
  const names = all ? await allCiliumContexts(context, flags, unasked) : (named ?? [undefined]);
  return withClusters(context, flags, names, (clients) => work(clients.map((client) => ({ client, namespace }))));
}

/**
 * The contexts of the kubeconfig whose clusters run Cilium, for `--all`; one for each API server. Contexts that cannot be
 * used are warned of: a kubeconfig often has stale ones. So are those that cannot be reached, unless they count.
 * @throws MeshctlError `CiliumMissing` when there is none
 */
export async function allCiliumContexts(
  context: CommandContext,
  flags: ClusterFlags,
  unasked: UnaskedContexts = 'left out',
): Promise<string[]> {
  const { loadKubeconfig } = await import('../kube/kubeconfig.ts');
  const kubeconfig = await loadKubeconfig({ path: flags.kubeconfig, env: context.env, cwd: context.cwd });
  const servers = new Set<string>();
  const candidates = kubeconfig.contexts.filter(({ cluster: name }) => {
    const server = kubeconfig.clusters.find((cluster) => cluster.name === name)?.server ?? name;
    return !servers.has(server) && servers.add(server);
  });
  const found = await Promise.all(
    candidates.map(async ({ name }) => ((await runsCilium(context, flags, name, unasked)) ? [name] : [])),
  );
  const names = found.flat();
  if (names.length > 0) return names;
  throw new MeshctlError('CiliumMissing', `no context of kubeconfig ${kubeconfig.files.join(', ')} runs Cilium`, {
    hint: 'Name contexts with --context, or the namespace of Cilium with -n.',
    details: { files: kubeconfig.files },
  });
}

/** Of a cluster, as opposed to a context that is not complete. */
const UNASKED: readonly string[] = ['ClusterUnreachable', 'Unauthenticated', 'Forbidden', 'Timeout', 'ApiFailure'];

async function runsCilium(
  context: CommandContext,
  flags: ClusterFlags,
  name: string,
  unasked: UnaskedContexts,
): Promise<boolean> {
  try {
    return await withClusters(context, flags, [name], async ([client]) => {
      const config = await client?.get(configMapRef(flags.namespace, CILIUM_CONFIG));
      return config !== undefined;
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    if (unasked === 'counted' && UNASKED.includes(error.code)) return true;
    const message = error.message.replace(`context "${name}": `, '');
    context.progress.warn(`context "${name}" is left out: ${message}`);
    return false;
  }
}
