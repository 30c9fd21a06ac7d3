import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { distrusts, issuerOf, lackingBundle, trustedBy, trusts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { ADMIN_CERT_SECRET, LOCAL_CERT_SECRET, SERVER_CERT_SECRET } from '../objects/names.ts';

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

/**
 * Why one of the cluster's own programs that dial its etcd cannot, by the CAs of both sides, as a clause; undefined where they know each
 * other, or where it is the server certificate that is from elsewhere, or nothing tells. Agents read the cache of KVStoreMesh by the
 * local certificate, and what fills etcd goes by that of the administrator.
 */
export function strangeToServer(
  cluster: Pick<ClusterSnapshot, 'tlsFiles' | 'tlsSecrets'>,
  secret: string,
): string | undefined {
  const server = cluster.tlsSecrets.get(SERVER_CERT_SECRET);
  const client = cluster.tlsSecrets.get(secret);
  const who = DIAL_OWN[secret];
  if (!who || !server || !client || servesFromElsewhere(cluster)) return undefined;
  const [known, accepted] = [trustedBy(client), trustedBy(server)];
  const [ofServer, ofClient] = [issuerOf(server), issuerOf(client)];
  if (ofServer && !client.bundle && known.length > 0 && !trusts(client, ofServer)) {
    return `${who} go by the CA that is with it, and the server certificate is from another one`;
  }
  if (ofClient && accepted.length > 0 && !trusts(server, ofClient)) {
    return "it is from a CA that this cluster's etcd does not accept";
  }
  return undefined;
}

const DIAL_OWN: Readonly<Record<string, string>> = {
  [LOCAL_CERT_SECRET]: 'agents that read from KVStoreMesh',
  [ADMIN_CERT_SECRET]: 'the programs that fill etcd',
};
