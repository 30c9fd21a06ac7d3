import { isRecord } from '../record.ts';
/**
 * One remote cluster as an agent or KVStoreMesh reports it (Cilium's api/v1 model RemoteCluster). Its JSON leaves out
 * false, zero and empty fields.
 */
export interface RemoteClusterReport {
  name: string;
  ready?: boolean;
  connected?: boolean;
  status?: string;
  'num-failures'?: number;
  /** When its last connection broke, in RFC 3339; of the year 1 where none has. */
  'last-failure'?: string;
  /** Global Services that it knows of there: also those of a connection that is lost (Cilium's pkg/clustermesh/remote_cluster.go). */
  'num-shared-services'?: number;
  config?: { required?: boolean; retrieved?: boolean; 'cluster-id'?: number; kvstoremesh?: boolean };
  synced?: Record<string, boolean>;
}

/**
 * The cluster id of the etcd that a connection is with, in hexadecimal, where its status tells it (Cilium's
 * pkg/clustermesh/common/remote_cluster.go; a connection ends where another etcd answers, interceptor.go).
 */
export function etcdIdIn({ status = '' }: RemoteClusterReport): string | undefined {
  return /, ID: ([0-9a-f]{1,16})$/.exec(status)?.[1];
}

/** A mesh has at most 511 clusters. */
const MOST_CLUSTERS = 1024;
/** A cluster's name has at most 32 characters; this much is enough to show a wrong one. */
const LONGEST_NAME = 64;
const LONGEST_STATUS = 300;
const LONGEST_TIME = 40;
const MOST_SYNCED = 16;

/**
 * What an agent says of its remote clusters: `cluster-mesh.clusters` of its status. Without Cluster Mesh there are none.
 * @param document parsed JSON of `cilium status -o json`; not trusted
 * @returns undefined when it is not such a document
 */
export function remoteClustersOfAgent(document: unknown): RemoteClusterReport[] | undefined {
  if (!isRecord(document)) return undefined;
  const mesh = document['cluster-mesh'];
  if (mesh === undefined || mesh === null) return [];
  return isRecord(mesh) ? remoteClusters(mesh.clusters) : undefined;
}

/**
 * The remote clusters in a list, reduced to what is judged, so that nothing of a large answer stays in memory. Entries
 * without a name are passed over.
 * @param list parsed JSON of `kvstoremesh-dbg status -o json`; not trusted
 */
export function remoteClusters(list: unknown): RemoteClusterReport[] | undefined {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) return undefined;
  return list.slice(0, MOST_CLUSTERS).flatMap((entry: unknown) => {
    if (!isRecord(entry) || typeof entry.name !== 'string' || entry.name === '') return [];
    return [reportOf(entry, entry.name)];
  });
}

function reportOf(entry: Record<string, unknown>, name: string): RemoteClusterReport {
  const { status, config, synced } = entry;
  const failures = entry['num-failures'];
  const failure = entry['last-failure'];
  const shared = entry['num-shared-services'];
  return {
    name: copy(name, LONGEST_NAME),
    ready: entry.ready === true,
    connected: entry.connected === true,
    ...(typeof status === 'string' ? { status: copy(status, LONGEST_STATUS) } : {}),
    ...(typeof failures === 'number' ? { 'num-failures': failures } : {}),
    ...(typeof failure === 'string' ? { 'last-failure': copy(failure, LONGEST_TIME) } : {}),
    ...(typeof shared === 'number' ? { 'num-shared-services': shared } : {}),
    ...(isRecord(config) ? { config: configOf(config) } : {}),
    ...(isRecord(synced) ? { synced: syncedOf(synced) } : {}),
  };
}

function configOf(config: Record<string, unknown>): NonNullable<RemoteClusterReport['config']> {
  const id = config['cluster-id'];
  return {
    required: config.required === true,
    retrieved: config.retrieved === true,
    // What is read is a cache (Cilium's cluster configuration, capability `cached`).
    kvstoremesh: config.kvstoremesh === true,
    ...(typeof id === 'number' ? { 'cluster-id': id } : {}),
  };
}

function syncedOf(synced: Record<string, unknown>): Record<string, boolean> {
  const entries = Object.entries(synced).slice(0, MOST_SYNCED);
  return Object.fromEntries(entries.map(([what, done]) => [copy(what, LONGEST_NAME), done === true]));
}

/** A short copy; a mere slice would keep the whole answer in memory. */
function copy(text: string, most: number): string {
  return [...text.slice(0, most)].join('');
}
