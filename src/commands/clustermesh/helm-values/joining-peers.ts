import { firstFailure, orWithout } from '../../../flows/where-it-succeeds.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { joiningFor } from '../../../mesh/connect/joining.ts';
import type { JoiningPeer } from '../../../mesh/objects/source-advice.ts';
import { groupBy } from '../../../mesh/pairs.ts';
import { readSnapshot } from '../../../snapshot/read-snapshot.ts';
import type { CommandContext } from '../../command.ts';
import type { ClusterFlags } from '../../targets/cluster-flags.ts';
import { withFoundClusters } from '../../targets/find-clusters.ts';

/** Those of a cluster that are to be connected with it yet. */
export type JoiningPeers = (client: ClusterSnapshot) => JoiningPeer[];

/**
 * The clusters that are to be connected yet, as the values of each cluster are to name them.
 * @throws MeshctlError where one of a context does not answer, or cannot be told by its name and id; without an address where all that tells
 * it may not be read
 */
export async function readJoiningPeers(
  context: CommandContext,
  flags: ClusterFlags & {
    destinationContext?: readonly string[] | undefined;
    peer?: readonly JoiningPeer[] | undefined;
  },
): Promise<JoiningPeers> {
  const { destinationContext: names, peer: named = [] } = flags;
  const given = [...groupBy(named, ({ name }) => name).values()].flatMap((alike) => {
    const [first] = alike;
    return first ? [{ ...first, addresses: alike.flatMap(({ addresses }) => addresses) }] : [];
  });
  if (names === undefined) return () => given;
  const servers = await withFoundClusters(context, flags, { names, besides: true }, async ({ answered, silent }) => {
    if (silent.length > 0) throw firstFailure(context, silent);
    const reads = answered.map(async ({ cluster: name, client, namespace }) => {
      const snapshot = await orWithout(context, readSnapshot(client, { namespace, purpose: 'connect' }), undefined);
      return { name, context: client.context, snapshot };
    });
    return Promise.all(reads);
  });
  const known = (client: ClusterSnapshot) =>
    servers.flatMap(({ snapshot, ...server }): JoiningPeer[] => {
      if (snapshot) return [joiningFor(client, snapshot)];
      return server.name === undefined ? [] : [{ name: server.name, context: server.context, addresses: [] }];
    });
  return (client) => [...known(client), ...given];
}
