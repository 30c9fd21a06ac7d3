import pLimit from 'p-limit';
import { identityOf } from '../mesh/identity.ts';
import { APISERVER_SELECTOR } from '../mesh/names.ts';
import { configuredPeers } from '../mesh/peers.ts';
import { isPodReady } from '../mesh/pods.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import type { Flow, Target } from './flow.ts';
import { clusterIdIn } from './prove.ts';
import { readClusterConfigs } from './refusal.ts';

/**
 * The ids of the clusters that these are already connected to, by context and peer name, from what KVStoreMesh keeps of
 * them: one look into one pod of each cluster that has peers. Whatever cannot be read is left out.
 */
export async function readPeerIds(
  flow: Flow,
  targets: readonly Target[],
  snapshots: readonly ClusterSnapshot[],
  parallel: number,
): Promise<Map<string, Map<string, number>>> {
  const limit = pLimit(parallel);
  const read = targets.map(async (target, index): Promise<[string, Map<string, number>]> => {
    const snapshot = snapshots[index];
    const configs =
      snapshot && configuredPeers(snapshot).length > 0
        ? await limit(() => configsOf(flow, target, snapshot))
        : undefined;
    const own = identityOf(snapshot?.ciliumConfig ?? {}).name;
    const ids = [...(configs ?? [])].flatMap(([name, config]): [string, number][] => {
      const id = clusterIdIn(config);
      return id === undefined || name === own ? [] : [[name, id]];
    });
    return [target.client.context, new Map(ids)];
  });
  return new Map(await Promise.all(read));
}

async function configsOf(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
): Promise<Map<string, string> | undefined> {
  const { client, namespace } = target;
  const pods = await client.listAll({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: APISERVER_SELECTOR });
  const pod = pods.find((candidate) => isPodReady(candidate));
  return pod && readClusterConfigs(flow, target, snapshot, pod);
}
