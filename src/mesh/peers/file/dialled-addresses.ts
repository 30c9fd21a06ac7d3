import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshHostname } from '../../objects/names.ts';
import { dialingFile } from '../peers.ts';
import { aliasedIps } from './host-aliases.ts';
import { addressesMeant } from './peer-file.ts';

/**
 * `host:port` of each address at which a cluster dials a peer, whatever its version: what the peer's name in the mesh means
 * is in the file since Cilium 1.20 (`cilium-host-aliases`, pkg/clustermesh/common/config.go), and before that only in the
 * pods that dial (hostAliases). A name that neither tells stays one. None for a peer that is not dialled.
 * @param names of the peer: the one that it has, and others by which it may be known
 */
export function dialledAddresses(
  cluster: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  ...names: readonly string[]
): string[] {
  const peer = names.find((name) => dialingFile(cluster, name) !== undefined);
  return peer === undefined ? [] : addressesDialled(cluster, peer, dialingFile(cluster, peer)?.text ?? '');
}

/** The same of a text that is the file for the peer. */
export function addressesDialled(
  cluster: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  peer: string,
  text: string,
): string[] {
  return addressesMeant(text, (host) => (host === meshHostname(peer) ? aliasedIps(cluster, peer) : []));
}
