import type { MeshRequest } from '../../flows/connect/prepare-connect.ts';
import { type FirstLook, isSameCluster } from '../../flows/targets/first-look.ts';
import { firstFailure } from '../../flows/where-it-succeeds.ts';
import type { NamedBy } from '../../kube/access/kubeconfig-entries.ts';
import { everyPairFlag, kubectlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { ConnectionMode } from '../../mesh/peers/connection-mode.ts';
import type { CommandContext } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import type { meshOptions } from '../options/mesh-options.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import { type Found, quietly, type SilentCluster, sayLeftOut } from './each-cluster.ts';
import { withFoundClusters } from './find-clusters.ts';
import { requireNamed } from './require-named.ts';

/** The flags that say who is to be connected with whom, as parsed. */
export type MeshFlags = ClusterFlags & FlagsIn<ReturnType<typeof meshOptions>>;

/**
 * Opens the clusters that the flags name, runs `work` with them, and closes them whatever happens. One that does not answer
 * is among them where it was named: a cluster that is gone can be disconnected; with `--all` it is left out, and `work`
 * gets it apart.
 * @param purpose what `work` does with them
 * @throws MeshctlError `Usage` when the flags name no two clusters, or one of them twice
 */
export async function withMesh<T>(
  context: CommandContext,
  flags: MeshFlags,
  purpose: 'connect' | 'disconnect',
  work: (request: MeshRequest, silent: readonly SilentCluster[]) => Promise<T>,
): Promise<T> {
  const mode = flags.connectionMode ?? (flags.all && flags.context === undefined ? 'mesh' : 'bidirectional');
  checkFlags(context, flags, mode, purpose);
  const kubeconfig = flags.destinationKubeconfig ?? flags.kubeconfig;
  const isApart = flags.destinationKubeconfig !== undefined;
  // With --all and no source the destinations are all that there are.
  const namedBy: NamedBy = {
    file: isApart ? '--destination-kubeconfig' : '--kubeconfig',
    contexts: flags.all && flags.context === undefined ? '--context' : '--destination-context',
  };
  const withDestinations = (source: FirstLook | undefined, first: readonly Found[] = []): Promise<T> => {
    const except = source?.client.context;
    const choice = { names: flags.destinationContext, all: flags.all, except, besides: source !== undefined };
    return withFoundClusters(
      context,
      { ...flags, ...(kubeconfig === undefined ? {} : { kubeconfig }), namedBy },
      choice,
      async (found) => {
        await requireNamed(context, flags, [...first, found]);
        const destinations = destinationsOf(context, flags, found, source);
        const request = { mode, modeGiven: flags.connectionMode !== undefined, source, destinations };
        return work(request, flags.all ? found.silent : []);
      },
    );
  };
  if (flags.all && !flags.context) return withDestinations(undefined);
  const names = flags.context === undefined ? undefined : [flags.context];
  return withFoundClusters(context, flags, { names, besides: true }, (found) => {
    const [source] = found.answered;
    if (source) return withDestinations(source, [found]);
    throw found.silent[0]?.error ?? new MeshctlError('Bug', 'no cluster was opened');
  });
}

function checkFlags(
  { againWithout }: CommandContext,
  flags: MeshFlags,
  mode: ConnectionMode,
  purpose: 'connect' | 'disconnect',
): void {
  const { destinationContext = [], all } = flags;
  if (all && !flags.context && mode !== 'mesh') {
    throw new MeshctlError('Usage', `--all with --connection-mode ${mode} needs a cluster to start from`, {
      hint: 'Name it with --context, or leave --connection-mode out to join every pair of clusters.',
    });
  }
  if (all && destinationContext.length > 0) {
    throw new MeshctlError('Usage', '--all and --destination-context cannot be used together');
  }
  if (!all && destinationContext.length === 0) {
    // As commands take it that start from none of them.
    const [source = '', ...others] = (flags.context ?? '').split(',');
    // Those that are only listed are to be connected with each other, and to be parted no more than has to be.
    const isEveryPair = purpose === 'connect' && flags.connectionMode === undefined;
    const more = isEveryPair ? everyPairFlag(others.length + 1) : [];
    const words = ['--context', source, '--destination-context', others.join(','), ...more];
    throw new MeshctlError('Usage', 'no destination is named', {
      hint:
        others.every((name) => name !== '') && others.length > 0
          ? `Did you mean: ${againWithout(['--context'], ...words)}`
          : 'Name contexts with --destination-context, or take all others that run Cilium with --all.',
    });
  }
}

function destinationsOf(
  context: CommandContext,
  flags: MeshFlags,
  { answered, silent }: Found,
  source: FirstLook | undefined,
): FirstLook[] {
  if (flags.all) sayLeftOut(context, silent);
  const found = [...answered, ...(flags.all ? [] : silent.flatMap(({ target }) => target ?? []))];
  const name = source?.client.context;
  const same = source && answered.find((other) => isSameCluster(other, source));
  const isNamesake = (other: FirstLook) => other.client.context === name && (other !== same || !flags.all);
  if (source && found.some(isNamesake)) throw namedTwice(source.client.context, flags);
  if (same && !flags.all) {
    throw new MeshctlError('Usage', `contexts "${name}" and "${same.client.context}" are the same cluster`, {
      hint: 'A cluster cannot be connected to itself.',
    });
  }
  const others = found.filter((other) => other !== same);
  if (others.length + (source ? 1 : 0) < 2) {
    const only = others[0]?.client.context ?? name ?? 'none';
    // That they are left out was said of each.
    if (flags.all && silent.length > 0) throw firstFailure(quietly(context), silent);
    throw new MeshctlError('Usage', `a mesh needs two clusters; there is only ${only}`);
  }
  return others;
}

function namedTwice(name: string, { destinationKubeconfig }: MeshFlags): MeshctlError {
  if (!destinationKubeconfig) {
    return new MeshctlError('Usage', `context "${name}" is named twice: a cluster cannot be connected to itself`, {
      hint: 'Name another cluster with --destination-context, or all with --all.',
    });
  }
  return namesakeContexts(name, destinationKubeconfig);
}

/**
 * Contexts are the names of clusters in plans and messages, and what is written where hangs on them: two clusters of a run
 * cannot have the same.
 * @param kubeconfig where one of the two can be renamed; undefined: the run's own
 */
export function namesakeContexts(name: string, kubeconfig: string | undefined): MeshctlError {
  const words = ['config', 'rename-context', name, '<new name>'];
  const rename = kubectlCommand({}, kubeconfig === undefined ? words : ['--kubeconfig', kubeconfig, ...words]);
  return new MeshctlError('Usage', `both kubeconfigs have a context "${name}", so messages could not tell them apart`, {
    hint: `Rename one: ${rename}`,
  });
}
