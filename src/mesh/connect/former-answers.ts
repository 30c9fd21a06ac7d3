import { isIpAddress, splitHostPort } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { canonicalIp } from '../cilium/cidr.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { ownedElsewhere } from '../command-line.ts';
import { clusterAddresses, serviceSpec } from '../objects/service.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import { dialsAnother, isDialledElsewhere } from '../peers/namesakes.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { Member } from './member.ts';

/** Who dials whom. */
export interface DialOfMembers {
  client: Pick<Member, 'snapshot'>;
  server: Pick<Member, 'snapshot' | 'identity'>;
}

/**
 * Of dials, those of which nothing that was read tells whether it is the same cluster that was dialled so far: it
 * has none of these addresses, and they are no node's of it, nor its Service's within the cluster, at which one of another type was
 * reached. Names tell nothing, and where a tool has the address from a source of its own, that one is meant.
 * @param all that were read
 */
export function untoldDials<T extends DialOfMembers>(dials: readonly T[], all: readonly ClusterSnapshot[]): T[] {
  return dials.filter(({ client: { snapshot }, server }) => {
    const { name } = server.identity;
    const own = ownAddresses(server.snapshot);
    // Of a file that cannot be read it is not known whom it means.
    const ips = dialledAddresses(snapshot, name)
      .map((address) => splitHostPort(address).host)
      .filter(isIpAddress);
    const isElsewhere =
      ips.length > 0 && isDialledElsewhere(snapshot, server.snapshot) && !ips.some((ip) => own.has(ip));
    return isElsewhere && !foreignFile(snapshot, name) && !dialsAnother(snapshot, name, server.snapshot, all);
  });
}

/** The addresses of a cluster's nodes, and those of its Service but for what balances it. */
function ownAddresses(server: ClusterSnapshot): Set<string> {
  const { externalIPs = [] } = serviceSpec(apiserverService(server));
  const ofNodes = server.nodes.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  return new Set([...ofNodes, ...clusterAddresses(apiserverService(server)), ...externalIPs.map(canonicalIp)]);
}

/**
 * What may become of peers that answer where they are dialled so far, by their name and certificate, and not at an address of the cluster
 * that is dialled from now on: it may be another one, as that of which a backup was restored.
 * @param dials {@link untoldDials}
 * @param reached the names to which a new connection was made, by the context of who dials
 */
export function formerAnswers(
  dials: readonly DialOfMembers[],
  reached: ReadonlyMap<string, readonly string[]>,
): PeerEffect[] {
  return dials.flatMap(({ client: { snapshot }, server }): PeerEffect[] => {
    const { name: peer } = server.identity;
    const { context: cluster } = snapshot;
    if (!reached.get(cluster)?.includes(peer)) return [];
    const replacedBy = server.snapshot.context;
    return [{ cluster, peer, becomes: 'unknown', why: saysAnswered(snapshot, peer, replacedBy), replacedBy }];
  });
}

/** That one of a peer's name answers where it is dialled, as a clause. @param context that of the cluster which has no such address */
export function saysAnswered(client: ClusterSnapshot, peer: string, context: string): string {
  const at = dialledAddresses(client, peer).join(', ');
  const whose =
    ownedElsewhere(context) === undefined ? `no address of context "${context}"` : 'no address that the message tells';
  return `one of its name and certificate answers at ${at}, which is ${whose}`;
}
