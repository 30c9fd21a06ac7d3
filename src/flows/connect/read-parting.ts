import pLimit from 'p-limit';
import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { isDoubtfulPeer } from '../../mesh/peers/namesakes.ts';
import { readForParting, withWhatTellsApart } from '../../snapshot/read-for-parting.ts';
import type { Flow, Target } from '../flow.ts';
import { toldInFull } from '../where-it-succeeds.ts';

/**
 * Reads clusters that are to part: with more where no address tells that one is the peer that another one dials, and not a namesake.
 * @returns of each, in their order, what was read or why not
 */
export async function readParting(
  flow: Pick<Flow, 'inFull'>,
  targets: readonly Target[],
  parallel: number,
): Promise<(ClusterSnapshot | MeshctlError)[]> {
  const limit = pLimit(parallel);
  const each = (read: (target: Target, index: number) => Promise<ClusterSnapshot | MeshctlError>) =>
    Promise.all(
      targets.map((target, index) =>
        limit(async () => {
          const result = await orError(read(target, index));
          return result instanceof MeshctlError && targets.length > 1 ? await toldInFull(flow, target, result) : result;
        }),
      ),
    );
  const read = await each(readCluster);
  const clients = read.flatMap((one) => (one instanceof MeshctlError ? [] : [one]));
  return each(async ({ client }, index) => {
    const server = read[index] as ClusterSnapshot | MeshctlError;
    return server instanceof MeshctlError ? server : toldApart(client, server, clients);
  });
}

/**
 * A cluster that was read to part, with more where no address tells that it is the peer that others dial by its name.
 * @param clients those that may dial it, perhaps with the cluster itself
 */
export async function toldApart(
  client: Target['client'],
  server: ClusterSnapshot,
  clients: readonly ClusterSnapshot[],
): Promise<ClusterSnapshot> {
  const isDoubtful = clients.some((one) => one !== server && isDoubtfulPeer(one, server));
  return isDoubtful ? withWhatTellsApart(client, server) : server;
}

async function orError<T>(read: Promise<T>): Promise<T | MeshctlError> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof MeshctlError) return error;
    throw error;
  }
}

async function readCluster({ client, namespace }: Target): Promise<ClusterSnapshot> {
  const snapshot = await readForParting(client, namespace);
  if (snapshot.ciliumConfig) return snapshot;
  throw ciliumMissing(snapshot);
}
