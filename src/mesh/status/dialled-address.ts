import { hostPort, reachableEndpoints } from '../apiserver/endpoints.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { describeRef, refOf } from '../objects/kube-object.ts';
import { meshHostname } from '../objects/names.ts';
import { foreignFile } from '../peers/foreign-file.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { dialledAddresses } from '../peers/peer-file.ts';
import { configuredPeers, dialingFile } from '../peers/peers.ts';
import type { AddressFaultId, Fault } from './fault.ts';

/**
 * For each peer of which no address is dialled that its Service has, what is dialled instead. It may be how the peer is
 * reached from there, so it only explains why a peer cannot be reached.
 * @param others the other clusters that were read; of one that was not, only what was chosen is told
 */
export function addressFaults(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  return configuredPeers(snapshot).flatMap((peer) => {
    const file = dialingFile(snapshot, peer);
    const other = others.find((cluster) => clusterNameOf(cluster) === peer);
    const found = file && astray(snapshot, { peer, other, dialled: dialledAddresses(file.text) });
    if (!found) return [];
    const { context, namespace } = snapshot;
    const component = dialsThroughKvstoremesh(snapshot) ? 'kvstoremesh' : 'agent';
    const object = describeRef({ ...refOf(file.secret), namespace: undefined });
    return [{ ...found, context, namespace, peer, component, object, key: peer, outage: true }];
  });
}

interface Dialled {
  peer: string;
  other: ClusterSnapshot | undefined;
  /** `host:port` of each address in the file. */
  dialled: readonly string[];
}

function astray(
  snapshot: ClusterSnapshot,
  { peer, other, dialled }: Dialled,
): { id: AddressFaultId; says: string } | undefined {
  const present = other && reachableEndpoints(other)?.map(({ host, port }) => hostPort(host, port));
  // What pods make of a peer's name in the mesh is not in the file.
  if (dialled.length === 0 || dialled.some((address) => address.startsWith(`${meshHostname(peer)}:`))) return undefined;
  if (present && dialled.some((address) => present.includes(address))) return undefined;
  const service = present ? `, but the Service of ${peer} has ${present.join(', ')}` : '';
  const says = (how: string) => `${peer} is dialled at ${dialled.join(', ')}${how}${service}`;
  if (choicesFor(snapshot, peer).endpoints) {
    return { id: 'peer-address-chosen', says: says(', as it was chosen (connect --destination-endpoint)') };
  }
  if (!present) return undefined;
  const foreign = foreignFile(snapshot, peer);
  // Only to ask for the Service's makes connect change what a tool wrote.
  return foreign
    ? { id: 'peer-address-chosen', says: says(`, as ${foreign.owner} has it`) }
    : { id: 'peer-address-gone', says: says('') };
}
