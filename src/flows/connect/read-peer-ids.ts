import pLimit from 'p-limit';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import {
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  ETCD_CONTAINER,
  LOCAL_CERT_SECRET,
  localUserName,
} from '../../mesh/objects/names.ts';
import { isContainerReady, isPodReady, livingPods } from '../../mesh/objects/pods.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import { clusterIdIn } from '../etcd/prove.ts';
import { readClusterConfigs } from '../etcd/read-own-keys.ts';
import type { Flow, Target } from '../flow.ts';

/** What the etcd of a cluster describes, as ids by name. */
export interface DescribedClusters {
  /** The cluster itself, as its clustermesh-apiserver took it at its start; undefined where its etcd could not be read. */
  own: ReadonlyMap<string, number> | undefined;
  /** What KVStoreMesh keeps of its peers; undefined as above. */
  peers: ReadonlyMap<string, number> | undefined;
  /** Its etcd has no user for the agents of a cluster of this name: it was made for one of another name. */
  isOfAnother: boolean;
  /** Its etcd was asked in vain: the user may not, or it has not answered. */
  isUntold: boolean;
}

/**
 * What the etcds of clusters describe, by context: one look into one pod of each cluster that has peers, or with `own` of
 * each that is enabled. Whatever cannot be read is left out.
 */
export async function readDescribed(
  flow: Flow,
  targets: readonly Target[],
  snapshots: readonly ClusterSnapshot[],
  { parallel, own = false }: { parallel: number; own?: boolean },
): Promise<Map<string, DescribedClusters>> {
  const limit = pLimit(parallel);
  const isAsked = (snapshot: ClusterSnapshot) =>
    configuredPeers(snapshot).length > 0 ||
    (own && snapshot.objects.has(keyOf(apiserverDeploymentRef(snapshot.namespace))));
  const read = targets.map(async (target, index): Promise<[string, DescribedClusters]> => {
    const snapshot = snapshots[index];
    const configs = snapshot && isAsked(snapshot) ? await limit(() => configsOf(flow, target, snapshot)) : undefined;
    const name = identityOf(snapshot?.ciliumConfig ?? {}).name;
    const ids = [...(configs instanceof Map ? configs : [])].flatMap(([cluster, config]) => {
      const id = clusterIdIn(config);
      // By its name alone it may be a peer, whose name the cluster is to have next.
      return id === undefined ? [] : [{ cluster, id, isOwn: !isCached(config) }];
    });
    const mapOf = (list: typeof ids) => new Map(list.map(({ cluster, id }) => [cluster, id]));
    return [
      target.client.context,
      {
        ...(configs instanceof Map
          ? { own: mapOf(ids.filter(({ isOwn }) => isOwn)), peers: mapOf(ids.filter(({ isOwn }) => !isOwn)) }
          : { own: undefined, peers: undefined }),
        isUntold: configs === 'untold',
        isOfAnother: configs === 'unknown-user' && agentsUser(snapshot) === localUserName(name),
      },
    ];
  });
  return new Map(await Promise.all(read));
}

/** The ids of the clusters that these are already connected to, by context and peer name. */
export function peerIdsIn(described: ReadonlyMap<string, DescribedClusters>): Map<string, ReadonlyMap<string, number>> {
  return new Map([...described].flatMap(([context, { peers }]) => (peers ? [[context, peers] as const] : [])));
}

/** The etcd user as whom the cluster's agents log in. */
function agentsUser(snapshot: ClusterSnapshot | undefined): string | undefined {
  return snapshot?.tlsSecrets.get(LOCAL_CERT_SECRET)?.certificate.commonName;
}

/** KVStoreMesh marks the descriptions that it copies (Cilium's pkg/clustermesh/types: CiliumClusterConfigCapabilities). */
function isCached(description: string): boolean {
  const parsed = JSON.parse(description) as { capabilities?: { cached?: boolean } } | null;
  return parsed?.capabilities?.cached === true;
}

async function configsOf(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
): Promise<Awaited<ReturnType<typeof readClusterConfigs>>> {
  const { client, namespace } = target;
  const pods = await client.listAll(livingPods(namespace, APISERVER_SELECTOR));
  // A pod that runs under another name than its certificates have is never ready; its etcd is.
  const pod = pods.find(isPodReady) ?? pods.find((candidate) => isContainerReady(candidate, ETCD_CONTAINER));
  return pod && readClusterConfigs(flow, target, snapshot, pod);
}
