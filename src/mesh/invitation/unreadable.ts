import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { peersOfOthers, servedPeers } from '../peers/peer-choices.ts';
import { peersByDirection } from '../peers/peers.ts';
import {
  INVITATION_LABEL,
  type InvitationRecord,
  type InvitationStanding,
  invitationRef,
  revokeCommand,
} from './record.ts';

/**
 * An invitation whose record cannot be read: it was changed by hand, restored in part, or is of a later meshctl. Its key may lie in
 * the Secret all the same, and whom it has let in stays in.
 */
export interface UnreadableInvitation {
  /** By the name of its Secret. */
  id: string;
  role: InvitationRecord['role'] | undefined;
  secret: KubeObject;
}

/** What the name and the label of a Secret tell of an invitation whose record cannot be read. */
export function unreadableInvitation(secret: KubeObject): UnreadableInvitation {
  const { name, labels = {} } = secret.metadata;
  const prefix = invitationRef('', '').name;
  const role = ROLES.find((one) => one === labels[INVITATION_LABEL]);
  return { id: name.startsWith(prefix) ? name.slice(prefix.length) : name, role, secret };
}

const ROLES = ['inviter', 'guest'] as const;

/** How one stands, beside those that can be read. @param context of the cluster that has it */
export function standingOfUnreadable(
  { id, role }: Omit<UnreadableInvitation, 'secret'>,
  context: string,
): InvitationStanding {
  return { id, role, state: 'unreadable', next: revokeCommand(context, id) };
}

/** What those who end invitations, or what they hang on, cannot know of one. @param context of the cluster that has it */
export function noteOfUnreadable({ id }: Pick<UnreadableInvitation, 'id'>, context: string): string {
  return `context "${context}": invitation ${id} cannot be read, so that it is not known whom it has let in, and whether it is open → to end it: ${revokeCommand(context, id)}`;
}

/**
 * Whom an invitation that cannot be read may have let in: who dials a cluster by no choice that is written down there, or belongs to
 * another owner, unless one that can be read has let them in.
 */
export function perhapsLetIn(snapshot: ClusterSnapshot, others: readonly InvitationRecord[]): string[] {
  const { dialled, letIn } = peersByDirection(snapshot);
  const served = servedPeers(snapshot, dialled);
  const explained = others.flatMap(({ state, peer }) => (state === 'revoked' ? [] : (peer?.name ?? [])));
  const guests = letIn.filter((peer) => !dialled.includes(peer) && !served.includes(peer));
  return [...new Set([...guests, ...peersOfOthers(snapshot)])].filter((peer) => !explained.includes(peer)).sort();
}
