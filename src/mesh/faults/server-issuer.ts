import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { distrusts, lackingBundle } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';

/**
 * Whether it is the server certificate that is from another CA than everything else of the cluster: one fault, however many
 * certificates it does not go with.
 */
export function servesFromElsewhere({ tlsFiles }: Pick<ClusterSnapshot, 'tlsFiles'>): boolean {
  const server = tlsFiles?.get(SERVER_CERT_SECRET);
  if (!server) return false;
  const clients = CERTIFICATE_SECRETS.flatMap((name) => {
    const files = name === SERVER_CERT_SECRET ? undefined : tlsFiles?.get(name);
    return files?.signedByCa && typeof files.ca !== 'string' ? [files.ca] : [];
  });
  // The CA that all have is missing in the bundle by which etcd goes: that is said by itself.
  if (lackingBundle(server)) return false;
  // Those that agree with each other are right.
  const isOne = new Set(clients.map(({ publicKeySha256 }) => publicKeySha256)).size === 1;
  return clients.length > 1 && isOne && clients.every((one) => distrusts(server, one));
}
