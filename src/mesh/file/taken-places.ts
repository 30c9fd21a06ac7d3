import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, unnamedContext } from '../command-line.ts';
import { hasServed } from '../peers/concerned-peers.ts';
import { arePeers, isPeerByNameAlone, isPeersNamesake } from '../peers/namesakes.ts';
import { dialingFile } from '../peers/peers.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { NamedDial } from './topology.ts';

interface LaterDial {
  client: ClusterSnapshot;
  server: ClusterSnapshot;
}

/** Of dials that can be planned only once a cluster is enabled, those of clients that dial a cluster of that name now. */
export function dialledByName(later: readonly NamedDial[], members: readonly ClusterSnapshot[]): LaterDial[] {
  const byName = new Map(members.map((member) => [clusterNameOf(member), member]));
  return later.flatMap(({ from, to }) => {
    const [client, server] = [byName.get(from), byName.get(to)];
    return client && server && dialingFile(client, to) ? [{ client, server }] : [];
  });
}

/**
 * What becomes of peers whose place another cluster of their name takes once it is enabled. Connecting that is planned only then, and
 * whoever runs the plan has agreed to it by then.
 * @param all that were read: one of them may be the peer
 */
export function takenPlaces(dials: readonly LaterDial[], all: readonly ClusterSnapshot[]): PeerEffect[] {
  return dials.flatMap(({ client, server }): PeerEffect[] => {
    const peer = clusterNameOf(server);
    const { context } = server;
    const mend = connectCommand(client.context, unnamedContext(peer));
    const effect = { cluster: client.context, peer, mend, replacedBy: context };
    if (isPeersNamesake(client, server, all) || (!hasServed(server) && arePeers(client, server) === false)) {
      const why = `it is another cluster than that of context "${context}", which takes its place`;
      return [{ ...effect, becomes: 'cut', why }];
    }
    if (!isPeerByNameAlone(client, server)) return [];
    const why = `nothing but the name tells that it is the cluster of context "${context}", which is dialled in its place`;
    return [{ ...effect, becomes: 'unknown', why }];
  });
}
