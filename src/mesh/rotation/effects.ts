import { apiserverDeployment } from '../apiserver/live.ts';
import { replacementClause } from '../apiserver/replacement.ts';
import type { Member } from '../connect/member.ts';
import { dialFaults } from '../faults/dial-faults.ts';
import { describeFault, type Fault } from '../faults/fault.ts';
import { type Contexts, mendOf } from '../faults/fault-advice.ts';
import { unreadyAmong } from '../faults/unready.ts';
import { partedBy } from '../peers/parted.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { movedServingEffect } from '../peers/restarts/moved-serving.ts';
import { forgetIfSilent, maybeSilent, type SilentContext } from '../peers/silent-peers.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { Step } from '../plan/plan.ts';
import { areConnected } from './refusals.ts';
import { strangersTo } from './rotated-certificates.ts';
import { unreadContexts } from './strangers.ts';

/**
 * What becomes of each peer of each cluster. New certificates count from the next connection on; etcd reads its CAs only when
 * it starts, so where those change the pods are replaced.
 * @param steps of all phases
 */
export function rotationEffects(
  members: readonly Member[],
  steps: readonly Step[],
  contexts: Contexts = new Map(),
  silent: readonly SilentContext[] = [],
): PeerEffect[] {
  const restarted = new Set(steps.flatMap(({ write, cluster }) => (write?.method === 'restart' ? [cluster] : [])));
  const replacement = ({ snapshot }: Member) =>
    restarted.has(snapshot.context) ? replacementClause(apiserverDeployment(snapshot)) : undefined;
  const others = members.map(({ snapshot }) => snapshot);
  const elsewhere = ({ snapshot }: Member, peer: string, why: string | undefined) =>
    why === undefined ? undefined : movedServingEffect({ served: snapshot, others }, peer, why);
  return members.flatMap((member): PeerEffect[] => {
    const { context } = member.snapshot;
    const peers = members.filter((other) => other !== member && areConnected(member, other));
    const gone = missingFaults(member).map((fault) => ({
      why: `${fault.object} is missing, so its connections end once kubelets refresh it, and nothing connects again`,
      mend: mendMissing(fault, members, contexts, silent),
    }))[0];
    if (gone) {
      const names = [...peers.map(({ identity }) => identity.name), ...strangersTo(member, members)];
      return names.map((peer): PeerEffect => ({ cluster: context, peer, becomes: 'unknown', ...gone }));
    }
    return [
      ...peers.map((peer): PeerEffect => {
        const base = { cluster: context, peer: peer.identity.name };
        const parted = partedBy(member.snapshot, peer.snapshot) ?? partedBy(peer.snapshot, member.snapshot);
        if (parted) return { ...base, becomes: 'lost', ...parted };
        const [own, theirs] = [replacement(member), replacement(peer)];
        const replaced = own ?? (theirs && `in ${base.peer} ${theirs}`);
        if (replaced === undefined) return { ...base, becomes: 'kept', why: 'the CA stays' };
        const why = `both CAs are trusted until all certificates are from the new one; ${replaced}`;
        return { ...base, becomes: 'moved', why, ...elsewhere(member, base.peer, own) };
      }),
      ...strangersTo(member, members).map((peer): PeerEffect => {
        const unread = unreadContexts([peer], contexts, silent);
        const who =
          unread ??
          (silent.length > 0 && !contexts.has(peer) ? maybeSilent([peer], silent) : 'no context was named for it');
        const why = `${who}: what it holds stays as it is`;
        return { cluster: context, peer, becomes: 'kept', why, ...elsewhere(member, peer, replacement(member)) };
      }),
    ];
  });
}

/** Secrets of peers that are not there: connections go on until kubelets have taken the files away, and no rotation brings them back. */
function missingFaults({ snapshot }: Member): Fault[] {
  return dialFaults(snapshot, { now: new Date(0) }).filter(({ id }) => id === 'peering-secret-missing');
}

/** What there is to say of them. */
export function missingSecrets(
  member: Member,
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): string[] {
  return missingFaults(member).map(
    (fault) =>
      `context "${fault.context}": ${describeFault(fault)}, and are not made by a rotation: ${mendMissing(fault, members, contexts, silent)}`,
  );
}

function mendMissing(
  fault: Fault,
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly SilentContext[],
): string {
  const holder = members.find(({ snapshot }) => snapshot.context === fault.context);
  const unready = unreadyAmong(members.map(({ snapshot }) => snapshot));
  const mend = mendOf(fault, contextsKnown(members, contexts), unready);
  const known = holder ? forOtherOwners(mend, fault.context, peersOfOthers(holder.snapshot)) : mend;
  return forgetIfSilent(known, [fault.context], silent);
}

function contextsKnown(members: readonly Member[], contexts: Contexts): Contexts {
  return new Map([...contexts, ...members.map(({ identity, snapshot }) => [identity.name, snapshot.context] as const)]);
}
