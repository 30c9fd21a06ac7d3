import { DATED_BACK_MS, type TlsSecretFacts } from '../certificates/certificate.ts';
import { clientSpec, reasonToReissue } from '../certificates/cluster-certificates.ts';
import { earliestOf } from '../cluster-clocks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { Member } from '../connect/member.ts';
import type { Forcing } from '../plan/forcing.ts';
import { isOtherThan, type Lifetime, lifetimeOf } from './lifetime.ts';
import { hasWork, planRotation } from './phases.ts';
import { certificatesFrom } from './rotated-certificates.ts';

/** What the operator wants renewed. */
export interface DueChoice {
  ca: boolean;
  olderThanMs?: number | undefined;
  peer?: string | undefined;
  force: Forcing;
  asked?: Lifetime | undefined;
}

/** What of the certificates of some clusters is made anew although it is good. */
export interface Due {
  /** SHA-256 of the certificates. */
  certificates: ReadonlySet<string>;
  /** The run brings a rotation of a CA to its end, and what is good stays meanwhile. */
  finishes: boolean;
}

/**
 * All that is as old as asked. But a run that finds the rotation of a CA unfinished, and was asked for nothing else, brings that
 * to its end, and renews nothing that is good: the line that goes on with a rotation does nothing to who is done.
 */
export function dueCertificates(members: readonly Member[], choice: DueChoice, now: Date): Due {
  const finishes = isToFinish(members, choice, now);
  if (choice.ca) return { certificates: new Set(), finishes };
  const due = members
    .flatMap((member) => certificatesFrom(member, members))
    .filter(({ facts }) =>
      finishes ? isOtherThanAsked(facts, choice.asked) : ageMs(facts, now) >= (choice.olderThanMs ?? 0),
    );
  return { certificates: new Set(due.flatMap(({ facts }) => facts?.certificate.sha256 ?? [])), finishes };
}

/** Whether a former CA is let go of by a plain run; where that is not in its power, certificates are renewed as ever. */
function isToFinish(members: readonly Member[], { ca, olderThanMs, peer, force, asked = {} }: DueChoice, now: Date) {
  if (ca || olderThanMs !== undefined || peer !== undefined) return false;
  const rest = planRotation({ members, replace: new Set(), successors: new Map(), due: new Set(), asked, force, now });
  return rest.some((phase) => phase.name === 'let-go' && hasWork(phase));
}

/**
 * Whether the certificate with which a cluster dials another owner's is to be asked for anew: where it is as old as that, or is renewed
 * in any case, as far as this side sees.
 */
export function isDueOfOwner(
  { peerCertificates }: Pick<ClusterSnapshot, 'peerCertificates'>,
  peer: string,
  olderThanMs: number,
  now: Date,
): boolean {
  const facts = peerCertificates.get(peer);
  // Which CA the other one has now, only they know.
  if (!facts?.ca) return true;
  const spec = clientSpec(facts.certificate.commonName);
  return reasonToReissue(facts, spec, facts.ca, now) !== undefined || ageMs(facts, now) >= olderThanMs;
}

/** The peers for which a cluster has a certificate that is as old as that. */
export function peersDue(
  { peerCertificates }: Pick<ClusterSnapshot, 'peerCertificates'>,
  olderThanMs: number,
  now: Date,
): string[] {
  return [...peerCertificates].filter(([, facts]) => ageMs(facts, now) >= olderThanMs).map(([peer]) => peer);
}

function ageMs(facts: TlsSecretFacts | undefined, now: Date): number {
  const { notBefore = now, ownNotBefore = notBefore } = facts?.certificate ?? {};
  const sinceMs = earliestOf(now).getTime() - ownNotBefore.getTime();
  // What was issued just now is dated back.
  return Math.max(0, sinceMs - DATED_BACK_MS);
}

function isOtherThanAsked(facts: TlsSecretFacts | undefined, asked: Lifetime = {}): boolean {
  return facts !== undefined && isOtherThan(asked, lifetimeOf(facts.certificate, facts.ca));
}
