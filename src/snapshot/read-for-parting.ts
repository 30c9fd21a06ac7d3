import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { apiserverDeployment } from '../mesh/apiserver/live.ts';
import { podIdentity } from '../mesh/apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { ADMIN_CERT_SECRET, REMOTE_CERT_SECRET, SERVER_CERT_SECRET, secretRef } from '../mesh/objects/names.ts';
import { configuredPeers, sharesLogin } from '../mesh/peers/peers.ts';
import { withReachableAddresses } from './nodes.ts';
import { readAuthorityFacts, readSnapshot } from './read-snapshot.ts';
import { readBundles, readTlsFacts } from './tls-facts.ts';

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
  return withCertificates(client, snapshot, names);
}

/**
 * A cluster read so with what tells it from another one of its name: the CA of its server certificate, or where it has none its own
 * CA, and the addresses at which its Service is reached, those of nodes too. What may not be read is done without.
 */
export async function withWhatTellsApart(client: ClusterClient, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const read = await withReachableAddresses(client, await withServerCertificate(client, snapshot));
  if (read.tlsSecrets.has(SERVER_CERT_SECRET)) return read;
  return { ...read, ca: await unlessForbidden(readAuthorityFacts(client, read.namespace)) };
}

/** A cluster read so with its server certificate, whose Secret has the CAs that its etcd takes; without it where it may not be read. */
export function withServerCertificate(client: ClusterClient, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  return withCertificates(client, snapshot, [SERVER_CERT_SECRET]);
}

/** With certificates, as far as they may be read. */
async function withCertificates(
  client: ClusterClient,
  snapshot: ClusterSnapshot,
  names: readonly string[],
): Promise<ClusterSnapshot> {
  const read = names.map((name) => unlessForbidden(client.get(secretRef(snapshot.namespace, name))));
  const secrets = (await Promise.all(read)).flatMap((secret) => secret ?? []);
  if (secrets.length === 0) return snapshot;
  const isUnread = (key: string) => snapshot.unread?.has(key) ?? false;
  const bundles = await readBundles(snapshot, (ref) => unlessForbidden(client.get(ref)), isUnread);
  const { tlsSecrets } = readTlsFacts(secrets, undefined, bundles);
  return { ...snapshot, tlsSecrets: new Map([...snapshot.tlsSecrets, ...tlsSecrets]) };
}
