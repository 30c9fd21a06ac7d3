import { hostPort } from '../apiserver/endpoints.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import type { JoiningPeer } from '../objects/source-advice.ts';
import { dialledEndpoint } from './dialled-endpoint.ts';
import { asMember, type Member } from './member.ts';

/** A cluster as the values of others are to name it that dial it at the addresses of its Service. */
export function asJoining({ snapshot, identity, endpoints }: Member): JoiningPeer {
  const addresses = endpoints.map(({ host, port }) => hostPort(host, port));
  return { name: identity.name, context: snapshot.context, addresses };
}

/**
 * A cluster as the values of another one are to name it: with what that one will dial once they are connected, and with no address
 * where a connect would be refused as they are.
 * @throws MeshctlError what keeps one of them from being told by name and id
 */
export function joiningFor(client: ClusterSnapshot, server: ClusterSnapshot): JoiningPeer {
  const [dialling, dialled] = [asMember(client), asMember(server)];
  try {
    return { ...asJoining(dialled), addresses: dialledEndpoint(dialling, dialled).addresses };
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code === 'Bug') throw error;
    return { ...asJoining(dialled), addresses: [] };
  }
}
