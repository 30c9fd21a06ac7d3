import type { Target } from '../../flows/flow.ts';
import type { OtherClusters } from '../../flows/services/read-lost-backends.ts';
import { orWithout, type Unanswered } from '../../flows/where-it-succeeds.ts';
import { apiserverService } from '../../mesh/apiserver/live.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { namesOf } from '../../mesh/peers/concerned-peers.ts';
import { readNodes, withReachableAddresses } from '../../snapshot/nodes.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { CommandContext } from '../command.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import { quietly } from './each-cluster.ts';
import { withFoundClusters } from './find-clusters.ts';
import { withinWait } from './several-clusters.ts';

/** A cluster that is not what the command is about, but stands on it. */
export interface OtherCluster {
  target: Target;
  snapshot: ClusterSnapshot;
}

/**
 * Opens and reads the clusters that other contexts of the kubeconfig lead to, runs `work` with them and closes them.
 * Those that cannot be read are left out: what is not known of them, the plan says.
 * @param own clusters of the run itself, which are left out, by whatever context they are reached
 */
export async function withOtherClusters<T>(
  context: CommandContext,
  flags: ClusterFlags,
  own: readonly Target[],
  work: (others: readonly OtherCluster[]) => Promise<T>,
): Promise<T> {
  return withOthers(context, flags, own, async (others) => {
    const read = others.map(async (target): Promise<OtherCluster[]> => {
      try {
        const { client, namespace } = target;
        const snapshot = await readSnapshot(client, { namespace, purpose: 'disconnect' });
        return [
          { target, snapshot: apiserverService(snapshot) ? await withReachableAddresses(client, snapshot) : snapshot },
        ];
      } catch (error) {
        context.signal.throwIfAborted();
        if (error instanceof MeshctlError) return [];
        throw error;
      }
    });
    return work((await Promise.all(read)).flat());
  });
}

/** As {@link withOtherClusters}, for who reads them by itself, and is told which do not answer within ten seconds. */
export function withOtherTargets<T>(
  context: CommandContext,
  flags: ClusterFlags,
  own: readonly Target[],
  work: (others: readonly Target[], silent: readonly Unanswered[]) => Promise<T>,
): Promise<T> {
  return withOthers(context, withinWait(flags, LONGEST_READ_MS), own, work);
}

async function withOthers<T>(
  context: CommandContext,
  flags: ClusterFlags,
  own: readonly Target[],
  work: (others: readonly Target[], silent: readonly Unanswered[]) => Promise<T>,
): Promise<T> {
  const contexts = own.map(({ client }) => client.context);
  let isFound = false;
  const found = withFoundClusters(
    quietly(context),
    flags,
    { all: true, first: contexts },
    async ({ answered, silent }) => {
      isFound = true;
      // Of those that were looked at too it is known which are the same; of one of another kubeconfig its address alone.
      const known = answered
        .filter(({ client }) => contexts.includes(client.context))
        .map(({ client }) => client.server);
      const servers = own.map(({ client }) => client.server).filter((server) => !known.includes(server));
      const others = answered.filter(
        ({ client }) => !contexts.includes(client.context) && !servers.includes(client.server),
      );
      return work(others, silent);
    },
  );
  return found.catch((error: unknown) => {
    // Of what is interrupted at its work, the error says what it has left.
    if (isFound || !(error instanceof MeshctlError)) throw error;
    context.signal.throwIfAborted();
    // Of clusters that files name the run may have no kubeconfig, or one that leads to no other cluster with Cilium.
    return work([], []);
  });
}

/** Clusters that a plan is not about are not worth the wait of the run's own. Milliseconds. */
const LONGEST_READ_MS = 10_000;

/**
 * Reads the other clusters of the kubeconfig, for plans that may depend on what they say: when it is first called, and once.
 * Those that do not answer within ten seconds are left out.
 */
export function readerOfOthers(
  context: CommandContext,
  flags: ClusterFlags,
  targets: readonly Target[],
): () => Promise<readonly ClusterSnapshot[]> {
  let others: Promise<readonly ClusterSnapshot[]> | undefined;
  return () => {
    others ??= withOtherClusters(context, withinWait(flags, LONGEST_READ_MS), targets, async (read) =>
      read.map(({ snapshot }) => snapshot),
    );
    return others;
  };
}

/**
 * The other clusters of a name, with their nodes, by which a copy is told from what it is a copy of. Those that do not answer within ten
 * seconds, or whose nodes cannot be read, are left out.
 */
export function readAlike(
  context: CommandContext,
  flags: ClusterFlags,
  own: Target,
  name: string,
): Promise<readonly ClusterSnapshot[]> {
  return withOtherClusters(context, withinWait(flags, LONGEST_READ_MS), [own], async (others) => {
    const alike = others.filter(({ snapshot }) => namesOf(snapshot).includes(name));
    const read = alike.map(async ({ target, snapshot }) => {
      const nodes = await orWithout(context, readNodes(target.client), undefined);
      return nodes ? [{ ...snapshot, nodes }] : [];
    });
    return (await Promise.all(read)).flat();
  });
}

/** The other clusters, read once however often they are asked for, and opened again by context where a plan hangs on more of them. */
export function otherClustersOf(
  context: CommandContext,
  flags: ClusterFlags,
  targets: readonly Target[],
): OtherClusters {
  return {
    read: readerOfOthers(context, flags, targets),
    withOpened: (contexts, work) => {
      const choice = { names: contexts, besides: true };
      return withFoundClusters(quietly(context), withinWait(flags, LONGEST_READ_MS), choice, ({ answered }) =>
        work(answered),
      );
    },
  };
}
