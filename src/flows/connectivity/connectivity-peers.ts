import { readOr, unlessForbidden } from '../../kube/unless-refused.ts';
import { requireStateInCrds } from '../../mesh/cilium/kvstore.ts';
import { connectCommand, everyPairFlag, meshctlCommand } from '../../mesh/command-line.ts';
import { enableOnceGone } from '../../mesh/enable/unfinished-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { pairsOf } from '../../mesh/pairs.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { ServiceCluster } from '../services/read-service-clusters.ts';
import { readPeers } from '../services/read-services.ts';

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
  const unserved = await thoseWithoutApiserver(lacking.map(({ member }) => member));
  if (unserved.length > 0) {
    const disabled = unserved.map(({ client }) => client.context);
    throw new MeshctlError(
      'ClusterMeshNotEnabled',
      `${disabled.map((context) => `context "${context}"`).join(', ')}: Cluster Mesh is not enabled, so there is nothing to test`,
      { hint: await enableAdvice(unserved), details: { contexts: disabled } },
    );
  }
  const [first, ...rest] = contexts;
  // A connection that is one-way on purpose stays so where no mode is named.
  const oneWay = lacking.length === 1 ? ['--connection-mode', 'bidirectional'] : [];
  const everyPair = everyPairFlag(contexts.length);
  const connect = connectCommand(first, rest, everyPair.length > 0 ? everyPair : oneWay);
  const among = connectedAmong(members, lacking).map(({ client }) => client.context);
  throw new MeshctlError(
    'NotFound',
    lacking
      .map(
        ({ member, missing }) =>
          `context "${member.client.context}": not connected to ${missing.map(({ cluster }) => cluster).join(', ')}`,
      )
      .join('; '),
    {
      // A mesh need not be one of all with all: where some are connected, that the others are to be is another decision.
      hint:
        among.length > 1
          ? `test those that are connected with each other: ${meshctlCommand('connectivity test', { context: among })}; or connect every pair: ${connect}`
          : connect,
      details: { contexts },
    },
  );
}

/** Members of which every pair is connected: those of the first such pair, and whoever is connected with all before. */
function connectedAmong(
  members: readonly ServiceCluster[],
  lacking: readonly { member: ServiceCluster; missing: readonly ServiceCluster[] }[],
): ServiceCluster[] {
  const lacks = (one: ServiceCluster, other: ServiceCluster) =>
    lacking.some(({ member, missing }) => member === one && missing.includes(other));
  const areConnected = (one: ServiceCluster, other: ServiceCluster) => !lacks(one, other) && !lacks(other, one);
  const among: ServiceCluster[] = pairsOf(members).find(([one, other]) => areConnected(one, other)) ?? [];
  if (among.length === 0) return [];
  for (const member of members) {
    if (!among.includes(member) && among.every((one) => areConnected(one, member))) among.push(member);
  }
  return among;
}

async function thoseWithoutApiserver(members: readonly ServiceCluster[]): Promise<ServiceCluster[]> {
  const isIn = ({ client, namespace }: ServiceCluster) =>
    readOr<KubeObject | undefined, undefined, 'unknown'>(client.get(apiserverDeploymentRef(namespace)), {
      absent: undefined,
      forbidden: 'unknown',
    });
  const found = await Promise.all(members.map(async (member) => ((await isIn(member)) === undefined ? [member] : [])));
  return found.flat();
}

/** Who tests need not be who may read what an unfinished disable has left. */
async function enableAdvice(members: readonly ServiceCluster[]): Promise<string> {
  const read = members.map(({ client, namespace }) =>
    unlessForbidden(readSnapshot(client, { namespace, purpose: 'health' })),
  );
  const snapshots = (await Promise.all(read)).flatMap((snapshot) => snapshot ?? []);
  for (const snapshot of snapshots) requireStateInCrds(snapshot);
  return snapshots.length === members.length
    ? enableOnceGone(snapshots)
    : meshctlCommand('clustermesh enable', { context: members.map(({ client }) => client.context) });
}
