import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { apiserverDeployment } from '../mesh/apiserver/live.ts';
import { podIdentity } from '../mesh/apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { ADMIN_CERT_SECRET, REMOTE_CERT_SECRET, secretRef } from '../mesh/objects/names.ts';
import { configuredPeers, sharesLogin } from '../mesh/peers/peers.ts';
import { readSnapshot } from './read-snapshot.ts';
import { readTlsFacts } from './tls-facts.ts';

/**
 * Reads who a cluster's peers are, and by which name they know it: by the mark of its clustermesh-apiserver's pods, else by the
 * certificate of its administrator; and as whom it logs in to those that it dials by the certificate for all of its CA. These
 * certificates are read only then, and it does without those that may not be.
 */
export async function readForParting(client: ClusterClient, namespace: string): Promise<ClusterSnapshot> {
  const snapshot = await readSnapshot(client, { namespace, purpose: 'disconnect' });
  const deployment = apiserverDeployment(snapshot);
  const names = [
    ...(deployment && !podIdentity(deployment) ? [ADMIN_CERT_SECRET] : []),
    ...(configuredPeers(snapshot).some((peer) => sharesLogin(snapshot, peer)) ? [REMOTE_CERT_SECRET] : []),
  ];
  const read = names.map((name) => unlessForbidden(client.get(secretRef(namespace, name))));
  const secrets = (await Promise.all(read)).flatMap((secret) => secret ?? []);
  if (secrets.length === 0) return snapshot;
  const { tlsSecrets } = readTlsFacts(secrets, undefined);
  return { ...snapshot, tlsSecrets: new Map([...snapshot.tlsSecrets, ...tlsSecrets]) };
}
