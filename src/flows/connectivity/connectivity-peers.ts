import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { readPeers, type ServiceCluster } from '../services/read-services.ts';

/**
 * Sees that the clusters name each other as peers, since a test of clusters that do not can only fail, slowly. Where
 * Secrets may not be read nothing is known, and nothing is wrong: who tests needs no right to read them.
 * @throws MeshctlError `ClusterMeshNotEnabled`, `NotFound`
 */
export async function requireMutualPeers(members: readonly ServiceCluster[]): Promise<void> {
  const known = await Promise.all(members.map(async (member) => ({ member, peers: await readPeers(member) })));
  const lacking = known.flatMap(({ member, peers }) => {
    const missing = peers && members.filter((other) => other !== member && !peers.includes(other.cluster));
    return missing && missing.length > 0 ? [{ member, missing }] : [];
  });
  if (lacking.length === 0) return;

  const contexts = members.map(({ client }) => client.context);
  const disabled = await contextsWithoutApiserver(lacking.map(({ member }) => member));
  if (disabled.length > 0) {
    throw new MeshctlError(
      'ClusterMeshNotEnabled',
      `${disabled.map((context) => `context "${context}"`).join(', ')}: Cluster Mesh is not enabled, so there is nothing to test`,
      { hint: meshctlCommand('clustermesh enable', { context: disabled }), details: { contexts: disabled } },
    );
  }
  const [first, ...rest] = contexts;
  // A connection that is one-way on purpose stays so where no mode is named.
  const oneWay = lacking.length === 1 ? ['--connection-mode', 'bidirectional'] : [];
  const mode = rest.length > 1 ? ['--connection-mode', 'mesh'] : oneWay;
  throw new MeshctlError(
    'NotFound',
    lacking
      .map(
        ({ member, missing }) =>
          `context "${member.client.context}": not connected to ${missing.map(({ cluster }) => cluster).join(', ')}`,
      )
      .join('; '),
    {
      hint: connectCommand(first, rest, mode),
      details: { contexts },
    },
  );
}

async function contextsWithoutApiserver(members: readonly ServiceCluster[]): Promise<string[]> {
  const found = await Promise.all(
    members.map(async ({ client, namespace }) => {
      try {
        return (await client.get(apiserverDeploymentRef(namespace))) ? [] : [client.context];
      } catch (error) {
        if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') throw error;
        return [];
      }
    }),
  );
  return found.flat();
}
