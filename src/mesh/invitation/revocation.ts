import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { WayBack } from '../connect/way-back.ts';
import { peersOfOthers, servedPeers } from '../peers/peer-choices.ts';
import { configuredPeers, isLetIn } from '../peers/peers.ts';
import type { SignedMessage } from './message.ts';
import { type InvitationRecord, isUsed, revokeCommand } from './record.ts';

/** What becomes of the other cluster of an invitation that is taken back. */
export type Revocation =
  /** It is let in by nothing that would have to be taken away. */
  | { becomes: 'nothing' }
  /** It loses its user, and is not dialled any more. */
  | { becomes: 'parted'; peer: string; why: string }
  /** It stays: something else than this invitation has let it in, with the same user. */
  | { becomes: 'kept'; peer: string; why: string };

/**
 * Whom a revoked invitation lets in no more. Of one cluster there is one user, whatever lets it in: so whoever was let in by
 * something else too, or by a later invitation, stays.
 * @param others the other invitations of this cluster
 * @param snapshot of this cluster, with its peers' files and its users
 */
export function judgeRevocation(
  { state, peer, issued }: InvitationRecord,
  others: readonly InvitationRecord[],
  snapshot: ClusterSnapshot,
): Revocation {
  if (state === 'revoked' || !peer) return { becomes: 'nothing' };
  const { name } = peer;
  const dialled = configuredPeers(snapshot);
  const isDialled = dialled.includes(name);
  const isServed = isLetIn(snapshot, name);
  if (!isDialled && !isServed) return { becomes: 'nothing' };
  const kept = (why: string): Revocation => ({ becomes: 'kept', peer: name, why });
  if (servedPeers(snapshot, dialled).includes(name)) return kept('it was connected one-way, by no invitation');
  if (!isUsed({ state })) {
    return isDialled
      ? kept(
          `it was connected before this invitation${state === 'invited' ? ', or just before that was written down' : ''}`,
        )
      : { becomes: 'parted', peer: name, why: 'it was let in by this invitation, and may be connected by now' };
  }
  const later = others.find((other) => isUsed(other) && other.peer?.name === name && other.issued > issued);
  if (later) return kept(`it is connected by the later invitation ${later.id}`);
  if (isDialled && !peersOfOthers(snapshot).includes(name)) return kept('it was reconnected without an invitation');
  return { becomes: 'parted', peer: name, why: 'it is connected by this invitation' };
}

/**
 * What an operator runs where what accepting a message has written stays. A peer that is new here is forgotten, whatever its
 * invitation says of it by then. One that was connected before would be cut off by that: it gets a new certificate, or, as
 * long as nothing but a key was made, only this invitation ends.
 * @param snapshot of this cluster, from before
 */
export function wayBackOf({ step, id, cluster: { name } }: SignedMessage, snapshot: ClusterSnapshot): WayBack {
  const { context } = snapshot;
  if (!configuredPeers(snapshot).includes(name)) {
    return { command: meshctlCommand('clustermesh disconnect', { context }, ['--peer', name]), resumes: false };
  }
  return step === 'invitation'
    ? { command: revokeCommand(context, id), resumes: false }
    : { command: meshctlCommand('clustermesh invite', { context }, ['--peer', name]), resumes: true };
}
