import type { ClusterClient } from '../../kube/client.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { CaFacts } from '../../mesh/cluster-snapshot.ts';
import type { PeersByOwner } from '../../mesh/invitation/outdated.ts';
import { INVITATION_LABEL, type InvitationRecord, isUnanswered, readRecord } from '../../mesh/invitation/record.ts';
import { type UnreadableInvitation, unreadableInvitation } from '../../mesh/invitation/unreadable.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
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

/** The invitations of a cluster, the oldest first; what cannot be read is not dropped: nobody else would tell of it. */
export interface ReadInvitations {
  kept: KeptInvitation[];
  unreadable: UnreadableInvitation[];
}

/** The same for who only reports. */
export interface JudgedInvitations {
  judged: readonly JudgedInvitation[];
  unreadable: readonly Omit<UnreadableInvitation, 'secret'>[];
}

/** The same with a look at the cluster's CA, where an invitation waits for an answer. */
export async function readJudgedInvitations(
  { client, namespace }: ReadableTarget<'listAll' | 'get'>,
  signal?: AbortSignal,
): Promise<JudgedInvitations> {
  const { kept, unreadable } = await readInvitations({ client, namespace }, signal);
  const waits = kept.some(({ record }) => isUnanswered(record));
  const ca = waits ? await unlessForbidden(readAuthorityFacts(client, namespace, signal)) : undefined;
  return {
    judged: kept.map(({ record }) => ({
      record,
      isVoid: ca !== undefined && isUnanswered(record) && !isSignedBy(record, ca),
    })),
    unreadable: unreadable.map(({ id, role }) => ({ id, role })),
  };
}

/** Whether a cluster's CA is the one that has signed its last message, which is what answers name (judge.ts). */
function isSignedBy({ sent }: InvitationRecord, { certificate }: CaFacts): boolean {
  const { ca } = (sent.cluster ?? {}) as { ca?: unknown };
  const [signer] = typeof ca === 'string' ? readBundle(ca) : [];
  return signer === undefined || signer.sha256 === certificate.sha256;
}

/** The invitations that a cluster has given and accepted. */
export async function readInvitations(
  { client, namespace }: ReadableTarget<'listAll'>,
  signal?: AbortSignal,
): Promise<ReadInvitations> {
  const selection = { apiVersion: 'v1', kind: 'Secret', namespace, labelSelector: INVITATION_LABEL };
  const secrets = await client.listAll(selection, { signal });
  const kept: KeptInvitation[] = [];
  const unreadable: UnreadableInvitation[] = [];
  for (const secret of secrets) {
    const record = readRecord(secret);
    if (record) kept.push({ record, secret });
    else unreadable.push(unreadableInvitation(secret));
  }
  return { kept: kept.sort((a, b) => a.record.issued.getTime() - b.record.issued.getTime()), unreadable };
}

/** Whether a peer of a cluster is another owner's: then certificates for dialling it are asked of them. */
export async function isOfOtherOwner(target: Target, peer: string): Promise<boolean> {
  return (await readPeersByOwner(target)).ofOthers.includes(peer);
}

/** Whom a cluster has as peers, where no more of it is read. */
export async function readPeersByOwner(
  { client, namespace }: ReadableTarget<'get'>,
  signal?: AbortSignal,
): Promise<PeersByOwner> {
  const ref = secretRef(namespace, AGENT_PEERS_SECRET);
  const secret = await client.get(ref, { signal });
  const objects = new Map(secret ? [[keyOf(ref), secret]] : []);
  return { dialled: configuredPeers({ objects, namespace }), ofOthers: peersOfOthers({ objects, namespace }) };
}
