import { type Endpoint, isIpAddress, listEndpoints } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { dualStackCommand } from '../apiserver/service-lack.ts';
import { familyOf } from '../cilium/cidr.ts';
import { ipFamilies } from '../cilium/datapath.ts';
import { familiesOfNodes } from '../cilium/node-addresses.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, ownedElsewhere } from '../command-line.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { kvstoremeshDials } from '../peers/peers.ts';

/** Why nothing of a cluster can ever dial where a peer is to be dialled. */
export interface FamilyLack {
  /** One clause about the cluster that dials. */
  says: string;
  hint: string;
}

/**
 * That whoever dials in a cluster has an address of no family of these hosts: a packet of it cannot even be made. KVStoreMesh runs in
 * pods with the addresses that Cilium gives, agents in their nodes' network.
 * @param hosts IP addresses or host names, of which nothing is known without DNS
 * @param isChosen by the operator: nodes may have addresses of which Kubernetes does not tell, so of agents nothing is said then
 * @returns undefined where one of the hosts can be dialled, or it is not known
 */
export function familyLack(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  hosts: readonly string[],
  isChosen: boolean,
): FamilyLack | undefined {
  const byPods = kvstoremeshDials(client) ?? true;
  if (!byPods && isChosen) return undefined;
  const families = familiesOfDiallers(client, byPods);
  if (families.length === 0 || hosts.length === 0) return undefined;
  const canDial = (host: string) => !isIpAddress(host) || families.includes(familyOf(host));
  if (hosts.some(canDial)) return undefined;
  const own = families.map((family) => `IPv${family}`).join(' and ');
  const who = byPods ? 'the pods of KVStoreMesh have' : 'its nodes have';
  const says = `${who} addresses of ${own} only, and so cannot dial ${knownAs(server)} at ${[...new Set(hosts)].join(', ')}`;
  return { says, hint: mendOf(client, server, { families, canDial }) };
}

/**
 * The families of the addresses that whoever dials peers has: the pods of KVStoreMesh, or nodes. Empty where that is not known.
 * @param byPods whether KVStoreMesh dials
 */
export function familiesOfDiallers(client: ClusterSnapshot, byPods: boolean): (4 | 6)[] {
  if (!byPods) return familiesOfNodes(client);
  return client.ciliumConfig ? ipFamilies(client.ciliumConfig) : [];
}

/** What lets the one dial the other: the Service's address that it has already, or one of both families. */
function mendOf(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  { families, canDial }: { families: readonly (4 | 6)[]; canDial(host: string): boolean },
): string {
  const peer = knownAs(server);
  const isKept = choicesFor(client, peer).endpoints !== undefined || foreignFile(client, peer) !== undefined;
  const connect = isKept
    ? dialServiceCommand(client.context, { name: peer, context: server.context })
    : connectCommand(client.context, server.context);
  if (listEndpoints(server).some(({ host }: Endpoint) => canDial(host))) return connect;
  const service = apiserverService(server);
  const wanted = families.map((family) => `IPv${family}`).join(' or ');
  const own = ipFamilies(server.ciliumConfig ?? {});
  if (!families.some((family) => own.includes(family)))
    return `The pods of ${peer} have no addresses of ${wanted}, so its Service cannot get one either: give both clusters a family in common.`;
  if (ownedElsewhere(server.context) !== undefined)
    return `Have the owner of "${peer}" give its Service addresses of ${wanted} too (spec.ipFamilyPolicy: PreferDualStack), and invite again.`;
  return `Have the Service of ${peer} take addresses of ${wanted} too, where its cluster is dual-stack: ${dualStackCommand(server.context, service)} && ${connect}`;
}

/**
 * The same of where a client without a choice of its own, and without another tool's file, is to dial a server: the addresses of its
 * Service. Undefined also while that has none.
 * @param hosts those addresses
 */
export function serviceFamilyLack(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  hosts: readonly string[] = listEndpoints(server).map(({ host }) => host),
): FamilyLack | undefined {
  const peer = knownAs(server);
  const lack = familyLack(client, server, hosts, false);
  return lack && (choicesFor(client, peer).endpoints || foreignFile(client, peer)) ? undefined : lack;
}
