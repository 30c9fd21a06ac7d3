import type { EtcdSession } from './etcd-session.ts';
import { type PeerState, STATE_KINDS } from './peer-state.ts';

/** A peer as `cilium status -o json` has it (Cilium's api/v1 model RemoteCluster): false, 0 and '' are left out. */
export type RemoteClusterStatus = Record<string, unknown> & { name: string };

/** What a peer publishes about itself under `cilium/cluster-config/<name>`. */
export interface ClusterConfig {
  id?: number;
  capabilities?: { syncedCanaries?: boolean; cached?: boolean; maxConnectedClusters?: number };
}

/** What a connection to a peer has come to. */
export interface RemoteClusterFacts {
  name: string;
  session: Pick<EtcdSession, 'etcdId'> | undefined;
  /** Whether the peer's configuration was asked for. */
  asked: boolean;
  config: ClusterConfig | undefined;
  /** As it is read over this connection. */
  state: PeerState | undefined;
  /** As it was last read, which counts. */
  heard: PeerState | undefined;
  failures: number;
  lastFailure: Date | undefined;
}

const WAITING = 'Waiting for initial connection to be established';

/** A peer in the words of Cilium's API. */
export function remoteClusterStatus(facts: RemoteClusterFacts): RemoteClusterStatus {
  const { name, session, asked, config, state, heard, failures, lastFailure } = facts;
  const synced = STATE_KINDS.filter((kind) => state?.synced.has(kind));
  const status: RemoteClusterStatus = {
    name,
    ready: session !== undefined && synced.length === STATE_KINDS.length,
    connected: session !== undefined,
    status: session
      ? `etcd: 1/1 connected, leases=0, lock leases=0, has-quorum=true: endpoint status checks are disabled, ID: ${session.etcdId}`
      : WAITING,
    ...(asked && { config: configStatus(config) }),
    'num-nodes': heard?.nodes.size,
    'num-endpoints': heard?.endpoints.size,
    'num-identities': heard?.identities.size,
    'num-shared-services': heard?.services.size,
    'num-failures': failures,
    'last-failure': lastFailure?.toISOString() ?? NEVER,
    synced: Object.fromEntries(synced.map((kind) => [kind, true])),
  };
  return withoutEmpty(status) as RemoteClusterStatus;
}

/** Go's zero time. */
const NEVER = '0001-01-01T00:00:00.000Z';

function configStatus(config: ClusterConfig | undefined) {
  return withoutEmpty({
    required: true,
    retrieved: config !== undefined,
    'cluster-id': config?.id,
    kvstoremesh: config?.capabilities?.cached,
    'sync-canaries': config?.capabilities?.syncedCanaries,
  });
}

/** As Go's `omitempty` does. */
function withoutEmpty(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && value !== false && value !== 0 && value !== ''),
  );
}
