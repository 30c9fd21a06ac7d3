import type { Kubeconfig, NamedBy } from '../../kube/access/kubeconfig-entries.ts';
import type { ClusterClient } from '../../kube/client.ts';
import type { CommandContext } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import type { CLUSTER_OPTIONS } from '../options/shared-options.ts';

/** The shared flags of commands that reach clusters, as parsed. `namespace` is Cilium's: see {@link parseCiliumNamespaces}. */
export type ClusterFlags = FlagsIn<typeof CLUSTER_OPTIONS>;

/** What an error tells to give another kubeconfig, or contexts, by: absent for the flags of every command. */
export interface OfOneSide {
  namedBy?: NamedBy | undefined;
}

/** The kubeconfig that the flags name. It is read once in a run: a pipe gives its text but once. */
export async function kubeconfigOf(
  { env, cwd, signal, kubeconfigs, leaveUnnamed }: CommandContext,
  { kubeconfig: path, requestTimeout, namedBy }: Pick<ClusterFlags, 'kubeconfig' | 'requestTimeout'> & OfOneSide,
): Promise<Kubeconfig> {
  const { loadKubeconfig } = await import('../../kube/access/kubeconfig.ts');
  const reading =
    kubeconfigs.get(path) ?? loadKubeconfig({ path, env, cwd, signal, timeoutMs: requestTimeout, namedBy });
  kubeconfigs.set(path, reading);
  const kubeconfig = await reading;
  if (kubeconfig.unnamed && kubeconfig.currentContext !== undefined) leaveUnnamed(kubeconfig.currentContext);
  // One that both sides have is read once, and named by each its own way.
  return { ...kubeconfig, namedBy };
}

/** What opens clients of a kubeconfig as the flags say. Each client has to be closed. */
export async function opener(
  context: CommandContext,
  flags: ClusterFlags,
): Promise<(kubeconfig: Kubeconfig, name: string | undefined) => ClusterClient> {
  const { openCluster } = await import('../../kube/open-cluster.ts');
  return (kubeconfig, name) =>
    openCluster(kubeconfig, {
      onClock: (date) => context.sawClock(name ?? kubeconfig.currentContext ?? '', date),
      aheadMs: () => context.aheadMs(name ?? kubeconfig.currentContext ?? ''),
      context: name,
      as: flags.as,
      asGroup: flags.asGroup,
      requestTimeoutMs: patienceWith(context, flags, serverOf(kubeconfig, name)),
      userAgent: context.userAgent,
      signal: context.signal,
      debug: (line, kind) => {
        if (context.verbosity >= (kind === 'act' ? 1 : 2)) context.debugLog(line);
      },
      warn: (text) => context.progress.warn(text),
      env: context.env,
      clock: context.clock,
      work: context.work,
      onOutage: (of) =>
        context.progress.info(`context "${of}": its API server does not answer: it is asked again, for up to a minute`),
    });
}

/** A server that has not answered once in this run is not waited for as long again. Milliseconds. */
const SILENT_TIMEOUT_MS = 3000;

/** How long an answer of a server is waited for, in milliseconds; 0 is without end. */
export function patienceWith(
  { silentServers }: Pick<CommandContext, 'silentServers'>,
  { requestTimeout }: Pick<ClusterFlags, 'requestTimeout'>,
  server: string | undefined,
): number {
  if (server === undefined || !silentServers.has(server)) return requestTimeout;
  return requestTimeout === 0 ? SILENT_TIMEOUT_MS : Math.min(requestTimeout, SILENT_TIMEOUT_MS);
}

/** The API server of a context, as far as the kubeconfig says. @param name undefined is the current one */
export function serverOf(
  { contexts, clusters, currentContext }: Pick<Kubeconfig, 'contexts' | 'clusters' | 'currentContext'>,
  name: string | undefined,
): string | undefined {
  const entry = contexts.find((one) => one.name === (name ?? currentContext));
  return clusters.find((cluster) => cluster.name === entry?.cluster)?.server;
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
