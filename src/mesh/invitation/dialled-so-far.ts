import { hostPort, isIpAddress, reachableEndpoints, splitHostPort } from '../apiserver/endpoints.ts';
import { internalAddresses } from '../cilium/node-addresses.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import { isDialledAt } from '../peers/namesakes.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { DescribedCluster } from './message.ts';

type Told = Pick<DescribedCluster, 'name' | 'endpoints' | 'nodeAddresses'>;

/**
 * Whether a cluster dials one of a message's name at addresses of which the message tells none, so that it may be another one: names and
 * CAs are the same for a restored backup. Not where an address was chosen here, or a tool has it from a source of its own.
 */
export function isDialledBeside(own: ClusterSnapshot, { name, endpoints, nodeAddresses }: Told): boolean {
  const dialled = dialledAddresses(own, name).filter((address) => isIpAddress(splitHostPort(address).host));
  if (dialled.length === 0 || choicesFor(own, name).endpoints !== undefined || foreignFile(own, name)) return false;
  return dialled.every((one) => !endpoints.includes(one) && !nodeAddresses.includes(splitHostPort(one).host));
}

/** Whether a message tells of this very cluster: of an address at which it is dialled, or of a node of it. */
export function isToldOf(cluster: ClusterSnapshot, { endpoints, nodeAddresses }: Told): boolean {
  const present = reachableEndpoints(cluster)?.map(({ host, port }) => hostPort(host, port)) ?? [];
  const nodes = cluster.nodes.flatMap(internalAddresses);
  return present.some((one) => endpoints.includes(one)) || nodes.some((one) => nodeAddresses.includes(one));
}

/**
 * Who is dialled so far, among clusters within reach, where an address does not tell that of the message.
 * @returns `same` where the message tells of the very one that is dialled; else those of which one may be it
 */
export function rivalsAmong(own: ClusterSnapshot, told: Told, others: readonly ClusterSnapshot[]) {
  const same = others.some((one) => isToldOf(one, told) && isDialledAt(own, told.name, one) === true);
  return { same, rivals: others.filter((one) => !isToldOf(one, told)) };
}
