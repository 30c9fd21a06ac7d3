import { type InvitationRecord, isUnanswered, isUsed, otherOf } from './record.ts';

/** Whom a cluster has as peers, by name, as far as invitations hang on it. */
export interface PeersByOwner {
  /** Whom it dials. */
  dialled: readonly string[];
  /** Peers that came by an invitation, also those that are only let in. */
  ofOthers: readonly string[];
}

/**
 * Whether nobody waits any more for what an invitation has begun: of one that is used here, once the peer is gone, has been invited
 * anew, or is connected by one operator (`connect`) since; of one that was never answered, also once the two have parted after it.
 * @param later invitations of the same cluster that came after it
 */
export function isOutdated(
  record: InvitationRecord,
  later: readonly InvitationRecord[],
  { dialled, ofOthers }: PeersByOwner,
): boolean {
  const other = otherOf(record);
  if (other === undefined) return false;
  const [isDialled, isOfOther] = [dialled.includes(other), ofOthers.includes(other)];
  if (!isUnanswered(record)) return !isDialled || !isOfOther || later.some(({ peer }) => peer?.name === other);
  if (later.some((one) => isUsed(one) && one.peer?.name === other)) return true;
  if (record.renews) return !isDialled;
  // Who replies lets the other one in, and writes down that it came by an invitation.
  return record.role === 'guest' ? !isOfOther : isDialled && !isOfOther;
}
