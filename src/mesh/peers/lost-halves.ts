import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { waysOut } from './parted.ts';
import { dialsOneWay, servedPeers, underItsName } from './peer-choices.ts';
import { configuredPeers, expectedPeers } from './peers.ts';

/** Whether `client` dials `server` and is not dialled back, though nobody chose that: perhaps half of it is lost. */
export function isHalfOfPeering(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  return (
    configuredPeers(client).includes(clusterNameOf(server)) &&
    !configuredPeers(server).includes(clusterNameOf(client)) &&
    !dialsOneWay(underItsName(client), underItsName(server))
  );
}

/**
 * The clusters among others that let this one in one-way, as chosen, and that it does not dial: it has lost its half, or has
 * parted with them by itself.
 */
export function undialledServers(client: ClusterSnapshot, others: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const dialled = expectedPeers(client);
  return others.filter(
    (server) =>
      servedPeers(server, configuredPeers(server)).includes(clusterNameOf(client)) &&
      !dialled.includes(clusterNameOf(server)),
  );
}

/** What is said of one of {@link undialledServers}, as a clause. */
export function saysUndialled(client: ClusterSnapshot, server: ClusterSnapshot): string {
  return `${clusterNameOf(client)} does not dial ${clusterNameOf(server)}, which lets it in one-way, as chosen`;
}

/** Both ways out for one of {@link undialledServers}: the choice that it is one-way stays where they are connected again. */
export function mendUndialled(client: ClusterSnapshot, server: ClusterSnapshot): string {
  return waysOut(server, { context: client.context, name: clusterNameOf(client) });
}
