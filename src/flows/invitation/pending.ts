import { unlessForbidden } from '../../kube/unless-refused.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Parting } from '../../mesh/connect/disconnect-plan.ts';
import {
  type InvitationRecord,
  isPending,
  isUnanswered,
  isUsed,
  otherOf,
  revokeCommand,
  standingOf,
} from '../../mesh/invitation/record.ts';
import { noteOfUnreadable, standingOfUnreadable } from '../../mesh/invitation/unreadable.ts';
import { configuredPeers, isLetIn } from '../../mesh/peers/peers.ts';
import { areAllConnected, type StatusReport } from '../../mesh/status/status.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { type JudgedInvitations, readJudgedInvitations } from './read-invitations.ts';

/** The invitations of a cluster, for its report; undefined where they cannot be read: what is seen of connections is worth more. */
export function readInvitationsIfAllowed(flow: Flow, target: Target): Promise<JudgedInvitations | undefined> {
  return orWithout(flow, readJudgedInvitations(target, flow.signal), undefined);
}

/** A report with the invitations for which somebody still has to act. @param kept those of the cluster, where they could be read */
export function withInvitations(report: StatusReport, kept: JudgedInvitations | undefined, now: Date): StatusReport {
  if (!kept) return { ...report, invitationsUnread: true };
  const { judged, unreadable } = kept;
  const records = judged.map(({ record }) => record);
  const pending = judged
    .filter(({ record }, index) => isPending(record, now) && !isOutdated(record, records.slice(index + 1), report))
    .map(({ record, isVoid }) =>
      standingOf(record, report.context, now, { isConnected: isConnectedTo(record, report), isVoid }),
    );
  const invitations = [...pending, ...unreadable.map((one) => standingOfUnreadable(one, report.context))];
  return invitations.length > 0 ? { ...report, invitations } : report;
}

/** The clusters that open invitations have let in, by name; undefined where that is not known. @param kept the invitations of the cluster */
export function invitedBy(kept: JudgedInvitations | undefined, now: Date): string[] | undefined {
  return kept?.unreadable.length === 0 ? openAmong(kept, now).map(({ peer }) => peer) : undefined;
}

/**
 * What becomes of open invitations when clusters shut peers out: no message of them joins anybody any more. Only who is let in
 * and not dialled can be somebody's guest: elsewhere no invitation is looked for.
 * @param leaving contexts of clusters that leave the mesh by it: more becomes of theirs ({@link invitationsEndingWith})
 */
export async function invitationsEnding(
  flow: Flow,
  { targets, partings }: { targets: readonly Target[]; partings: readonly Parting[] },
  leaving: readonly string[] = [],
): Promise<string[]> {
  const notes = targets.map(async (target) => {
    const parting = partings.find(({ snapshot }) => snapshot.context === target.client.context);
    if (!parting || leaving.includes(target.client.context)) return [];
    const { snapshot, unserved } = parting;
    const guests = unserved.filter((peer) => !configuredPeers(snapshot).includes(peer) && isLetIn(snapshot, peer));
    if (guests.length === 0) return [];
    const kept = await readInvitationsIfAllowed(flow, target);
    if (!kept) return [unlistedNote(target, `one may have let ${guests.join(', ')} in, and may still be accepted`)];
    return [
      ...openAmong(kept, flow.now())
        .filter(({ peer }) => guests.includes(peer))
        .map((one) => endingNote(target, one)),
      ...unreadableNotes(target, kept),
    ];
  });
  return (await Promise.all(notes)).flat();
}

/** The same when a cluster leaves the mesh: its Secrets of invitations stay, also of those that have let nobody in yet. */
export async function invitationsEndingWith(flow: Flow, target: Target): Promise<string[]> {
  const kept = await readInvitationsIfAllowed(flow, target);
  if (!kept) return [unlistedNote(target, 'those that are open stay, and may still be accepted')];
  const now = flow.now();
  const { context } = target.client;
  const waiting = kept.judged.filter(
    ({ record: { peer, ...record }, isVoid }) => !peer && !isVoid && isUnanswered(record) && record.expires > now,
  );
  return [
    ...openAmong(kept, now).map((one) => endingNote(target, one)),
    ...waiting.map(({ record: { id } }) => {
      const revoke = revokeCommand(context, id);
      return `context "${context}": invitation ${id} is still open, and its Secret stays → revoke it too: ${revoke}`;
    }),
    ...unreadableNotes(target, kept),
  ];
}

function unreadableNotes({ client: { context } }: Target, { unreadable }: JudgedInvitations): string[] {
  return unreadable.map((one) => noteOfUnreadable(one, context));
}

function endingNote({ client: { context } }: Target, { id, peer }: OpenInvitation): string {
  const revoke = revokeCommand(context, id);
  return `context "${context}": invitation ${id} has let ${peer} in, which ends with this, and a message of it may still be accepted → revoke it too: ${revoke}`;
}

interface OpenInvitation {
  id: string;
  peer: string;
}

/** Where nothing is known of them. @param what may become of them */
function unlistedNote({ client: { context } }: Target, what: string): string {
  const list = meshctlCommand('clustermesh invitations list', { context });
  return `context "${context}": its invitations could not be listed: ${what} → let someone who may list Secrets see to them: ${list}`;
}

/** Those that have let another cluster in, and wait for its answer. */
function openAmong({ judged }: JudgedInvitations, now: Date): OpenInvitation[] {
  return judged.flatMap(({ record: { id, peer, ...record }, isVoid }) =>
    peer && !isVoid && isUnanswered(record) && record.expires > now ? [{ id, peer: peer.name }] : [],
  );
}

/**
 * What a new CA does to invitations: no answer to one that the present CA has signed is accepted any more, nor to a reply to
 * another owner's.
 * @param target whose CA is replaced
 */
export async function endingWithCa({ now, signal }: Flow, target: Target): Promise<string[]> {
  const kept = await unlessForbidden(readJudgedInvitations(target, signal));
  const { context } = target.client;
  if (!kept) return [unlistedNote(target, 'no answer to one that is open is accepted once the CA is replaced')];
  const ending = kept.judged
    .filter(({ record, isVoid }) => !isVoid && isUnanswered(record) && record.expires > now())
    .map(({ record }) => {
      const { id, role, next } = standingOf(record, context, now(), { isVoid: true });
      const [what, then] =
        role === 'guest'
          ? [`the reply to invitation ${id}`, 'have the owner who invited invite again then, and here']
          : [`invitation ${id}`, 'start over then'];
      return `context "${context}": ${what} was signed by the present CA, and no answer to it is accepted once that is replaced → ${then}: ${next}`;
    });
  return [...ending, ...unreadableNotes(target, kept)];
}

function isConnectedTo({ peer }: InvitationRecord, { peers }: StatusReport): boolean {
  return areAllConnected(peers.find(({ name }) => name === peer?.name)?.agents);
}

/**
 * Of an invitation that is used here nobody waits any more once the peer is gone, has been invited anew, or is connected
 * by one operator (`connect`) since; of one that was never answered, once its peer has come by a later one.
 */
function isOutdated(
  record: InvitationRecord,
  later: readonly InvitationRecord[],
  { peers, ofOthers = [] }: Pick<StatusReport, 'peers' | 'ofOthers'>,
): boolean {
  const { state, peer } = record;
  if (state !== 'confirmed') {
    const other = otherOf(record);
    return other !== undefined && later.some((one) => isUsed(one) && one.peer?.name === other);
  }
  const isJoined = peer !== undefined && peers.some(({ name }) => name === peer.name) && ofOthers.includes(peer.name);
  return !isJoined || later.some((other) => other.peer?.name === peer?.name);
}
