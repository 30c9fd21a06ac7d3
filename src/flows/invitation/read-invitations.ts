import type { ClusterClient } from '../../kube/client.ts';
import { INVITATION_LABEL, type InvitationRecord, readRecord } from '../../mesh/invitation/record.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
import type { Target } from '../flow.ts';

/** An invitation with the Secret that it is kept in, which may hold a private key: never printed. */
export interface KeptInvitation {
  record: InvitationRecord;
  secret: KubeObject;
}

/** The invitations that a cluster has given and accepted, the oldest first. */
export async function readInvitations(
  { client, namespace }: { client: Pick<ClusterClient, 'listAll'>; namespace: string },
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
