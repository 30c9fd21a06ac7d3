import { enableAdvice } from '../certificates/authority.ts';
import { connectCommand, everyPairFlag, meshctlCommand, withNamedContexts } from '../command-line.ts';
import { contestedIn, enabledByForce } from '../faults/contested-enable.ts';
import { enabledFirst, notReadyIn } from '../faults/enable-first.ts';
import { type Contexts, contextOf, thoseReady } from '../faults/fault-advice.ts';
import { onceAddressed, unreadyIn } from '../faults/unready.ts';
import { pairsOf } from '../pairs.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { forgetIfSilent, leftToWhoMay, type SilentContext } from '../peers/silent-peers.ts';
import { heldBack } from '../runs-at-work.ts';
import { isAlone, lookingAgain, mayBePeersOf, peerNameOf, type StatusReport } from './status.ts';

/**
 * The contexts of the clusters that a cluster which is alone can be connected to: those that are to be its peers, where anything
 * says so; else all those that were asked with it and that are enabled. Of several not those to which nobody can be connected.
 * @param contexts of clusters that were not asked, as far as they are known
 * @returns none where nobody but the operator knows
 */
function whomToJoin(report: StatusReport, reports: readonly StatusReport[], contexts: Contexts = new Map()): string[] {
  const unready = unreadyIn(reports);
  const others = othersByName(report, reports);
  const asked = new Map(others.map((other) => [peerNameOf(other), other.context]));
  const enabled = others.filter((other) => other.enabled).map(peerNameOf);
  const { onRecord = enabled } = report;
  return thoseReady(onRecord, (name) => unready.has(name)).map((name) => asked.get(name) ?? contextOf(contexts, name));
}

/** The other clusters that may be its peers: none with its own name, which is no way to itself. */
function othersByName(report: StatusReport, reports: readonly StatusReport[]): StatusReport[] {
  return mayBePeersOf(report, reports).filter((other) => peerNameOf(other) !== peerNameOf(report));
}

/**
 * The one command that connects clusters none of which is connected to another: every pair of them where nothing says who is to
 * be whose peer, and the first with each other one where just that is on record. Undefined where something else is: then each
 * is connected to its own, so that what was chosen stays; and where two of them have one name.
 */
export function joinAll(alone: readonly StatusReport[]): string | undefined {
  const [first, ...rest] = alone;
  if (!first || new Set(alone.map(peerNameOf)).size < alone.length) return undefined;
  const areOnRecord = (one: StatusReport, other: StatusReport) => one.onRecord?.includes(peerNameOf(other)) ?? false;
  const isOpen = alone.every(({ onRecord }) => !onRecord);
  const isStar =
    rest.every((other) => areOnRecord(first, other)) && !pairsOf(rest).some((pair) => areOnRecord(...pair));
  if (!isOpen && !isStar) return undefined;
  const others = rest.map(({ context }) => context);
  return connectCommand(first.context, others, isOpen ? everyPairFlag(alone.length) : []);
}

/**
 * Whether a cluster has nothing to do with any other one, and nobody is to change that, by what it or another one that was asked
 * has on record: no user, no former peer. Waiting connects it to nobody. Nor does it whom an invitation is about: what the other owner
 * does is a message, and with that it is the operator of this cluster who goes on.
 */
export function awaitsNobody(report: StatusReport): boolean {
  const { admits = [], onRecord, ofOthers = [], invitations = [], invitationsUnread } = report;
  const isInvited = (peer: string) => invitations.some((one) => one.peer === peer);
  const isExpected = [...admits, ...ofOthers].some((peer) => !isInvited(peer));
  const isOnRecord = onRecord !== undefined && (onRecord.length === 0 || !onRecord.every(isInvited));
  return isAlone(report) && !isExpected && !isOnRecord && !invitationsUnread;
}

/** Why a cluster that awaits nobody is connected to no other, as a clause. */
export function saysAlone({ enabled, invitations = [] }: Pick<StatusReport, 'enabled' | 'invitations'>): string {
  if (!enabled) return 'Cluster Mesh is not enabled';
  const pending = invitations.find(({ waitsFor }) => waitsFor !== undefined);
  const why = pending
    ? `invitation ${pending.id} waits for ${pending.waitsFor}, which is a message, and then for you to accept it`
    : 'none is on record as its peer';
  return `it is connected to no cluster, and ${why}`;
}

/** What is known around a cluster that is not part of a mesh. */
export interface KnownAround {
  /** Of clusters that were not asked, as far as they are known. */
  contexts?: Contexts | undefined;
  /** The contexts that it can be connected to where nothing says to whom. */
  others?: readonly string[] | undefined;
  /** Contexts that did not answer. */
  silent?: readonly SilentContext[] | undefined;
}

/**
 * The next step in a cluster that is not enabled, or connected to no other one; undefined in any other.
 * @param reports those that were asked, with this one
 */
export function howToBegin(
  report: StatusReport,
  reports: readonly StatusReport[],
  around: KnownAround = {},
): string | undefined {
  const next = beginning(report, reports, around);
  return next && heldBack(leftToWhoMay(next, around.silent ?? []), reports, lookingAgain(reports));
}

function beginning(
  report: StatusReport,
  reports: readonly StatusReport[],
  { contexts, others = [], silent = [] }: KnownAround,
): string | undefined {
  if (!report.enabled)
    return enabledByForce(withNamedContexts(enableAdvice(report), contexts ?? new Map()), contestedIn(reports));
  if (!isAlone(report) || report.onRecord?.length === 0) return undefined;
  const { context, invitations = [], ofOthers } = report;
  const pending = invitations.find(({ state }) => state !== 'unreadable');
  if (pending?.next !== undefined) return pending.next;
  const asked = othersByName(report, reports).map((other) => other.context);
  const [destinations] = [whomToJoin(report, reports, contexts), others, asked].filter((some) => some.length > 0);
  const ready = (hint: string) => enabledByForce(enabledFirst(hint, notReadyIn(reports)), contestedIn(reports));
  if (!destinations) {
    const alike = reports.filter((other) => other !== report && peerNameOf(other) === peerNameOf(report));
    if (alike.length > 0) return saysWhoIsWho([...alike, report]);
    return ready(
      asOnlyTheOperatorKnows(onceAddressed(meshctlCommand('clustermesh invite', { context }), [context], reports)),
    );
  }
  const joined = destinations.flatMap((name) => reports.find((other) => other.context === name) ?? []);
  const isWhole = joined.length === destinations.length && joined.every(isAlone);
  const together = [report, ...joined];
  // One command, whichever of them it is told for, unless the others are to be connected to this one alone.
  const ordered = reports.filter((one) => together.includes(one));
  const all = (isWhole ? (joinAll(ordered) ?? joinAll(together)) : undefined) ?? connectCommand(context, destinations);
  const connect = onceAddressed(all, [context, ...destinations], reports);
  const known = forgetIfSilent(forOtherOwners(connect, context, ofOthers), [context], silent);
  return ready(known);
}

/** What tells of clusters of one name which is to have another one: until then none can be connected to the others, or their peers. */
function saysWhoIsWho(alike: readonly StatusReport[]): string {
  return meshctlCommand('clustermesh check', { context: alike.map(({ context }) => context) }, [
    '--category',
    'identity',
  ]);
}

/** What is said where nothing tells whom a cluster is to be connected to: a command with a gap could not be typed. */
function asOnlyTheOperatorKnows(invite: string): string {
  return `Name the context of the cluster that it is to be connected to: "clustermesh connect" takes it with --destination-context; or, where no context leads to it, invite its owner: ${invite}`;
}
