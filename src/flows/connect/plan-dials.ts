import { COMPATIBILITY_CHECKS, forConnect } from '../../mesh/checks/compatibility.ts';
import { type Finding, runChecks } from '../../mesh/checks/shared/check.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { planDial } from '../../mesh/connect/dial-plan.ts';
import {
  type Direction,
  type DirectionOptions,
  dialsThroughKvstoremesh,
  planDirection,
} from '../../mesh/connect/direction.ts';
import { formerLetIn } from '../../mesh/connect/disconnect/shut-out.ts';
import { connectEffects } from '../../mesh/connect/effects.ts';
import { formerAnswers, untoldDials } from '../../mesh/connect/former-answers.ts';
import { asJoining } from '../../mesh/connect/joining.ts';
import { choiceNotes, type Dial } from '../../mesh/connect/kept-choices.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { addressPolicyChanges } from '../../mesh/connect/policies/address-policies.ts';
import { widenedPolicies } from '../../mesh/connect/policies/widened-policies.ts';
import { requireReadyServers, requireSoundServers } from '../../mesh/connect/provable.ts';
import { planServe } from '../../mesh/connect/serve-plan.ts';
import { unknownRangeNotes } from '../../mesh/connect/unknown-ranges.ts';
import { unknownVersionNotes } from '../../mesh/connect/unknown-version.ts';
import { unprovedWarnings } from '../../mesh/connect/unproved.ts';
import { beingDisabled } from '../../mesh/enable/unfinished-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { aliasPath } from '../../mesh/peers/file/host-aliases.ts';
import { peerCertificateKeys } from '../../mesh/peers/file/peer-config.ts';
import { requireRoom } from '../../mesh/peers/file/planned-room.ts';
import { foreignHomeNotes } from '../../mesh/peers/foreign-homes.ts';
import { isDialledElsewhere } from '../../mesh/peers/namesakes.ts';
import { unaskedPairs } from '../../mesh/peers/unpaired-clusters.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import { mergeEffects, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { isChange, type Plan, type Step } from '../../mesh/plan/plan.ts';
import { provenRotation, unfinishedWarning } from '../../mesh/rotation/unfinished-rotation.ts';
import { type DialOfSnapshots, newlyShared } from '../../mesh/services/newly-shared.ts';
import {
  type HaveBothDial,
  type UnansweredRequests,
  unansweredRequests,
} from '../../mesh/services/unanswered-requests.ts';
import type { Flow, Target } from '../flow.ts';
import type { Unanswered } from '../where-it-succeeds.ts';
import type { HeldPeers } from './await-drained.ts';
import { reachedBy } from './reached-peers.ts';
import { peerIdsIn, readDescribed } from './read-peer-ids.ts';

/** A connect that has been thought through; nothing is written yet. */
export interface PreparedConnect {
  targets: readonly Target[];
  members: readonly Member[];
  directions: readonly Direction[];
  /** First every serving side, then, after the proofs, every file. */
  serve: Plan;
  dial: Plan;
  /** What becomes of the connections that there are. */
  effects: readonly PeerEffect[];
  /** What of global Services fails by dials that are one-way, and what policies allow or deny no longer; absent: nobody is to be asked. */
  hazards?: readonly Hazard[];
  warnings: readonly string[];
  /** Whom clusters hold on to that are to dial them anew, as it was when this was planned; absent where nobody looked. */
  held?: HeldPeers | undefined;
  /** What was left out of it. */
  spared: readonly Unanswered[];
}

/** What is to be dialled, by clusters that were judged together. */
export interface WantedDials {
  members: readonly Member[];
  /** Of {@link judgeMesh}. */
  findings: readonly Finding[];
  wanted: readonly Dial[];
  /** What is asked for a dial now; absent fields stay as they were chosen. */
  wishOf(dial: Dial): Omit<DirectionOptions, 'now'>;
  /** Dials that shall not be, of connections that are one-way on purpose. */
  notBack: readonly Dial[];
  /** What is to be told beside what is found here. */
  notes: readonly string[];
  /** False: whether servers are ready to prove a credential against does not matter. */
  proof?: boolean | undefined;
  now: Date;
  /** Clusters that it is not about, as far as they were read: one of them may be who is dialled so far. */
  others?: readonly ClusterSnapshot[] | undefined;
}

/**
 * Whether clusters can be of one mesh.
 * @param isAsked whether two of them are to be connected: what only matters between such is judged of no others
 * @returns what is to be told of them
 * @throws MeshctlError `Incompatible`, with all findings in its details
 */
export async function judgeMesh(
  flow: Flow,
  targets: readonly Target[],
  snapshots: readonly ClusterSnapshot[],
  isAsked: (one: ClusterSnapshot, other: ClusterSnapshot) => boolean,
  { parallel, skipChecks }: { parallel: number; skipChecks?: readonly string[] | undefined },
): Promise<Finding[]> {
  const peerIds = peerIdsIn(await readDescribed(flow, targets, snapshots, { parallel }));
  const unpaired = unaskedPairs(snapshots, isAsked);
  const input = { clusters: snapshots, now: flow.now(), peerIds, unpaired };
  const findings = forConnect(runChecks(COMPATIBILITY_CHECKS, input, skipChecks));
  refuseIncompatible(findings);
  return findings;
}

/**
 * The plan by which members dial each other: serve, then dial.
 * @throws MeshctlError what keeps one from being served or from dialling
 */
function planDials({
  members,
  findings,
  wanted,
  wishOf,
  notBack,
  notes,
  proof,
  now,
  others = [],
}: WantedDials): Omit<PreparedConnect, 'targets' | 'spared'> {
  const snapshots = members.map(({ snapshot }) => snapshot);
  const directions = wanted.map((dial) => planDirection(...dial, { ...wishOf(dial), now }));
  if (proof !== false) requireReadyServers([...new Set(directions.map(({ server }) => server.snapshot))]);
  const serve = planServe(directions, now);
  if (proof !== false) requireSoundServers(directions, serve.steps, now);
  const dial = planDial(directions, now, notBack);
  requireStaying([...serve.steps, ...dial.steps], snapshots);
  requireRoom(dial.steps, snapshots);
  const warnings = new Set([
    ...findings.filter(({ severity }) => severity === 'warn').map(sentenceOf),
    ...unknownRangeNotes(snapshots),
    ...unfinishedWarnings(snapshots),
    ...disablingWarnings(snapshots),
    ...dialWarnings(directions),
    ...notes,
    ...directions.flatMap(choiceNotes),
    ...unknownVersionNotes(directions),
    ...formerLetIn(directions, [...snapshots, ...others]),
    ...foreignHomeNotes([...serve.steps, ...dial.steps], undefined, members.map(asJoining)),
  ]);
  return {
    members,
    directions,
    serve,
    dial,
    effects: connectEffects(snapshots, directions, [...serve.steps, ...dial.steps], others),
    warnings: [...warnings],
  };
}

/** Who else can tell whom a cluster dials so far. */
interface WhoElseTells {
  /** Reads the clusters that the plan is not about. */
  readOthers(): Promise<readonly ClusterSnapshot[]>;
  targets: readonly Target[];
}

/**
 * The same plan, with what other clusters tell of it, which are read only where one of them may be who is dialled so far: a file that is
 * written anew has an address that the peer has not.
 * Where none of them is it, who dials is asked whether anybody answers there.
 * @throws MeshctlError as {@link planDials}
 */
export async function planDialsAmong(
  flow: Flow,
  wanted: WantedDials,
  { readOthers, targets }: WhoElseTells,
): Promise<ReturnType<typeof planDials>> {
  const planned = planDials(wanted);
  const written = planned.dial.steps.filter(isChange);
  const doubtful = planned.directions.filter(
    ({ client: { snapshot }, server }) =>
      written.some((step) => step.cluster === snapshot.context && movesPeer(step, server.identity.name)) &&
      isDialledElsewhere(snapshot, server.snapshot),
  );
  if (doubtful.length === 0) return planned;
  const others = await readOthers();
  const known = planDials({ ...wanted, others });
  const untold = untoldDials(doubtful, [...wanted.members.map(({ snapshot }) => snapshot), ...others]);
  const reached = await reachedBy(flow, targets, untold);
  return { ...known, effects: mergeEffects([...known.effects, ...formerAnswers(untold, reached)]) };
}

/** Whether a step changes where a peer is dialled that is dialled already, or by which certificate. */
export function movesPeer({ changes }: Step, peer: string): boolean {
  const keys = [peer, ...Object.values(peerCertificateKeys(peer))].map((key) => `data.${key}`);
  return changes.some(({ path }) => keys.includes(path) || path === aliasPath(peer));
}

/** In the middle of a rotation a new peer trusts both CAs, and has to take part in what is left of it. */
function unfinishedWarnings(snapshots: readonly ClusterSnapshot[]): string[] {
  return snapshots.flatMap((snapshot) => {
    const rotation = provenRotation(snapshot, snapshots);
    return rotation
      ? [
          `context "${snapshot.context}": ${unfinishedWarning(rotation, snapshot, snapshots, snapshots.map(clusterNameOf))}`,
        ]
      : [];
  });
}

/** Who connects a cluster that is being disabled waits for what is just taken away. */
export function disablingWarnings(snapshots: readonly ClusterSnapshot[]): string[] {
  return snapshots.flatMap((snapshot) =>
    beingDisabled(snapshot).map((says) => `context "${snapshot.context}": ${says}`),
  );
}

/** A finding of the compatibility checks as a warning. */
export function sentenceOf(finding: Finding): string {
  const check = COMPATIBILITY_CHECKS.find(({ id }) => id === finding.id);
  const words = `${check?.says(finding) ?? finding.id} [${finding.id}]`;
  return finding.hint ? `${words} → ${finding.hint}` : words;
}

function refuseIncompatible(findings: readonly Finding[]): void {
  const all = findings.filter(({ severity }) => severity === 'fail');
  // What another one says is said once.
  const failed = all.filter(({ args }) => !all.some(({ id }) => id === args.foundBy));
  const [first] = failed;
  if (!first) return;
  const words = failed.map((finding) => COMPATIBILITY_CHECKS.find(({ id }) => id === finding.id)?.says(finding));
  throw new MeshctlError('Incompatible', `these clusters cannot form one mesh: ${words.join('; ')}`, {
    // A hint may be a command, or end with one, which nothing follows.
    hint: `${failed.length > 1 ? 'Checks' : 'Check'}: ${[...new Set(failed.map(({ id }) => id))].join(', ')} (--skip-checks skips checks)${first.hint ? `: ${first.hint}` : ''}`,
    details: { findings: failed },
  });
}

/** What comes of dials for global Services and network policies. @param bothDial what has both of two clusters dial */
export function outcomeOfDials(dials: readonly DialOfSnapshots[], bothDial: HaveBothDial): UnansweredRequests {
  const { hazards, warnings } = unansweredRequests(dials, bothDial);
  const policies = addressPolicyChanges(dials);
  return {
    hazards: [...hazards, ...policies.hazards],
    warnings: [...newlyShared(dials), ...warnings, ...widenedPolicies(dials), ...policies.warnings],
  };
}

/** What is to be known of how clusters dial: with which certificates, whom, and whose pods are restarted for it. */
export function dialWarnings(directions: readonly Direction[]): string[] {
  return [
    ...directions.flatMap(({ credential }) => credential.warnings),
    ...unprovedWarnings(directions),
    ...directions.flatMap(aliasWarnings),
  ];
}

/** That pods are restarted for a host name that a direction dials. */
export function aliasWarnings({ client: { snapshot }, server, endpoint }: Direction): string[] {
  if (endpoint.alias?.in !== 'pods') return [];
  const restarted = dialsThroughKvstoremesh(snapshot) ? 'the clustermesh-apiserver' : 'every agent';
  return [
    `context "${snapshot.context}": the certificate of "${server.identity.name}" does not cover its address, and Cilium ` +
      `before 1.20 needs hostAliases for that: ${restarted} will be restarted`,
  ];
}
