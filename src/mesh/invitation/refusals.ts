import { meshctlCommand } from '../command-line.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { SignedMessage } from './message.ts';
import { revokeCommand } from './record.ts';

export type RefusalReason =
  | 'altered'
  | 'expired'
  | 'not-yet-valid'
  | 'too-long'
  | 'own-message'
  | 'not-for-this-cluster'
  | 'not-invited'
  | 'renamed'
  | 'other-message'
  | 'other-ca'
  | 'unknown-invitation'
  | 'wrong-order'
  | 'used'
  | 'revoked'
  | 'key-lost'
  | 'unreadable'
  | 'wrong-certificate'
  | 'name-taken'
  | 'id-taken';

/** Why a message is not accepted. */
export interface Refusal {
  reason: RefusalReason;
  /** One sentence without a final stop. */
  says: string;
  hint?: string | undefined;
}

/** The cluster that is to accept a message, as far as words are about it. */
interface Place {
  context: string;
  name: string;
}

/** The message was made by the very cluster that is to accept it. */
export function ownMessage({ step, cluster }: SignedMessage, { context }: Place): Refusal {
  return {
    reason: 'own-message',
    says: `the ${step} was made by this very cluster, "${cluster.name}" (context "${context}"): it is for the other owner`,
    hint: 'Send it to them, then accept their answer here.',
  };
}

/** Two invitations have one id. @param how the other one came to be known, as a verb */
export function otherInvitation({ id, cluster }: SignedMessage, how: string): Refusal {
  return {
    reason: 'other-message',
    says: `another invitation of the id ${id} ${how}, and this one, of "${cluster.name}", says something else`,
    hint: `Have the owner of "${cluster.name}" invite again.`,
  };
}

/** What is kept of the invitation here says nothing. */
export function unreadable({ step, id, cluster }: SignedMessage, { context }: Place): Refusal {
  return {
    reason: 'unreadable',
    says: `what is kept of invitation ${id} here cannot be read, so the ${step} of "${cluster.name}" is not accepted: its Secret was changed, or is of a later meshctl`,
    hint: `If a later meshctl has accepted a message of it, use that one; else end it, and start over: ${revokeCommand(context, id)}`,
  };
}

/** A cluster has another name or id than the messages so far say. */
export function renamed({ step, cluster }: SignedMessage, why: string): Refusal {
  return {
    reason: 'renamed',
    says: `the ${step} of "${cluster.name}" cannot be accepted: ${why}`,
    hint: 'Start over, with the names and ids that the clusters have now.',
  };
}

/** The message is for another cluster. @param why by which words of it */
export function notForThis({ step, cluster }: SignedMessage, { name, context }: Place, why: string): Refusal {
  return {
    reason: 'not-for-this-cluster',
    says: `the ${step} of "${cluster.name}" is not for this cluster, "${name}" (context "${context}"): ${why}`,
    hint: 'Name the context of that cluster with --context.',
  };
}

/** The invitation has served already. @param peer the cluster that was connected by it */
export function used(
  { step, id }: SignedMessage,
  peer: string,
  { isDialled, context }: { isDialled: boolean; context: string },
): Refusal {
  return {
    reason: 'used',
    says: `the ${step} belongs to invitation ${id}, which has been used: cluster "${peer}" ${isDialled ? 'is dialled because of it' : 'was connected by it, and no longer is'}`,
    hint: isDialled
      ? `Whether it is connected: ${meshctlCommand('clustermesh status', { context })}`
      : 'An invitation is good for one connection; a new one makes new certificates.',
  };
}

/** Another reply to the invitation has let its cluster in. @param peer that cluster, by name and SHA-256 of its CA */
export function taken({ step, id, cluster }: SignedMessage, peer: { name: string; ca: string }, place: Place): Refusal {
  const whose = peer.name === cluster.name ? `"${peer.name}" with the CA ${fingerprintOf(peer.ca)}` : `"${peer.name}"`;
  return {
    reason: 'used',
    says: `the ${step} of "${cluster.name}" comes too late: the one of ${whose} to invitation ${id} came first`,
    hint: `Accept that one again, or revoke the invitation and invite again: ${revokeCommand(place.context, id)}`,
  };
}

/** The invitation was revoked in the cluster that is to accept. */
export function revoked({ step, id, cluster }: SignedMessage): Refusal {
  return {
    reason: 'revoked',
    says: `the ${step} belongs to invitation ${id}, which was revoked here`,
    hint: `Have the owner of "${cluster.name}" invite again, or invite them.`,
  };
}

/** The key that the certificate of the message is for is gone. */
export function keyLost({ step, id }: SignedMessage, receiver: Place): Refusal {
  return {
    reason: 'key-lost',
    says: `the ${step} belongs to invitation ${id}, whose key is no longer in its Secret`,
    hint: revoke(receiver, id),
  };
}

function revoke({ context }: Place, id: string): string {
  return `Start over, after: ${revokeCommand(context, id)}`;
}
