import type { ClusterClient } from '../kube/client.ts';
import type { CommandContext } from './command.ts';

/** The shared flags of commands that reach clusters, as parsed. */
export interface ClusterFlags {
  kubeconfig?: string;
  namespace: string;
  as?: string;
  asGroup?: string[];
  /** Milliseconds. */
  requestTimeout: number;
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
  const [{ loadKubeconfig }, { connectCluster }] = await Promise.all([
    import('../kube/kubeconfig.ts'),
    import('../kube/client.ts'),
  ]);
  const kubeconfig = await loadKubeconfig({ path: flags.kubeconfig, env: context.env, cwd: context.cwd });
  const clients: ClusterClient[] = [];
  try {
    for (const name of contexts) {
      clients.push(
        connectCluster(kubeconfig, {
          context: name,
          as: flags.as,
          asGroup: flags.asGroup,
          requestTimeoutMs: flags.requestTimeout,
          userAgent: context.userAgent,
          signal: context.signal,
          debug: context.debug ? context.debugLog : undefined,
          warn: (text) => context.progress.warn(text),
          env: context.env,
        }),
      );
    }
    return await work(clients);
  } finally {
    for (const client of clients) client.close();
  }
}
