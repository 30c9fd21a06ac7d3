import type { ClusterClient } from '../../kube/client.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { CaFacts } from '../../mesh/cluster-snapshot.ts';
import { INVITATION_LABEL, type InvitationRecord, isUnanswered, readRecord } from '../../mesh/invitation/record.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
import { readBundle } from '../../pki/read.ts';
import { readAuthorityFacts } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

/** An invitation with the Secret that it is kept in, which may hold a private key: never printed. */
export interface KeptInvitation {
  record: InvitationRecord;
  secret: KubeObject;
}

interface ReadableTarget<Calls extends keyof ClusterClient> {
  client: Pick<ClusterClient, Calls>;
  namespace: string;
}

/** An invitation, and whether the CA that signed its last message has been replaced. */
export interface JudgedInvitation {
  record: InvitationRecord;
  isVoid: boolean;
}

/** The same with a look at the cluster's CA, where an invitation waits for an answer. */
export async function readJudgedInvitations(
  { client, namespace }: ReadableTarget<'listAll' | 'get'>,
  signal?: AbortSignal,
): Promise<JudgedInvitation[]> {
  const kept = await readInvitations({ client, namespace }, signal);
  const waits = kept.some(({ record }) => isUnanswered(record));
  const ca = waits ? await unlessForbidden(readAuthorityFacts(client, namespace, signal)) : undefined;
  return kept.map(({ record }) => ({
    record,
    isVoid: ca !== undefined && isUnanswered(record) && !isSignedBy(record, ca),
  }));
}

/** Whether a cluster's CA is the one that has signed its last message, which is what answers name (judge.ts). */
function isSignedBy({ sent }: InvitationRecord, { certificate }: CaFacts): boolean {
  const { ca } = (sent.cluster ?? {}) as { ca?: unknown };
  const [signer] = typeof ca === 'string' ? readBundle(ca) : [];
  return signer === undefined || signer.sha256 === certificate.sha256;
}

/** The invitations that a cluster has given and accepted, the oldest first. */
export async function readInvitations(
  { client, namespace }: ReadableTarget<'listAll'>,
  signal?: AbortSignal,
): Promise<KeptInvitation[]> {
  const selection = { apiVersion: 'v1', kind: 'Secret', namespace, labelSelector: INVITATION_LABEL };
  const secrets = await client.listAll(selection, { signal });
  return secrets
    .flatMap((secret) => {
      const record = readRecord(secret);
      return record ? [{ record, secret }] : [];
    })
    .sort((a, b) => a.record.issued.getTime() - b.record.issued.getTime());
}

/** Whether a peer of a cluster is another owner's: then certificates for dialling it are asked of them. */
export async function isOfOtherOwner({ client, namespace }: Target, peer: string): Promise<boolean> {
  const ref = secretRef(namespace, AGENT_PEERS_SECRET);
  const secret = await client.get(ref);
  return secret !== undefined && peersOfOthers({ objects: new Map([[keyOf(ref), secret]]), namespace }).includes(peer);
}
