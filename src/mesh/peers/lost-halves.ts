import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsOneWay } from './peer-choices.ts';
import { configuredPeers } from './peers.ts';

/** Whether `client` dials `server` and is not dialled back, though nobody chose that: perhaps half of it is lost. */
export function isHalfOfPeering(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  return (
    configuredPeers(client).includes(clusterNameOf(server)) &&
    !configuredPeers(server).includes(clusterNameOf(client)) &&
    !dialsOneWay(named(client), named(server))
  );
}

function named(snapshot: ClusterSnapshot): { snapshot: ClusterSnapshot; identity: { name: string } } {
  return { snapshot, identity: { name: clusterNameOf(snapshot) } };
}
