/** What a cluster publishes in its etcd about its objects, and where. */
export type StateKind = (typeof STATE_KINDS)[number];
export const STATE_KINDS = ['nodes', 'endpoints', 'identities', 'services'] as const;

/** A peer's published state, by kind and key. */
export interface PeerState extends Record<StateKind, Map<string, string>> {
  /** The kinds of which all is there. */
  synced: ReadonlySet<StateKind>;
}

/** Where the state of a peer lies: in its own etcd, or in our cache of it (Cilium's pkg/kvstore, StateToCachePrefix). */
export function statePrefix(kind: StateKind, cluster: string, cached: boolean): string {
  const base = cached ? 'cilium/cache' : 'cilium/state';
  const scope: Record<StateKind, [own: string, cached: string]> = {
    nodes: [`nodes/v1/${cluster}/`, `nodes/v1/${cluster}/`],
    endpoints: ['ip/v1/default/', `ip/v1/${cluster}/`],
    identities: ['identities/v1/id/', `identities/v1/${cluster}/id/`],
    services: [`services/v1/${cluster}/`, `services/v1/${cluster}/`],
  };
  return `${base}/${scope[kind][cached ? 1 : 0]}`;
}

/** Where it says that all state of a kind has been published (Cilium's pkg/kvstore/store/syncstore.go). */
export function syncedKey(kind: StateKind, cluster: string, cached: boolean): string {
  return `cilium/synced/${cluster}/cilium/${cached ? 'cache' : 'state'}/${kind === 'endpoints' ? 'ip' : kind}/v1`;
}
