import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { apiserverDeployment } from '../mesh/apiserver/live.ts';
import { podIdentity } from '../mesh/apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { ADMIN_CERT_SECRET, secretRef } from '../mesh/objects/names.ts';
import { readSnapshot } from './read-snapshot.ts';
import { readTlsFacts } from './tls-facts.ts';

/**
 * Reads who a cluster's peers are, and by which name they know it: by the mark of its clustermesh-apiserver's pods, else by the
 * certificate of its administrator, which is read only then, and does without where it may not be.
 */
export async function readForParting(client: ClusterClient, namespace: string): Promise<ClusterSnapshot> {
  const snapshot = await readSnapshot(client, { namespace, purpose: 'disconnect' });
  const deployment = apiserverDeployment(snapshot);
  if (!deployment || podIdentity(deployment)) return snapshot;
  const secret = await unlessForbidden(client.get(secretRef(namespace, ADMIN_CERT_SECRET)));
  if (!secret) return snapshot;
  const { tlsSecrets } = readTlsFacts([secret], undefined);
  return { ...snapshot, tlsSecrets: new Map([...snapshot.tlsSecrets, ...tlsSecrets]) };
}
