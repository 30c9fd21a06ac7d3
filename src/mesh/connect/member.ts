import { type Endpoint, listEndpoints } from '../apiserver/endpoints.ts';
import { type ClusterIdentity, requireIdentity } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';

/** A cluster as it was read, with who it is in the mesh. */
export interface IdentifiedCluster {
  snapshot: ClusterSnapshot;
  identity: ClusterIdentity;
}

/** A cluster of the mesh with its endpoints: it takes part in a connect or a rotation. */
export interface Member extends IdentifiedCluster {
  /** What peers dial that have no choice of their own written down; empty where its Service has no address yet. */
  endpoints: readonly Endpoint[];
  /** Whether the endpoints were named now: addresses of the operator's choice, or that it shall be the Service's again. */
  given?: 'addresses' | 'service' | undefined;
}

/** The name of each cluster, by its context. */
export function namesByContext(members: readonly IdentifiedCluster[]): Map<string, string> {
  return new Map(members.map(({ snapshot, identity }) => [snapshot.context, identity.name]));
}

/** A cluster as others find it by its Service. @throws MeshctlError what keeps it from being told by name and id */
export function asMember(snapshot: ClusterSnapshot): Member {
  return { snapshot, identity: requireIdentity(snapshot), endpoints: listEndpoints(snapshot) };
}
