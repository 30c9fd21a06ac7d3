import { clockHazards } from '../../mesh/certificates/clock-hazards.ts';
import { trustedBy } from '../../mesh/certificates/trust.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { connectEffects } from '../../mesh/connect/effects.ts';
import { formerAnswers } from '../../mesh/connect/former-answers.ts';
import { asJoining } from '../../mesh/connect/joining.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { addressChangesByStranger } from '../../mesh/connect/policies/address-policies.ts';
import { widenedByStranger } from '../../mesh/connect/policies/widened-policies.ts';
import { requireReadyServers, requireSoundServers } from '../../mesh/connect/provable.ts';
import { unknownRangeNotes } from '../../mesh/connect/unknown-ranges.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { memberOf } from '../../mesh/invitation/described-cluster.ts';
import { isDialledBeside, rivalsAmong } from '../../mesh/invitation/dialled-so-far.ts';
import { judgeMessage, type Receiver } from '../../mesh/invitation/judge.ts';
import type { SignedMessage } from '../../mesh/invitation/message.ts';
import { keptKey, lastGiven } from '../../mesh/invitation/record.ts';
import { REMOTE_CERT_SECRET } from '../../mesh/objects/names.ts';
import { requireRoom } from '../../mesh/peers/file/planned-room.ts';
import { foreignHomeNotes } from '../../mesh/peers/foreign-homes.ts';
import { configuredPeers, isLetIn } from '../../mesh/peers/peers.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import { mergeEffects, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { sharedWithStranger } from '../../mesh/services/newly-shared.ts';
import { plainSerial } from '../../mesh/status/troubleshoot.ts';
import { readBundle } from '../../pki/read.ts';
import { disablingWarnings, judgeMesh, movesPeer, type PreparedConnect, sentenceOf } from '../connect/plan-dials.ts';
import { reachedBy } from '../connect/reached-peers.ts';
import { type Flow, issuingTime, type Target } from '../flow.ts';
import { withDisablingRun } from '../read-runs.ts';
import type { Accepted } from './answer.ts';
import { spentSteps } from './invite.ts';
import { readOwnMember, requireSettled } from './own-member.ts';
import { planAccept } from './plan-accept.ts';
import { readInvitations } from './read-invitations.ts';
import { readSigner, sealsOf } from './sign-message.ts';

export interface AcceptOptions {
  /** `host:port` at which the other cluster is to dial this one, instead of what was said before. */
  endpoints?: readonly string[] | undefined;
  /** Ids of checks that do not count. */
  skipChecks?: readonly string[] | undefined;
  /** False: nothing is to be proved, so that this cluster need not be able to let anybody in by now. */
  proof?: boolean | undefined;
  /** The other clusters within reach; asked only where this one is in the middle of a rotation. */
  readOthers: () => Promise<readonly ClusterSnapshot[]>;
  /** Those of the message's cluster name, with their nodes; asked only where one of them may be who is dialled so far. */
  readAlike: () => Promise<readonly ClusterSnapshot[]>;
}

/** A message that was judged, with what accepting it writes; nothing is written yet. */
export interface PreparedAccept {
  target: Target;
  message: SignedMessage;
  own: Member;
  peer: Member;
  connect: PreparedConnect;
  /** The message that goes back; absent after the last one. */
  answer?: SignedMessage | undefined;
  /** Whether this cluster dials the other one once the message is accepted. */
  dials: boolean;
  /** Where it did before: the serial number of the new certificate by which it does then. */
  renewedSerial?: string | undefined;
  /** Whether the very same message was accepted before. */
  isRepeated: boolean;
  /** Whether the other's CA is one that this cluster has agreed to already. */
  isKnownCa: boolean;
  /** SHA-256 of the CAs' certificates. */
  fingerprints: { own: string; peer: string };
}

/**
 * Judges a message and plans what accepting it comes to.
 * @throws MeshctlError `InvitationRefused` with why; `Incompatible` with all findings; what keeps this cluster from taking part
 */
export async function prepareAccept(
  flow: Flow,
  target: Target,
  message: SignedMessage,
  options: AcceptOptions,
): Promise<PreparedAccept> {
  const { context } = target.client;
  const { kept: invitations, unreadable } = await readInvitations(target);
  const kept = invitations.find(({ record }) => record.id === message.id);
  // A renewal keeps what was chosen, as connect does.
  const last = lastGiven(invitations, message.cluster.name);
  const own = await readOwnMember(
    flow,
    target,
    options.endpoints ?? (kept ? (kept.record.given ? kept.record.endpoints : undefined) : last?.endpoints),
    { services: true },
  );
  const now = flow.now();
  const { authority, certificates } = await readSigner(target, now);
  const key = kept && keptKey(kept.secret);
  const seals = sealsOf(message, key);
  const [ownCa] = readBundle(certificates);
  if (!ownCa) throw new MeshctlError('Bug', 'the CA that signs cannot be read');
  const isDialled = configuredPeers(own.snapshot).includes(message.cluster.name);
  // One that is dialled with the shared CA is known by that.
  const held =
    own.snapshot.peerCertificates.get(message.cluster.name) ??
    (isDialled ? own.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET) : undefined);
  const receiver: Receiver = {
    context,
    name: own.identity.name,
    id: own.identity.id,
    ca: ownCa,
    record: kept?.record,
    isUnreadable: unreadable.some(({ id }) => id === message.id),
    hasKey: key !== undefined,
    isDialled,
    isLetIn: isLetIn(own.snapshot, message.cluster.name),
    knownCas: invitations.flatMap(({ record: { id, peer } }) =>
      id !== message.id && peer?.name === message.cluster.name ? [peer.ca] : [],
    ),
    trusted: held && trustedBy(held).map(({ publicKeySha256 }) => publicKeySha256),
  };
  const verdict = judgeMessage(message, seals, receiver, now);
  if ('reason' in verdict) {
    const { reason, says, hint } = verdict;
    throw new MeshctlError('InvitationRefused', says, { hint, details: { context, reason, id: message.id } });
  }
  await requireSettled(own, options.readOthers);
  const peer = memberOf(message.cluster, readBundle(message.cluster.ca));
  const issuing = issuingTime(flow);
  const given: Accepted = { message, seals, own, peer, kept, authority, certificates, now, issuing };
  const mesh = [own.snapshot, peer.snapshot];
  const findings = await judgeMesh(flow, [target], mesh, () => true, { parallel: 1, skipChecks: options.skipChecks });
  const planned = await planAccept(target, given);
  const { directions, dial } = planned;
  // What is over is cleared away when something new is written down.
  const serve = [...(kept ? [] : spentSteps(target, invitations, now)), ...planned.serve];
  if (options.proof !== false) {
    requireReadyServers([own.snapshot]);
    requireSoundServers(
      directions.filter(({ server }) => server === own),
      serve,
      now,
    );
  }
  const steps = [...serve, ...dial];
  const shared = [
    ...sharedWithStranger(own.snapshot, peer.identity.name, dial.length > 0),
    ...widenedByStranger(own.snapshot, peer.identity.name, dial.length > 0),
  ];
  const policies = addressChangesByStranger(own.snapshot, peer.snapshot, dial.length > 0);
  const outgoing = directions.find(({ client }) => client === own);
  const issued = outgoing?.credential.issued?.facts.certificate;
  // Of what is printed once more the clocks have been looked at.
  const handsOut = planned.answer && steps.some(isChange) ? context : undefined;
  requireStaying(steps, [own.snapshot]);
  requireRoom(steps, mesh);
  return {
    target,
    message,
    own,
    peer,
    answer: planned.answer,
    dials: outgoing !== undefined || message.step === 'reply',
    ...(issued && receiver.isDialled ? { renewedSerial: plainSerial(issued.serial) } : {}),
    isRepeated: verdict.isRepeated,
    isKnownCa: kept?.record.peer?.ca === seals.ca?.sha256 || (receiver.trusted?.length ?? 0) > 0,
    fingerprints: { own: ownCa.sha256, peer: seals.ca?.sha256 ?? '' },
    connect: {
      targets: [target],
      members: [own, peer],
      directions,
      serve: { steps: serve },
      dial: { steps: dial },
      effects: await effectsOf(flow, given, { target, directions, steps, readAlike: options.readAlike }),
      hazards: [...policies.hazards, ...clockHazards({ snapshots: [own.snapshot], steps, handsOut, now })],
      warnings: [
        ...findings.filter(({ severity }) => severity === 'warn').map(sentenceOf),
        ...unknownRangeNotes([own.snapshot]),
        ...disablingWarnings([await withDisablingRun(flow, target, own.snapshot)]),
        ...directions.flatMap(({ credential }) => credential.warnings),
        ...foreignHomeNotes(steps, undefined, [asJoining(peer)]),
        ...shared,
        ...policies.warnings,
      ],
      spared: [],
    },
  };
}

/**
 * What becomes of who is dialled by the name of the message's cluster so far. Where that is not for certain the same one, the other
 * clusters within reach tell, or who dials is asked whether anybody answers there, as for a connect.
 */
async function effectsOf(
  flow: Flow,
  { own, peer, message }: Accepted,
  {
    target,
    directions,
    steps,
    readAlike,
  }: {
    target: Target;
    directions: readonly Direction[];
    steps: readonly Step[];
    readAlike: AcceptOptions['readAlike'];
  },
): Promise<PeerEffect[]> {
  const effectsBeside = (others: readonly ClusterSnapshot[]) =>
    connectEffects([own.snapshot], directions, steps, others);
  const isMoved = steps.some((step) => isChange(step) && movesPeer(step, peer.identity.name));
  if (!isMoved || !isDialledBeside(own.snapshot, message.cluster)) return effectsBeside([]);
  const { same, rivals } = rivalsAmong(own.snapshot, message.cluster, await readAlike());
  const effects = effectsBeside(rivals);
  if (same || effects.some(({ replacedBy }) => replacedBy !== undefined)) return effects;
  const dials = [{ client: own, server: peer }];
  return mergeEffects([...effects, ...formerAnswers(dials, await reachedBy(flow, [target], dials))]);
}
