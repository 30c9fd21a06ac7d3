import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
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

/** What brings the half back that is lost. @param from that does not dial the other one any more */
export function restoreHalfCommand(from: ClusterSnapshot, to: ClusterSnapshot): string {
  return connectCommand(from.context, to.context);
}

function named(snapshot: ClusterSnapshot): { snapshot: ClusterSnapshot; identity: { name: string } } {
  return { snapshot, identity: { name: clusterNameOf(snapshot) } };
}
