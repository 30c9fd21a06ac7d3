import { dirname, resolve } from 'node:path';
import type { FileMember } from '../../flows/file/file-member.ts';
import type { Unanswered } from '../../flows/where-it-succeeds.ts';
import { contextList } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { FileCluster, MeshSpec } from '../../mesh/file/mesh-spec.ts';
import { groupBy } from '../../mesh/pairs.ts';
import type { CommandContext } from '../command.ts';
import type { ClusterFlags } from '../targets/cluster-flags.ts';
import { withFoundClusters } from '../targets/find-clusters.ts';

/** The flags of commands that open the clusters of files. */
export type FileFlags = ClusterFlags & { parallel: number };

/**
 * Opens the clusters of mesh files, each through its own kubeconfig, runs `work` with them and closes them.
 * @param work gets those that answer in the order of the files, and those that do not
 * @throws MeshctlError `Usage` where two contexts are one cluster
 */
export async function withFileClusters<T>(
  context: CommandContext,
  flags: FileFlags,
  { clusters }: MeshSpec,
  work: (members: readonly FileMember[], silent: readonly Unanswered[]) => Promise<T>,
): Promise<T> {
  const groups = [...groupBy(clusters, (cluster) => kubeconfigPath(context, cluster))];
  for (const [path, own] of groups) {
    if (path !== undefined) for (const cluster of own) context.reachBy(cluster.context, path);
  }
  const open = (
    [group, ...rest]: typeof groups,
    members: readonly FileMember[],
    silent: readonly Unanswered[],
  ): Promise<T> => {
    if (!group) return work(inOrder(clusters, members), silent);
    const [path, own] = group;
    const choice = { names: own.map((cluster) => cluster.context), besides: true };
    return withFoundClusters(context, accessOf(flags, path, own), choice, (found) => {
      const opened = own.flatMap((wanted): FileMember[] => {
        const target = found.answered.find(({ client }) => client.context === wanted.context);
        return target ? [{ target, wanted }] : [];
      });
      const isSilent = (cluster: FileCluster) => found.silent.some((one) => one.context === cluster.context);
      const lost = own.filter((one) => !isSilent(one) && !opened.some(({ wanted }) => wanted === one));
      if (lost.length > 0) throw sameCluster(lost);
      return open(rest, [...members, ...opened], [...silent, ...found.silent]);
    });
  };
  return open(groups, [], []).catch((error: unknown) => {
    throw asFilesOwn(context, clusters, error);
  });
}

/** A kubeconfig that is missing, of those that the files name: no flag would help. Other errors as they are. */
function asFilesOwn(context: CommandContext, clusters: readonly FileCluster[], error: unknown): unknown {
  if (!(error instanceof MeshctlError) || error.code !== 'KubeconfigMissing') return error;
  const { paths } = error.details;
  const own = clusters.filter((cluster) => [paths].flat().includes(kubeconfigPath(context, cluster)));
  const [first] = own;
  if (!first?.kubeconfig) return error;
  const names = own.map(({ name }) => name).join(', ');
  const where = first.kubeconfig.file === '-' ? 'standard input' : first.kubeconfig.file;
  return new MeshctlError(error.code, error.message, {
    hint: `${where} names it as the kubeconfig of ${names}: put it there, or name another one.`,
    cause: error,
    details: error.details,
  });
}

/** Undefined: the kubeconfig of the run. */
function kubeconfigPath({ cwd }: CommandContext, { kubeconfig }: FileCluster): string | undefined {
  if (kubeconfig === undefined) return undefined;
  const { file, path } = kubeconfig;
  return resolve(cwd, file === '-' ? '.' : dirname(file), path);
}

function accessOf(flags: FileFlags, path: string | undefined, clusters: readonly FileCluster[]): FileFlags {
  const own = clusters.flatMap(({ context, namespace }) =>
    namespace === undefined ? [] : [`${contextList([context])}=${namespace}`],
  );
  const namespaces = [...(flags.namespace === undefined ? [] : [flags.namespace]), ...own];
  return {
    ...flags,
    ...(path === undefined ? {} : { kubeconfig: path }),
    ...(namespaces.length > 0 ? { namespace: namespaces.join(',') } : {}),
  };
}

function inOrder(clusters: readonly FileCluster[], members: readonly FileMember[]): FileMember[] {
  return clusters.flatMap((cluster) => members.filter(({ wanted }) => wanted === cluster));
}

function sameCluster(lost: readonly FileCluster[]): MeshctlError {
  const names = lost.map(({ name, context }) => `"${name}" (context ${context})`).join(', ');
  return new MeshctlError(
    'Usage',
    `${names}: this context leads to a cluster that another context of the files leads to`,
    {
      hint: 'Name each cluster once.',
    },
  );
}
