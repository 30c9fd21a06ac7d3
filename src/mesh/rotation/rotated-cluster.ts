import type { Member } from '../connect/member.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../objects/kube-object.ts';
import { foreignOwner, managersOfData } from '../objects/ownership.ts';
import { type Forcing, isForcedIn } from '../plan/forcing.ts';
import { disputes, FIELD_MANAGER, type Step, type TrustOrder } from '../plan/plan.ts';
import type { Lifetime } from './lifetime.ts';
import {
  authoritiesBeside,
  certificatesFrom,
  presentAuthority,
  type RotatedCertificate,
  rotationStage,
  signsForPeers,
  strangersTo,
  type TrustedAuthority,
} from './rotated-certificates.ts';

/** What the plan of a rotation is made from. */
export interface RotationInput {
  /** All clusters that take part. */
  members: readonly Member[];
  /** Contexts whose CA gets a successor. */
  replace: ReadonlySet<string>;
  /** The successors that this run has made, by context; a plan that is only shown has none. */
  successors: ReadonlyMap<string, TrustedAuthority>;
  /** SHA-256 of the certificates that are made anew although they are good. */
  due: ReadonlySet<string>;
  /** Contexts in the middle of a rotation that this run leaves where it is: nothing is let go of there. */
  resting?: ReadonlySet<string> | undefined;
  /** Only the certificates for dialling this peer. */
  peer?: string | undefined;
  /** What the operator wants of new certificates; absent fields: as they are. */
  asked: Lifetime;
  /** Take over what others own. */
  force: Forcing;
  now: Date;
}

/** The name, among the authorities of a run, of the CA that takes the place of a cluster's. */
export function successorName(context: string): string {
  return `successor of ${context}`;
}

/** A cluster whose CA signs, with everything that trusts it. */
export interface RotatedCluster {
  issuer: Member;
  certificates: readonly RotatedCertificate[];
  /** The name of the CA that is yet to take the place of the present one. */
  pending: string | undefined;
  /** What the CA is at the end; undefined while it is yet to be made. */
  wanted: readonly TrustedAuthority[] | undefined;
  /**
   * All who hold its certificates take part, as far as it knows, and its CA is there, or comes: of others nobody can tell what they hold, so
   * nothing that it may be from is let go of. Nor of one that this run leaves in the middle of a rotation.
   */
  ready: boolean;
  /** Everything that is trusted now or has to be: the wanted CA first, but where a successor stays that was to come first. */
  trusted: readonly TrustedAuthority[];
  /** What stays trusted at the end besides the CA: CAs of peers that log in with a certificate of their own CA. */
  others: readonly TrustedAuthority[];
  /** A former CA is trusted somewhere, or the pods started with one. */
  unfinished: boolean;
}

/** A cluster as it is now, and as it is to be. */
export function clusterOf(issuer: Member, { members, replace, successors, resting }: RotationInput): RotatedCluster {
  const { context } = issuer.snapshot;
  const certificates = certificatesFrom(issuer, members);
  const present = presentAuthority(issuer);
  const successor = successors.get(context);
  const done = successor !== undefined && present[0]?.facts.sha256 === successor.facts.sha256;
  const pending = replace.has(context) && !done ? successorName(context) : undefined;
  const wanted = pending === undefined ? present : successor && [successor];
  const isThere = present.length > 0 || pending !== undefined;
  const isKnown = isThere && strangersTo(issuer, members).length === 0;
  const ready = isKnown && !resting?.has(context);
  const [due, beside] = [[...(wanted ?? []), ...present], certificates.flatMap(authoritiesBeside)];
  // Their order tells how far a rotation is, and of one that stays where it is that is to be told.
  const trusted = once(ready || pending !== undefined ? [...due, ...beside] : [...beside, ...due]);
  const isWanted = ({ facts }: TrustedAuthority) => wanted?.some((one) => one.facts.sha256 === facts.sha256) ?? false;
  const others = trusted.filter((one) => !isWanted(one) && signsForPeers(one.facts, issuer, members));
  const stage = rotationStage(issuer, members);
  return { issuer, certificates, pending, wanted, ready, trusted, others, unfinished: stage !== 'settled' };
}

function once(authorities: readonly TrustedAuthority[]): TrustedAuthority[] {
  return [...new Map(authorities.map((one) => [one.facts.sha256, one])).values()];
}

/** What goes beside a certificate until the former CA is let go. */
export function bothCas({ pending, trusted }: RotatedCluster): Omit<TrustOrder, 'key'> {
  return { authority: pending, certificates: trusted.map(({ pem }) => pem) };
}

/** What goes beside it at the end. */
export function onlyWanted({ pending, wanted = [], others }: RotatedCluster): Omit<TrustOrder, 'key'> {
  return { authority: pending, certificates: [...wanted, ...others].map(({ pem }) => pem) };
}

/** Says of keys that somebody else fills that they are taken over, or would be, with --force-conflicts. */
export function ownedKeys(
  { force }: RotationInput,
  { snapshot }: Member,
  ref: ObjectRef,
  keys: readonly string[],
): Pick<Step, 'conflicts' | 'takenFrom'> {
  const owner = ownerOfData(snapshot.objects.get(keyOf(ref)));
  return disputes(
    owner === undefined ? [] : keys.map((key) => ({ path: `data.${key}`, manager: owner })),
    isForcedIn(force, snapshot.context),
  );
}

/** Who else fills a Secret; undefined for nobody, or where meshctl has put something into it. */
export function ownerOfData(secret: KubeObject | undefined): string | undefined {
  return secret && !managersOfData(secret).includes(FIELD_MANAGER) ? foreignOwner(secret) : undefined;
}

/** What every step about an object of a cluster says. */
export function stepBase({ snapshot }: Member, object: ObjectRef): Pick<Step, 'cluster' | 'object' | 'before'> {
  return { cluster: snapshot.context, object, before: snapshot.objects.get(keyOf(object)) };
}
