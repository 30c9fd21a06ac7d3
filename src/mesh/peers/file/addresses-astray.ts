import { hostPort, reachableEndpoints } from '../../apiserver/endpoints.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshHostname } from '../../objects/names.ts';
import { choicesFor } from '../peer-choices.ts';
import { dialledAddresses } from './dialled-addresses.ts';
import { foreignFile } from './foreign-file.ts';

export interface AddressesAstray {
  /** `host:port` of each address in the file. */
  dialled: readonly string[];
  /** What the peer's Service has; undefined where it has none, or was not read. */
  present: readonly string[] | undefined;
  /** Why, where it is meant to be so, as a clause; connect alone does not change that. */
  how?: string | undefined;
}

/**
 * What a cluster dials a peer at, where none of it is an address of the peer's Service. It may be how the peer is reached
 * from there. Undefined where one of them is, and where nobody can tell: neither the file nor the pods say what a host
 * name means.
 * @param other the peer; absent where it was not read
 */
export function addressesAstray(
  snapshot: ClusterSnapshot,
  peer: string,
  other: ClusterSnapshot | undefined,
): AddressesAstray | undefined {
  const dialled = dialledAddresses(snapshot, peer);
  const present = other && reachableEndpoints(other)?.map(({ host, port }) => hostPort(host, port));
  if (dialled.length === 0 || dialled.some((address) => address.startsWith(`${meshHostname(peer)}:`))) return undefined;
  if (present && dialled.some((address) => present.includes(address))) return undefined;
  const foreign = foreignFile(snapshot, peer);
  const how = choicesFor(snapshot, peer).endpoints
    ? 'as it was chosen (connect --destination-endpoint, or endpoints in a mesh file)'
    : foreign && `as ${foreign.owner} has it`;
  return { dialled, present, how };
}
