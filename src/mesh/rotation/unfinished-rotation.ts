import { apiserverDeployment } from '../apiserver/live.ts';
import { caMark, podCaMark } from '../apiserver/pod-marks.ts';
import type { CertificateFacts } from '../certificates/certificate.ts';
import { acceptedBeside } from '../certificates/cluster-certificates.ts';
import { isStoredWith, storedWith } from '../certificates/trust.ts';
import { identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand, unnamedIn } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import { MeshctlError } from '../errors.ts';
import { contextOf } from '../faults/fault-advice.ts';
import { keyOf } from '../objects/kube-object.ts';
import { CA_SECRET, secretRef } from '../objects/names.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { knownPeers, PEER_SECRETS } from '../peers/peers.ts';
import { forcingWords } from '../plan/forcing.ts';
import { isTakenByHelm } from './helm-upgrades.ts';
import { type PhaseName, ROTATION_PHASES, titleOfPhase } from './phases.ts';
import { hasReloadMark } from './reload-marks.ts';
import {
  authoritiesBeside,
  certificatesFrom,
  presentAuthority,
  type RotatedCertificate,
  signsForPeers,
  strangersTo,
  type TrustedAuthority,
} from './rotated-certificates.ts';

/** A rotation of a cluster's CA that was begun and has not come to its end. */
export interface UnfinishedRotation {
  /** `trusting`: the CA has no successor yet; `replaced`: it is the successor, and the former one is still trusted. */
  stage: 'trusting' | 'replaced';
  /** The first phase that is not done, as far as it can be seen. */
  phase: PhaseName;
  /** The one that may be it as well: that hangs on what peers hold that were not read. */
  orPhase?: PhaseName | undefined;
  /** False where the CA that is trusted besides its own may as well be that of a peer that was not read. */
  isProven: boolean;
  /** Whether each of the cluster's own certificates trusts both CAs: not where it is being made so, or somebody else has issued one. */
  trustsBoth: boolean;
}

/**
 * The rotation in whose middle a cluster's CA is; undefined also where no CA can be read.
 * @param others other clusters, as far as they were read, perhaps of other meshes too
 */
export function unfinishedRotation(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
): UnfinishedRotation | undefined {
  const member = memberOf(snapshot);
  const mesh = withoutNamesakes(snapshot, others).filter(({ context }) => context !== snapshot.context);
  const members = [member, ...mesh.map(memberOf)];
  const present = presentAuthority(member).map(({ facts }) => facts);
  const certificates = certificatesFrom(member, members);
  const own = new Set(present.map(({ publicKeySha256 }) => publicKeySha256));
  const isOther = (ca: CertificateFacts) => !own.has(ca.publicKeySha256) && !signsForPeers(ca, member, members);
  // A bundle without this CA tells of no rotation, but of a certificate from elsewhere.
  const mixed = bundlesOf(certificates).filter(
    (bundle) => bundle.some(isOther) && bundle.some(({ publicKeySha256 }) => own.has(publicKeySha256)),
  );
  const mark = podCaMark(apiserverDeployment(snapshot));
  if (mixed.length === 0) {
    const startedWithMore = present.length > 0 && mark?.startsWith(`${caMark(present)},`);
    const isOfPeer = members.some(
      ({ snapshot: { ca } }) =>
        ca && !own.has(ca.certificate.publicKeySha256) && mark?.includes(caMark([ca.certificate])),
    );
    return startedWithMore && !isOfPeer
      ? { stage: 'replaced', phase: 'let-go', isProven: true, trustsBoth: true }
      : undefined;
  }
  const isFormer = ({ facts }: RotatedCertificate) => facts?.ca !== undefined && isOther(facts.ca);
  const strangers = strangersTo(member, members).length > 0;
  const isProven = !strangers || hasMarkedFiles(snapshot) || certificates.some(isFormer);
  const beside = certificates.flatMap(({ peer, facts }) => (peer === undefined && facts ? [storedWith(facts)] : []));
  const trustsBoth = beside.every((bundle) => bundle.some(isOther));
  const found = { isProven, trustsBoth };
  const successor = mixed.flatMap(([first]) => (first && isOther(first) ? [first] : []))[0];
  if (successor) {
    const isTrusted = certificates.every(({ facts }) => !facts || isStoredWith(facts, successor));
    const isRead = mark === undefined || mark.includes(caMark([successor]));
    if (!isTrusted || !isRead) return { stage: 'trusting', phase: 'trust', ...found };
    return { stage: 'trusting', phase: 'replace', orPhase: strangers ? 'trust' : undefined, ...found };
  }
  const isOwn = ({ peer }: RotatedCertificate) => peer === undefined;
  const former = certificates.filter(isFormer);
  if (former.length > 0) return { stage: 'replaced', phase: former.some(isOwn) ? 'leaves' : 'peers', ...found };
  if (strangers) return { stage: 'replaced', phase: 'peers', orPhase: 'let-go', ...found };
  return { stage: 'replaced', phase: 'let-go', ...found };
}

/** The unfinished rotation of a cluster's CA, only where it is beyond doubt. */
export function provenRotation(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
): UnfinishedRotation | undefined {
  const rotation = unfinishedRotation(snapshot, others);
  return rotation?.isProven ? rotation : undefined;
}

function bundlesOf(certificates: readonly RotatedCertificate[]): (readonly CertificateFacts[])[] {
  return certificates.flatMap(({ facts }) => (facts ? [storedWith(facts)] : []));
}

/** Whether a rotation has made this cluster's programs read the CAs of their peers anew, and is not at its end. */
export function hasMarkedFiles({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  return PEER_SECRETS.some((name) => hasReloadMark(secretTexts(objects.get(keyOf(secretRef(namespace, name))))));
}

/**
 * What must stand beside a certificate that a cluster's CA issues in the middle of a rotation: every CA that the cluster's
 * own certificates trust. Empty where there is no rotation: the CA alone is enough then.
 */
export function trustInRotation(snapshot: ClusterSnapshot): TrustedAuthority[] {
  const ca = snapshot.ca?.certificate;
  if (!ca || !provenRotation(snapshot)) return [];
  const member = memberOf(snapshot);
  const bundles = certificatesFrom(member, [member]).filter(({ facts }) => facts && isStoredWith(facts, ca));
  return [...new Map(bundles.flatMap(authoritiesBeside).map((one) => [one.facts.sha256, one])).values()];
}

/**
 * The CAs from which a cluster's etcd takes certificates besides its present one: those of its server certificate's bundle, or,
 * where that has to be made anew, those that it gets then.
 */
export function acceptedInRotation(snapshot: ClusterSnapshot): readonly CertificateFacts[] {
  const accepted = acceptedBeside(snapshot);
  return accepted.length > 0 ? accepted : trustInRotation(snapshot).map(({ facts }) => facts);
}

/**
 * How far it is, in words: `a rotation of the CA is unfinished: it is in phase 3 of 5 (…)`, or `in phase 4 or 5 of 5`.
 * @param run that is at work at it
 */
export function describeUnfinished(
  { phase, orPhase = phase, stage, trustsBoth }: UnfinishedRotation,
  run?: ClusterSnapshot['rotatedBy'],
): string {
  const numbers = [...new Set([phase, orPhase].map((one) => ROTATION_PHASES.indexOf(one) + 1))].sort();
  const title = orPhase === phase ? ` (${titleOfPhase(phase)})` : '';
  const at = `phase ${numbers.join(' or ')} of ${ROTATION_PHASES.length}${title}`;
  const trusted = stage === 'trusting' ? 'the present CA and its successor' : 'the CA and the former one';
  const state = run
    ? `another run, ${run.command} on ${run.host}, is at work there at a rotation of the CA, since ${run.since}`
    : 'a rotation of the CA is unfinished';
  return `${state}: it is in ${at}, and ${trusted} are ${trustsBoth ? 'both trusted' : 'not both trusted everywhere'}`;
}

/**
 * What a command that leaves it as it is says of it.
 * @param all clusters that were read
 * @param joining clusters, by name, that become peers by then
 */
export function unfinishedWarning(
  rotation: UnfinishedRotation,
  snapshot: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
  joining: readonly string[] = [],
): string {
  const { rotatedBy } = snapshot;
  const says = `${describeUnfinished(rotation, rotatedBy)}; certificates of either are good`;
  // What goes on with it is refused meanwhile.
  if (rotatedBy) return `${says} → ${waitFor(rotatedBy)}`;
  return `${says}. To continue → ${goOnCommand(snapshot, all, joining)}`;
}

function waitFor(run: NonNullable<ClusterSnapshot['rotatedBy']>): string {
  return `Wait until ${run.command} on ${run.host} has ended.`;
}

/**
 * Refuses a cluster in the middle of one that is to be joined with another owner's. A message brings the CA that signs and nothing
 * that stands beside it, while the server may still show a certificate of the former one; and a peer that is out of reach has no part
 * in what is left of the rotation, which could not be finished then.
 * @param others other clusters, as far as they were read
 * @throws MeshctlError `CertificateAuthority`, with how it goes on
 */
export function requireSettledAuthority(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[] = []): void {
  const rotation = provenRotation(snapshot, others);
  if (!rotation) return;
  const { context } = snapshot;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": ${describeUnfinished(rotation)}; with the cluster of another owner as a peer it could not be finished`,
    {
      hint: `Finish it first: ${goOnCommand(snapshot, [snapshot, ...others])}`,
      details: { context, phase: rotation.phase },
    },
  );
}

/**
 * Of all clusters that are in the middle of one, how far it is and how it goes on.
 * @param others further clusters that were read, for who has to take part
 */
export function unfinishedRotations(
  clusters: readonly ClusterSnapshot[],
  others: readonly ClusterSnapshot[] = [],
): { context: string; phase: PhaseName; says: string; hint: string }[] {
  return clusters.flatMap((snapshot) => {
    const rotation = provenRotation(snapshot, clusters);
    if (!rotation) return [];
    const { phase } = rotation;
    const { rotatedBy } = snapshot;
    return [
      {
        context: snapshot.context,
        phase,
        says: describeUnfinished(rotation, rotatedBy),
        hint: rotatedBy ? waitFor(rotatedBy) : goOnCommand(snapshot, [...clusters, ...others]),
      },
    ];
  });
}

/** Whether clusters are in the middle of one with peers that were not read: those may have peers that take part too. */
export function goesOnWithUnread(clusters: readonly ClusterSnapshot[]): boolean {
  return unfinishedRotations(clusters).some(({ hint }) => unnamedIn(hint).length > 0);
}

/**
 * The clusters, by name, whose certificates hang on each other: those named, and the peers of each that is changed too.
 * @param isChanged whether the CA of a cluster is replaced, so that its peers have to take part
 */
export function withTheirPeers(
  named: readonly string[],
  byName: ReadonlyMap<string, ClusterSnapshot>,
  isChanged: (snapshot: ClusterSnapshot) => boolean,
): string[] {
  const names = [...new Set(named)];
  for (const name of names) {
    const one = byName.get(name);
    if (!one || !isChanged(one)) continue;
    // What another owner's cluster holds, only they renew.
    const others = peersOfOthers(one);
    names.push(...knownPeers(one).filter((peer) => !names.includes(peer) && !others.includes(peer)));
  }
  return names;
}

/** Whether a cluster is in the middle of one; where its CA was not read, by what is written into its peering files meanwhile. */
export function isInRotation(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): boolean {
  const isUnread = snapshot.unread?.has(keyOf(secretRef(snapshot.namespace, CA_SECRET))) === true;
  return isUnread ? hasMarkedFiles(snapshot) : provenRotation(snapshot, all) !== undefined;
}

/**
 * How it goes on, as the end of a sentence: with all clusters at once whose certificates hang on it.
 * @param all clusters that were read; `<context of mesh-2>` stands for another
 */
function goOnCommand(
  snapshot: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
  joining: readonly string[] = [],
): string {
  const byName = new Map([...withoutNamesakes(snapshot, all), snapshot].map((one) => [knownAs(one), one]));
  const isChanged = (one: ClusterSnapshot) => one === snapshot || isInRotation(one, all);
  const names = withTheirPeers([knownAs(snapshot), ...joining], byName, isChanged);
  const ca = names.some((name) => {
    const one = byName.get(name);
    return one !== undefined && provenRotation(one, all)?.stage === 'trusting';
  });
  const known = names.flatMap((name) => byName.get(name)?.context ?? []).sort();
  const unknown = names.filter((name) => !byName.has(name)).sort();
  const context = [...known, ...unknown.map((name) => contextOf(new Map(), name))];
  const taken = names.flatMap((name) => {
    const one = byName.get(name);
    // A peer that only takes part has certificates of Helm's that no rotation has written to.
    return one !== undefined && isChanged(one) && isTakenByHelm(one) ? [one.context] : [];
  });
  const command = meshctlCommand('clustermesh certs rotate', { context }, [
    ...(ca ? ['--ca'] : []),
    ...(taken.length > 0 ? forcingWords(taken, context) : []),
  ]);
  // Its key was in the memory of the run that made it.
  return ca ? `without --ca the present CA stays, with it another successor is made: ${command}` : command;
}

function memberOf(snapshot: ClusterSnapshot): Member {
  return { snapshot, identity: identityOf(snapshot.ciliumConfig ?? {}), endpoints: [] };
}
