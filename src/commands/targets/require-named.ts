import { MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';
import { isWithoutCilium } from './absent-cilium.ts';
import { type ClusterFlags, kubeconfigOf } from './cluster-flags.ts';
import { type Found, quietly } from './each-cluster.ts';
import { namespacesOf, withFoundClusters } from './find-clusters.ts';

/**
 * A namespace that was given for a cluster by name is for one of these, unless it may be for one that does not answer, or for
 * another one of the kubeconfig, which the command may open by itself.
 * @throws MeshctlError `Usage`
 */
export async function requireNamed(
  context: CommandContext,
  flags: ClusterFlags & { destinationKubeconfig?: string },
  found: readonly Found[],
): Promise<void> {
  const names = [...namespacesOf(flags).of.keys()];
  if (names.length === 0) return;
  if (found.some(({ silent }) => silent.length > 0)) return;
  const looks = found.flatMap(({ answered }) => answered);
  const { destinationKubeconfig: kubeconfig = flags.kubeconfig } = flags;
  const { contexts } = await kubeconfigOf(context, flags);
  const others = (await kubeconfigOf(context, kubeconfig === undefined ? flags : { ...flags, kubeconfig })).contexts;
  const known = [...[...contexts, ...others].map(({ name }) => name), ...looks.flatMap(({ cluster }) => cluster ?? [])];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const elsewhere = await clustersElsewhere(context, flags);
  const strangers = unknown.filter((name) => !elsewhere.includes(name));
  if (strangers.length === 0) return;
  const clusters = looks.map(({ client, cluster = client.context }) => cluster);
  throw new MeshctlError(
    'Usage',
    `a namespace of Cilium is given for ${strangers.join(', ')}, which is neither a context nor one of the clusters ${clusters.join(', ')}`,
    { hint: 'Write it like mesh-2=cilium, with the name of a context or of a cluster of this command.' },
  );
}

/** The names of all clusters that contexts of the kubeconfig lead to, as far as they answer. */
async function clustersElsewhere(context: CommandContext, flags: ClusterFlags): Promise<string[]> {
  try {
    return await withFoundClusters(quietly(context), flags, { all: true }, async ({ answered }) =>
      answered.flatMap(({ cluster }) => cluster ?? []),
    );
  } catch (error) {
    if (isWithoutCilium(error)) return [];
    throw error;
  }
}
