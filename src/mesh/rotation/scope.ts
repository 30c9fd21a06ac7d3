import { servesNobody } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { succeedingAuthority } from '../certificates/authority.ts';
import { requireReplaceable } from '../certificates/plan-authority.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, withNamedContexts } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import type { Contexts } from '../faults/fault-advice.ts';
import { partedBy } from '../peers/parted.ts';
import type { SilentContext } from '../peers/silent-peers.ts';
import { type Forcing, isForcedIn } from '../plan/forcing.ts';
import { dueCertificates } from './due.ts';
import { missingSecrets } from './effects.ts';
import { type LeftCertificates, leftCertificates } from './left-certificates.ts';
import type { Lifetime } from './lifetime.ts';
import { type MidwayCluster, midwayClusters } from './midway.ts';
import { requireOneMesh } from './one-mesh.ts';
import {
  refuseCommonCredentials,
  requireAllPeers,
  requireFollowers,
  requireOwnTrust,
  requirePeer,
  requireSigning,
} from './refusals.ts';
import { certificatesFrom, rotationStage, strangersTo, switchesSigner } from './rotated-certificates.ts';
import { describeStrangers } from './strangers.ts';
import {
  askCommand,
  leftToOwners,
  staysWithOwner,
  strangersByOwner,
  type UnissuedCertificate,
  unissuedCertificates,
} from './strangers-certificates.ts';
import { unfinishedRotations } from './unfinished-rotation.ts';
import { requireSigners, type UnsignedCluster, unsignedClusters } from './unsigned.ts';

const FINISHES_ELSEWHERE =
  'what is good here stays: this run finishes the rotation of a CA in the other clusters; to renew all, run it again then';

/** What the operator asks for. */
export interface RotationChoice {
  /** The CAs too. */
  ca: boolean;
  /** Only certificates that were issued so long ago. */
  olderThanMs?: number | undefined;
  /** Only the certificates for dialling this peer. */
  peer?: string | undefined;
  /** Of what is issued; absent fields: as it is. */
  asked?: Lifetime | undefined;
  /** Take over what others own. */
  force: Forcing;
  /** Contexts that the operator meant too, and that did not answer. */
  silent?: readonly SilentContext[] | undefined;
  /** Clusters that have no part in it, as far as they were read: whose peers would have to take part too. */
  others?: readonly ClusterSnapshot[] | undefined;
}

/** What a rotation is about; it stays the same to its end, whatever the plan says by then. */
export interface RotationScope {
  /** Contexts whose CA gets a successor. */
  replace: ReadonlySet<string>;
  /** SHA-256 of the certificates that are made anew although they are good. */
  due: ReadonlySet<string>;
  /** Contexts whose CA is replaced by this run, or was by one that did not come to its end. */
  changing: ReadonlySet<string>;
  /** Contexts whose CA stays, although one that was to replace it is trusted already: this run lets go of that one. */
  staying: ReadonlySet<string>;
  /** Contexts that go over to a CA that somebody else has put into Secret cilium-ca: this run lets go of the one in use. */
  switching: ReadonlySet<string>;
  /** What is due of them stays. */
  unsigned: readonly UnsignedCluster[];
  /** What was asked for and is left to those who have made it. */
  left: readonly LeftCertificates[];
  /** What is as old as asked, and stays, since the cluster that issues it was not named. */
  unissued: readonly UnissuedCertificate[];
  /** In the middle of a rotation that this run, which was asked for what is old, leaves where it is. */
  midway: readonly MidwayCluster[];
  /** How it came about, for people, by context. */
  notes: Readonly<Record<string, readonly string[]>>;
  warnings: readonly string[];
}

/** Of a CA that is replaced nowhere yet, by a run without --ca in which all take part who hold its certificates. */
const STAYS =
  'the CA in Secret cilium-ca stays, and what was to replace it is no longer trusted at the end; --ca replaces it';

const SWITCHES = 'the CA in Secret cilium-ca takes the place of the one in use, which is no longer trusted at the end';

/**
 * Decides what is to be made anew, and refuses what cannot be done without cutting a peer off.
 * @throws MeshctlError `CertificateAuthority` for a CA that cannot sign, is shared, or belongs to somebody else; `Usage`
 * for peers that are not among the clusters although their certificates would have to be renewed too, and for clusters of
 * several meshes that have one name
 */
export function scopeRotation(
  members: readonly Member[],
  choice: RotationChoice,
  now: Date,
  contexts: Contexts = new Map(),
): RotationScope {
  requireOneMesh(members, choice, choice.others);
  for (const { snapshot } of members) requireFollowers(snapshot, members);
  if (choice.peer !== undefined) {
    requirePeer(members, choice.peer, contexts, choice.silent);
    requireSigning(members, choice.peer);
  }
  const stages = new Map(members.map((member) => [member, rotationStage(member, members)]));
  requireSigners(stages, choice, now);
  const inStage = (stage: string) => members.filter((member) => stages.get(member) === stage);
  // Those that are settled while others are not have come to the end of a rotation that the others are still in.
  const goesOn = inStage('replaced').length > 0 && inStage('trusting').length === 0;
  // A CA that was lost since has to be replaced again, however far its own rotation was: what is left of this one needs it.
  const isLost = ({ snapshot }: Member) => succeedingAuthority(snapshot) !== undefined;
  const finished = goesOn ? inStage('settled').filter((one) => !isLost(one)) : [];
  const isNew = (one: Member) => !isLost(one) && (stages.get(one) === 'replaced' || finished.includes(one));
  const replaced = choice.ca ? members.filter((one) => !isNew(one)) : [];
  const going = [...new Set([...replaced, ...inStage('replaced')])];
  // Without --ca too: the server's next certificate is from a CA that somebody else has put there.
  const switching = members.filter((member) => !going.includes(member) && switchesSigner(member));
  const changing = choice.peer === undefined ? [...going, ...switching] : going;
  for (const { snapshot } of changing) requireOwnTrust(snapshot);
  // For one peer, no server's certificate is made.
  if (choice.peer === undefined) {
    const { silent, others } = choice;
    // What is only to be finished goes on without --ca.
    requireAllPeers(going, members, { contexts, silent, ca: replaced.length > 0, others });
    requireAllPeers(switching, members, { contexts, silent, ca: choice.ca, others });
  }
  if (replaced.length > 0) refuseCommonCredentials(members);
  for (const { snapshot } of replaced) requireReplaceable(snapshot, isForcedIn(choice.force, snapshot.context));
  const due = dueCertificates(members, choice, now);
  const { peer, force, asked = {} } = choice;
  const replace = contextsOf(replaced);
  // For one peer, no CA is let go of.
  const settling = choice.ca || choice.peer !== undefined ? [] : inStage('trusting');
  // What is trusted there besides the CA in Secret cilium-ca was not to replace it: it is replaced by it.
  const switched = settling.filter((one) => switching.includes(one));
  const trusting = settling.filter((one) => !switched.includes(one));
  // What a clock runs takes back no rotation that somebody has begun, and may be at.
  const resting = choice.olderThanMs === undefined ? [] : trusting;
  const input = {
    members,
    replace,
    successors: new Map(),
    due: due.certificates,
    asked,
    peer,
    force,
    now,
    resting: contextsOf(resting),
  };
  const unsigned = unsignedClusters(input);
  const left = [...leftCertificates(input), ...leftToOwners(members, choice, now)];
  const unissued = unissuedCertificates(members, choice, now, contexts);
  const midway = midwayClusters(resting, members, contexts, choice.others);
  const settled = trusting.filter((one) => !resting.includes(one));
  const open = settled.filter((one) => strangersTo(one, members).length > 0);
  const staying = settled.filter((one) => !open.includes(one));
  const notes = [
    ...(choice.peer === undefined ? inStage('replaced') : []).map(
      (one) => [one, 'resumes the rotation of the CA that was interrupted'] as const,
    ),
    ...(choice.ca ? finished : []).map(
      (one) => [one, 'has its new CA already: this run finishes the rotation in the other clusters'] as const,
    ),
    ...(due.finishes ? inStage('settled') : []).map((one) => [one, FINISHES_ELSEWHERE] as const),
    ...staying.map((one) => [one, STAYS] as const),
    ...switched.map((one) => [one, SWITCHES] as const),
  ];
  return {
    replace,
    due: due.certificates,
    changing: contextsOf(changing),
    staying: contextsOf(staying),
    switching: contextsOf(switched),
    unsigned,
    left,
    unissued,
    midway,
    notes: Object.fromEntries(notes.map(([{ snapshot }, note]) => [snapshot.context, [note]])),
    warnings: [
      ...members.flatMap((member) => [
        // By age what is due is named, and of what is not nothing was asked.
        ...(choice.olderThanMs === undefined ? strangerWarnings(member, members, contexts, choice.silent) : []),
        ...missingSecrets(member, members, contexts, choice.silent),
        ...foreignWarnings(member, members),
        ...silenceWarnings(member),
      ]),
      ...openWarnings(open, members, contexts, choice.others),
      // What is only older than asked is as good, and its maker has its own time for it.
      ...[
        ...[...unsigned, ...unissued, ...midway, ...partedPeers(members)],
        ...(choice.olderThanMs === undefined ? left : []),
      ].map(({ context, says, hint }) => `context "${context}": ${says} → ${hint}`),
    ],
  };
}

const contextsOf = (members: readonly Member[]) => new Set(members.map(({ snapshot }) => snapshot.context));

/** Certificates of other clusters with which the members dial one: for their own there is no user yet. */
function foreignWarnings(issuer: Member, members: readonly Member[]): string[] {
  return certificatesFrom(issuer, members).flatMap(({ holder, foreign, peer }) => {
    if (foreign === undefined) return [];
    const { context } = holder.snapshot;
    const connect = connectCommand(context, issuer.snapshot.context);
    return [
      `context "${context}": it dials ${peer} with the certificate of ${foreign}, which stays as long as it is good → ${connect}`,
    ];
  });
}

/** A peer that a cluster still dials, and that has parted with it by itself. */
export interface PartedPeer {
  /** Of who dials. */
  context: string;
  peer: string;
  /** As a clause. */
  says: string;
  /** Both ways out. */
  hint: string;
}

/** What members hold of others that have parted with them is not renewed: it would open nothing. */
export function partedPeers(members: readonly Member[]): PartedPeer[] {
  return members.flatMap(({ snapshot, identity: { name: peer } }) =>
    members.flatMap((client): PartedPeer[] => {
      const parted = partedBy(snapshot, client.snapshot);
      if (!parted) return [];
      const says = `${parted.why}, so the certificate for dialling ${peer} stays`;
      return [{ context: client.snapshot.context, peer, says, hint: parted.mend }];
    }),
  );
}

/** Where no pod serves, what is renewed has been proved by nobody. */
function silenceWarnings({ snapshot }: Member): string[] {
  const silence = servesNobody(snapshot, apiserverDeployment(snapshot));
  return silence ? [`context "${snapshot.context}": ${silence}`] : [];
}

function strangerWarnings(
  member: Member,
  members: readonly Member[],
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): string[] {
  const { own, theirs } = strangersByOwner(member, members);
  return [
    ...(own.length > 0
      ? [`${describeStrangers(member, own, contexts, silent)}; certificates for such peers stay as is`]
      : []),
    ...theirs.map((peer) => {
      const { context } = member.snapshot;
      return `context "${context}": ${staysWithOwner(peer)} → ask them for a new one: ${askCommand(context, peer)}`;
    }),
  ];
}

/** Of clusters in the middle of a rotation that a run can neither finish nor take back. */
function openWarnings(
  open: readonly Member[],
  members: readonly Member[],
  contexts: Contexts,
  others: readonly ClusterSnapshot[] = [],
): string[] {
  if (open.length === 0) return [];
  const rotations = unfinishedRotations(
    members.map(({ snapshot }) => snapshot),
    others,
  );
  return open.map((member) => {
    const { context } = member.snapshot;
    const way = rotations.find((one) => one.context === context)?.hint;
    const lacking = strangersTo(member, members).join(', ');
    return `context "${context}": the CA in Secret cilium-ca and what was to replace it both stay trusted by a run without ${lacking}${way === undefined ? '' : ` → ${withNamedContexts(way, contexts)}`}`;
  });
}
