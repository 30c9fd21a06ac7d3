import type { Kubeconfig } from '../../kube/access/kubeconfig-entries.ts';
import type { ClusterClient } from '../../kube/client.ts';
import type { CommandContext } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import type { CLUSTER_OPTIONS } from '../options/shared-options.ts';

/** The shared flags of commands that reach clusters, as parsed. `namespace` is Cilium's: see {@link parseCiliumNamespaces}. */
export type ClusterFlags = FlagsIn<typeof CLUSTER_OPTIONS>;

/** The kubeconfig that the flags name. It is read once in a run: a pipe gives its text but once. */
export async function kubeconfigOf(
  { env, cwd, signal, kubeconfigs, leaveUnnamed }: CommandContext,
  { kubeconfig: path, requestTimeout }: Pick<ClusterFlags, 'kubeconfig' | 'requestTimeout'>,
): Promise<Kubeconfig> {
  const { loadKubeconfig } = await import('../../kube/access/kubeconfig.ts');
  const reading = kubeconfigs.get(path) ?? loadKubeconfig({ path, env, cwd, signal, timeoutMs: requestTimeout });
  kubeconfigs.set(path, reading);
  const kubeconfig = await reading;
  if (kubeconfig.unnamed && kubeconfig.currentContext !== undefined) leaveUnnamed(kubeconfig.currentContext);
  return kubeconfig;
}

/** What opens clients of a kubeconfig as the flags say. Each client has to be closed. */
export async function opener(
  context: CommandContext,
  flags: ClusterFlags,
): Promise<(kubeconfig: Kubeconfig, name: string | undefined) => ClusterClient> {
  const { openCluster } = await import('../../kube/open-cluster.ts');
  return (kubeconfig, name) =>
    openCluster(kubeconfig, {
      onClock: (aheadMs) => context.sawClock(name ?? kubeconfig.currentContext ?? '', aheadMs),
      context: name,
      as: flags.as,
      asGroup: flags.asGroup,
      requestTimeoutMs: flags.requestTimeout,
      userAgent: context.userAgent,
      signal: context.signal,
      debug: (line, kind) => {
        if (context.verbosity >= (kind === 'act' ? 1 : 2)) context.debugLog(line);
      },
      warn: (text) => context.progress.warn(text),
      env: context.env,
      clock: context.clock,
    });
}

/**
 * Opens a client for each context, runs `work` with them in the same order, and closes them whatever happens.
 * @param contexts names; undefined is the kubeconfig's current one
 */
export async function withClusters<T>(
  context: CommandContext,
  flags: ClusterFlags,
  contexts: readonly (string | undefined)[],
  work: (clients: readonly ClusterClient[]) => Promise<T>,
): Promise<T> {
  const [kubeconfig, open] = await Promise.all([kubeconfigOf(context, flags), opener(context, flags)]);
  const clients: ClusterClient[] = [];
  try {
    for (const name of contexts) clients.push(open(kubeconfig, name));
    return await work(clients);
  } finally {
    for (const client of clients) client.close();
  }
}
