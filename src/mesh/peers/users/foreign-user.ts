import { recordedIdentity } from '../../apiserver/recorded-identity.ts';
import { checkClusterName } from '../../cilium/cluster-name.ts';
import { clusterNameOf } from '../../cilium/identity.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { peerOfUser } from '../file/peer-config.ts';

type Holder = Pick<ClusterSnapshot, 'ciliumConfig' | 'objects' | 'namespace' | 'tlsSecrets'>;

/**
 * The other cluster whose certificate a cluster dials a peer with: it ends with that one's user. Undefined for one of its
 * own, also by the name that it had, for what several share (`remote`, another tool's name), for the peer's own remote-cert
 * (credentials `legacy`, whose CN Cilium's chart makes `remote-<peer>` in authMode cluster), and where the own name is not known.
 * @param user the certificate's CN
 */
export function foreignOwnerOf(holder: Holder, peer: string, user: string): string | undefined {
  const own = clusterNameOf(holder);
  const named = peerOfUser(user) ?? '';
  if (checkClusterName(own) !== undefined || checkClusterName(named) !== undefined) return undefined;
  return [own, peer, recordedIdentity(holder).name].includes(named) ? undefined : named;
}
