import { hostPort, isIpAddress, reachableEndpoints, splitHostPort } from '../../apiserver/endpoints.ts';
import { isAddressOf } from '../../apiserver/own-addresses.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshHostname } from '../../objects/names.ts';
import { fieldOwner, managersOfKey, soleSetter, toolOwner } from '../../objects/ownership.ts';
import { FIELD_MANAGER } from '../../plan/plan.ts';
import { dialingFile } from '../peers.ts';
import { aliasedIps } from './host-aliases.ts';
import type { PeerEndpoint } from './peer-config.ts';
import { addressesIn, readPeerFile } from './peer-file.ts';

/** A peering file that a tool has from a source of its own and would write again: Helm, Argo CD, Flux. */
export interface ForeignFile {
  /** For people: `Helm release cilium`. */
  owner: string;
  /** What it dials, as meshctl would write it. */
  endpoint: PeerEndpoint;
  /** `host:port` of each address that it leads to in the end; empty where only a name server could tell. */
  leadsTo: readonly string[];
}

/** The file by which a cluster dials a peer, where it can be read and its key is not one that meshctl has written. */
export function foreignFile(snapshot: ClusterSnapshot, peer: string): ForeignFile | undefined {
  const file = dialingFile(snapshot, peer);
  if (!file) return undefined;
  const owner = toolOwner(file.secret);
  const managers = managersOfKey(file.secret, peer);
  if (owner === undefined || managers.length === 0 || managers.includes(FIELD_MANAGER)) return undefined;
  const endpoints = addressesIn(file.text).map(splitHostPort);
  if (endpoints.length === 0) return undefined;
  const hostname = meshHostname(peer);
  const addresses = endpoints.map(({ host, port }) => hostPort(host, port));
  if (!endpoints.every(({ host }) => host === hostname)) return { owner, endpoint: { addresses }, leadsTo: addresses };
  const content = readPeerFile(file.text);
  const inFile = 'unreadable' in content ? [] : content.hostAliases.filter((alias) => alias.hostname === hostname);
  const ips = inFile.flatMap((alias) => alias.ips).filter(isIpAddress);
  const ports = [...new Set(endpoints.map(({ port }) => port))];
  const reached = (of: readonly string[]) => of.flatMap((ip) => ports.map((port) => hostPort(ip, port)));
  if (ips.length === 0) return { owner, endpoint: { addresses }, leadsTo: reached(aliasedIps(snapshot, peer)) };
  return { owner, endpoint: { addresses: reached(ips), alias: { ips, ports, in: 'file' } }, leadsTo: reached(ips) };
}

/**
 * Who else than meshctl has set the file by which a cluster dials a peer, and when, as far as the Secret tells: a release that still names
 * a peer brings it back.
 */
export function fileSetter(
  client: ClusterSnapshot,
  peer: string,
): { owner: string; isTool: boolean; says: string } | undefined {
  const file = dialingFile(client, peer);
  const setter = file && soleSetter(file.secret, `data.${peer}`);
  if (!setter) return undefined;
  const owner = fieldOwner(file.secret, setter.manager);
  const when = setter.time === undefined ? '' : ` at ${setter.time}`;
  return {
    owner,
    isTool: owner !== setter.manager,
    says: `the file for ${peer} in context "${client.context}" was set by ${owner}${when}`,
  };
}

/** What {@link fileSetter} says, as a clause that follows another one; empty where nobody else has set it. */
export function saysWhoSet(client: ClusterSnapshot, peer: string): string {
  const setter = fileSetter(client, peer);
  return setter ? ` (${setter.says})` : '';
}

/** Whether it leads to no address of the peer's. */
export function leadsElsewhere({ leadsTo }: ForeignFile, server: ClusterSnapshot): boolean {
  return reachableEndpoints(server) !== undefined && leadsTo.every((one) => isAddressOf(server, one) === false);
}
