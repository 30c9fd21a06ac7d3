import type { MeshRequest } from '../flows/connect.ts';
import type { ClusterClient } from '../kube/client.ts';
import { kubectlCommand } from '../mesh/command-line.ts';
import type { ConnectionMode } from '../mesh/connection-mode.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext } from './command.ts';
import { allCiliumContexts } from './several-clusters.ts';

/** The flags that say who is to be connected with whom, as parsed. */
export interface MeshFlags extends ClusterFlags {
  context?: string;
  /** Names and globs. */
  destinationContext?: string[];
  destinationKubeconfig?: string;
  all: boolean;
  connectionMode?: ConnectionMode;
}

/**
 * Opens the clusters that the flags name, runs `work` with them, and closes them whatever happens.
 * @throws MeshctlError `Usage` when the flags name no two clusters, or one of them twice
 */
export async function withMesh<T>(
  context: CommandContext,
  flags: MeshFlags,
  work: (request: MeshRequest) => Promise<T>,
): Promise<T> {
  const mode = flags.connectionMode ?? (flags.all ? 'mesh' : 'bidirectional');
  if (flags.all && !flags.context && mode !== 'mesh') {
    throw new MeshctlError('Usage', `--all with --connection-mode ${mode} needs a cluster to start from`, {
      hint: 'Name it with --context, or leave --connection-mode out to join all with all.',
    });
  }
  const targetOf = (client: ClusterClient) => ({ client, namespace: flags.namespace });
  const destinationFlags: ClusterFlags = flags.destinationKubeconfig
    ? { ...flags, kubeconfig: flags.destinationKubeconfig }
    : flags;
  const withDestinations = (source: ClusterClient | undefined) => async (): Promise<T> => {
    const names = await destinationNames(context, flags, destinationFlags, source?.context);
    return withClusters(context, destinationFlags, names, (clients) =>
      work({
        mode,
        modeGiven: flags.connectionMode !== undefined,
        source: source && targetOf(source),
        destinations: clients.map(targetOf),
      }),
    );
  };
  if (flags.all && !flags.context) return withDestinations(undefined)();
  return withClusters(context, flags, [flags.context], ([source]) => withDestinations(source)());
}

async function destinationNames(
  context: CommandContext,
  flags: MeshFlags,
  destinationFlags: ClusterFlags,
  source: string | undefined,
): Promise<string[]> {
  const { destinationContext = [], all } = flags;
  if (all && destinationContext.length > 0) {
    throw new MeshctlError('Usage', '--all and --destination-context exclude each other');
  }
  if (!all && destinationContext.length === 0) {
    throw new MeshctlError('Usage', 'no destination is named', {
      hint: 'Name contexts with --destination-context, or take all that run Cilium with --all.',
    });
  }
  const names = all
    ? await allCiliumContexts(context, destinationFlags)
    : await expandGlobs(context, destinationFlags, destinationContext, source);
  const others = all && !flags.destinationKubeconfig ? names.filter((name) => name !== source) : names;
  if (source !== undefined && others.includes(source)) throw namedTwice(source, flags);
  if (others.length + (source === undefined ? 0 : 1) < 2) {
    throw new MeshctlError('Usage', `a mesh needs two clusters; there is only ${others[0] ?? source ?? 'none'}`);
  }
  return others;
}

function namedTwice(name: string, { destinationKubeconfig }: MeshFlags): MeshctlError {
  if (!destinationKubeconfig) {
    return new MeshctlError('Usage', `context "${name}" is named twice: a cluster cannot be connected with itself`);
  }
  return new MeshctlError('Usage', `both kubeconfigs have a context "${name}", so messages could not tell them apart`, {
    hint: `Rename one: ${kubectlCommand({}, ['--kubeconfig', destinationKubeconfig, 'config', 'rename-context', name, '<new name>'])}`,
  });
}

/** Names as they are; `*` and `?` stand for what the kubeconfig has, without the source. */
async function expandGlobs(
  context: CommandContext,
  flags: ClusterFlags,
  patterns: readonly string[],
  source: string | undefined,
): Promise<string[]> {
  if (!patterns.some(isGlob)) return [...patterns];
  const { loadKubeconfig } = await import('../kube/kubeconfig.ts');
  const kubeconfig = await loadKubeconfig({ path: flags.kubeconfig, env: context.env, cwd: context.cwd });
  const expanded = patterns.flatMap((pattern) => {
    if (!isGlob(pattern)) return [pattern];
    const names = kubeconfig.contexts.map(({ name }) => name).filter((name) => globToRegExp(pattern).test(name));
    if (names.length > 0) return names.filter((name) => name !== source);
    throw new MeshctlError(
      'ContextUnknown',
      `no context of kubeconfig ${kubeconfig.files.join(', ')} matches "${pattern}"`,
      {
        hint: `See them: ${kubectlCommand({}, ['config', 'get-contexts'])}`,
      },
    );
  });
  return [...new Set(expanded)];
}

function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

function globToRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
