import pLimit from 'p-limit';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { isOutdated } from '../../mesh/invitation/outdated.ts';
import {
  type InvitationRecord,
  isPending,
  isUnanswered,
  otherOf,
  revokeCommand,
  standingOf,
} from '../../mesh/invitation/record.ts';
import { noteOfUnreadable, standingOfUnreadable } from '../../mesh/invitation/unreadable.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
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
  const peers = { dialled: report.peers.map(({ name }) => name), ofOthers: report.ofOthers ?? [] };
  const pending = judged
    .filter(({ record }, index) => isPending(record, now) && !isOutdated(record, records.slice(index + 1), peers))
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
 * What becomes of open invitations when clusters part: no message of those that have let a peer in joins anybody any more, and one of
 * any other, as of a renewal or of a time before a `connect`, would join them again.
 * @param options.leaving contexts of clusters that leave the mesh by it: more becomes of theirs ({@link invitationsEndingWith})
 */
export async function invitationsEnding(
  flow: Flow,
  { targets, partings }: { targets: readonly Target[]; partings: readonly Parting[] },
  { parallel, leaving = [] }: { parallel: number; leaving?: readonly string[] },
): Promise<string[]> {
  const limit = pLimit(parallel);
  const notes = targets.map(async (target) => {
    const parting = partings.find(({ snapshot }) => snapshot.context === target.client.context);
    if (!parting || leaving.includes(target.client.context)) return [];
    const { snapshot, unserved, undialled } = parting;
    const kept = await limit(() => readInvitationsIfAllowed(flow, target));
    // Only who is let in and not dialled can be somebody's guest.
    const guests = unserved.filter((peer) => !configuredPeers(snapshot).includes(peer) && isLetIn(snapshot, peer));
    const parted = [...new Set([...unserved, ...undialled])];
    if (!kept) {
      if (guests.length > 0) {
        return [unlistedNote(target, `one may have let ${guests.join(', ')} in, and may still be accepted`)];
      }
      const invited = parted.filter((peer) => peersOfOthers(snapshot).includes(peer));
      return invited.length > 0
        ? [unlistedNote(target, `one that is open may still join ${invited.join(', ')} again`)]
        : [];
    }
    const now = flow.now();
    const ending = openAmong(kept, now).filter(({ peer }) => guests.includes(peer));
    const others = kept.judged
      .filter(({ record, isVoid }) => isOpen(record, isVoid, now) && parted.includes(otherOf(record) ?? ''))
      .filter(({ record: { id } }) => !ending.some((one) => one.id === id));
    const { context } = target.client;
    return [
      ...ending.map((one) => endingNote(target, one)),
      ...others.map(({ record }) => {
        const revoke = revokeCommand(context, record.id);
        return `context "${context}": invitation ${record.id} is still open, and a message of it would join ${otherOf(record)} again → revoke it too: ${revoke}`;
      }),
      ...(guests.length + ending.length + others.length > 0 ? unreadableNotes(target, kept) : []),
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
  const waiting = kept.judged.filter(({ record, isVoid }) => !record.peer && isOpen(record, isVoid, now));
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
  return judged.flatMap(({ record, isVoid }) =>
    record.peer && isOpen(record, isVoid, now) ? [{ id: record.id, peer: record.peer.name }] : [],
  );
}

/** Whether an answer to it would still be accepted. */
function isOpen(record: InvitationRecord, isVoid: boolean, now: Date): boolean {
  return !isVoid && isUnanswered(record) && record.expires > now;
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
    .filter(({ record, isVoid }) => isOpen(record, isVoid, now()))
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
