import { trustedBy } from '../../mesh/certificates/certificate.ts';
import { clientSpec } from '../../mesh/certificates/cluster-certificates.ts';
import { presentLifetime } from '../../mesh/certificates/kept-lifetime.ts';
import { perPeerCredential } from '../../mesh/connect/credentials.ts';
import { markSteps, planDial } from '../../mesh/connect/dial-plan.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { connectEffects } from '../../mesh/connect/effects.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { requireReadyServers, requireSoundServers } from '../../mesh/connect/provable.ts';
import { planServe } from '../../mesh/connect/serve-plan.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeCluster, memberOf } from '../../mesh/invitation/described-cluster.ts';
import { judgeMessage, type Receiver, type Seals } from '../../mesh/invitation/judge.ts';
import {
  MESSAGE_API,
  MESSAGE_KIND,
  type Message,
  messageData,
  type SignedMessage,
} from '../../mesh/invitation/message.ts';
import { parseMessage } from '../../mesh/invitation/parse-message.ts';
import {
  type InvitationRecord,
  invitationRef,
  invitationSecret,
  keptKey,
  recordPatch,
} from '../../mesh/invitation/record.ts';
import { emptySecret, encodeText } from '../../mesh/objects/secret-data.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { foreignHomeNotes } from '../../mesh/peers/foreign-homes.ts';
import { marksFor } from '../../mesh/peers/peer-choices.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Authority } from '../../pki/authority.ts';
import { certifyKey } from '../../pki/issue.ts';
import { readBundle, readTlsFiles, tlsSecretFacts } from '../../pki/read.ts';
import { createRequest, readRequest } from '../../pki/request.ts';
import { newHeldKey } from '../../pki/signed-text.ts';
import { judgeMesh, type PreparedConnect, sentenceOf } from '../connect/plan-dials.ts';
import type { Flow, Target } from '../flow.ts';
import { KEY_SIZE } from './invite.ts';
import { addressesOf, readOwnMember } from './own-member.ts';
import { findInvitation, type KeptInvitation } from './read-invitations.ts';
import { messageDigest, readSigner, sealsOf, signMessage } from './sign-message.ts';

export interface AcceptOptions {
  /** `host:port` at which the other cluster is to dial this one; of an invitation only. */
  endpoints?: readonly string[] | undefined;
  /** Ids of checks that do not count. */
  skipChecks?: readonly string[] | undefined;
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
  /** Whether the very same message was accepted before. */
  isRepeated: boolean;
  /** Whether the other's CA is one that this cluster has agreed to already. */
  isKnownCa: boolean;
  /** SHA-256 of the CAs' certificates. */
  fingerprints: { own: string; peer: string };
}

interface Given {
  message: SignedMessage;
  seals: Seals;
  own: Member;
  peer: Member;
  kept: KeptInvitation | undefined;
  authority: Authority;
  /** PEM, the one that signs first. */
  certificates: string;
  now: Date;
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
  const kept = await findInvitation(target, message.id);
  const own = await readOwnMember(flow, target, kept?.record.endpoints ?? options.endpoints);
  const now = flow.now();
  const { authority, certificates } = await readSigner(target, now);
  const key = kept && keptKey(kept.secret);
  const seals = sealsOf(message, key);
  const [ownCa] = readBundle(certificates);
  if (!ownCa) throw new MeshctlError('Bug', 'the CA that signs cannot be read');
  const held = own.snapshot.peerCertificates.get(message.cluster.name);
  const receiver: Receiver = {
    context,
    name: own.identity.name,
    id: own.identity.id,
    ca: ownCa,
    record: kept?.record,
    hasKey: key !== undefined,
    trusted: held && trustedBy(held).map(({ publicKeySha256 }) => publicKeySha256),
  };
  const verdict = judgeMessage(message, seals, receiver, now);
  if ('reason' in verdict) {
    const { reason, says, hint } = verdict;
    throw new MeshctlError('InvitationRefused', says, { hint, details: { context, reason, id: message.id } });
  }
  const peer = memberOf(message.cluster, readBundle(message.cluster.ca));
  const given: Given = { message, seals, own, peer, kept, authority, certificates, now };
  const mesh = [own.snapshot, peer.snapshot];
  const findings = await judgeMesh(flow, [target], mesh, { parallel: 1, skipChecks: options.skipChecks });
  const planned = await planAccept(target, given);
  const { directions, serve, dial } = planned;
  requireReadyServers([own.snapshot]);
  requireSoundServers(
    directions.filter(({ server }) => server === own),
    serve,
    now,
  );
  const steps = [...serve, ...dial];
  requireStaying(own.snapshot, steps);
  return {
    target,
    message,
    own,
    peer,
    answer: planned.answer,
    isRepeated: verdict.isRepeated,
    isKnownCa: kept?.record.peer?.ca === seals.ca?.sha256 || (receiver.trusted?.length ?? 0) > 0,
    fingerprints: { own: ownCa.sha256, peer: seals.ca?.sha256 ?? '' },
    connect: {
      targets: [target],
      members: [own, peer],
      directions,
      serve: { steps: serve },
      dial: { steps: dial },
      effects: connectEffects([own.snapshot], directions, steps),
      warnings: [
        ...findings.filter(({ severity }) => severity === 'warn').map(sentenceOf),
        ...directions.flatMap(({ credential }) => credential.warnings),
        ...foreignHomeNotes(steps),
      ],
      spared: [],
    },
  };
}

interface PlannedAccept {
  directions: Direction[];
  serve: Step[];
  dial: Step[];
  answer?: SignedMessage | undefined;
}

async function planAccept(target: Target, given: Given): Promise<PlannedAccept> {
  const { message, kept, own, peer, now } = given;
  const incoming = incomingOf(given);
  const serve = planServe([incoming], now).steps;
  if (message.step === 'invitation') {
    const { steps, answer } = await planReply(target, given, incoming);
    // No file names the cluster yet: its user hangs on what is written down if the list of users is lost.
    const isDialled = configuredPeers(own.snapshot).includes(peer.identity.name);
    const marks = isDialled ? [] : markSteps(own, marksFor(peer.identity.name, { access: 'let-in' }));
    return { directions: [incoming], serve: [...steps, ...serve, ...marks], dial: [], answer };
  }
  if (kept?.record.state === 'confirmed') {
    // The answer was printed before; what it needs here is looked at once more.
    const sent = kept.record.sent;
    return { directions: [incoming], serve: [...serve], dial: [], answer: asMessage(sent) };
  }
  const outgoing = outgoingOf(given);
  const dial = planDial([outgoing], now).steps;
  const answer = message.step === 'reply' ? confirmationOf(given, incoming) : undefined;
  const record = nextRecord(given, answer);
  return { directions: [incoming, outgoing], serve: [...serve], dial: [...dial, ...keepRecord(given, record)], answer };
}

/** The other cluster dials this one, with a certificate of which it alone has the key. */
function incomingOf({ own, peer }: Given): Direction {
  return {
    client: peer,
    server: own,
    credential: perPeerCredential(peer, own),
    endpoint: { addresses: addressesOf(own) },
    marks: {},
  };
}

/** This cluster dials the other one with the key that it has kept. */
function outgoingOf({ own, peer, message, seals, kept }: Given): Direction {
  const privateKey = kept && keptKey(kept.secret);
  if (privateKey === undefined || message.certificate === undefined || !seals.certificate) {
    throw new MeshctlError('Bug', 'a message was accepted whose certificate cannot be used');
  }
  const texts = { ca: message.cluster.ca, certificate: message.certificate, privateKey };
  const facts = tlsSecretFacts(readTlsFiles(texts));
  if (!facts) throw new MeshctlError('Bug', 'the certificate of a message cannot be read');
  const secret = {
    ...emptySecret({ apiVersion: 'v1', kind: 'Secret', name: 'issued' }, 'kubernetes.io/tls'),
    data: {
      'ca.crt': encodeText(texts.ca),
      'tls.crt': encodeText(texts.certificate),
      'tls.key': encodeText(texts.privateKey),
    },
  };
  const { commonName } = seals.certificate.facts;
  return {
    client: own,
    server: peer,
    credential: { kind: 'per-peer', user: commonName, warnings: [], issued: { secret, facts } },
    endpoint: { addresses: message.cluster.endpoints },
    marks: marksFor(peer.identity.name, { access: null, joined: 'invitation' }),
  };
}

/** The guest's half: a key of its own, and what it answers. One that was made before is used again. */
async function planReply(
  { namespace }: Target,
  given: Given,
  incoming: Direction,
): Promise<{ steps: Step[]; answer: SignedMessage }> {
  const { message, own, kept, seals, now } = given;
  const base = { cluster: own.snapshot.context, object: invitationRef(namespace, message.id), changes: [] };
  if (kept) {
    const why = 'it was accepted before';
    return { steps: [{ ...base, action: 'keep', why, before: kept.secret }], answer: asMessage(kept.record.sent) };
  }
  const key = await newHeldKey(KEY_SIZE);
  const answer = answerOf(given, incoming, {
    step: 'reply',
    request: createRequest(remoteUserName(own.identity.name), key),
  });
  const record: InvitationRecord = {
    id: message.id,
    role: 'guest',
    state: 'replied',
    issued: now,
    expires: message.expires,
    peer: peerOf(given),
    sent: messageData(answer),
    sentDigest: messageDigest(answer),
    received: seals.digest,
    endpoints: addressesOf(own),
  };
  const object = invitationSecret(namespace, record, key.pem);
  const why = `keeps the key for dialling ${message.cluster.name}`;
  return { steps: [{ ...base, action: 'create', why, write: { method: 'create', object } }], answer };
}

function confirmationOf(given: Given, incoming: Direction): SignedMessage {
  return answerOf(given, incoming, { step: 'confirmation' });
}

/** What goes back: this cluster, and the certificate that was asked for. */
function answerOf(
  { message, own, seals, authority, certificates, now }: Given,
  { credential }: Direction,
  parts: Pick<Message, 'step' | 'request'>,
): SignedMessage {
  const { validityMs } = presentLifetime(own.snapshot);
  const certificate = certifyKey(authority, clientSpec(credential.user), readRequest(message.request ?? ''), {
    now,
    ...(validityMs === undefined ? {} : { validityMs }),
  });
  const content: Message = {
    ...parts,
    id: message.id,
    issued: new Date(now),
    expires: message.expires,
    answers: { cluster: message.cluster.name, ca: seals.ca?.sha256 ?? '', message: seals.digest },
    cluster: describeCluster(own, certificates),
    certificate,
  };
  return signMessage(content, authority, now);
}

function nextRecord(given: Given, answer: SignedMessage | undefined): InvitationRecord {
  const { kept, seals } = given;
  if (!kept) throw new MeshctlError('Bug', 'an answer was accepted to no invitation');
  const { record } = kept;
  return {
    ...record,
    state: answer ? 'confirmed' : 'joined',
    peer: peerOf(given),
    received: seals.digest,
    ...(answer ? { sent: messageData(answer), sentDigest: messageDigest(answer) } : {}),
  };
}

function keepRecord({ own, kept }: Given, record: InvitationRecord): Step[] {
  if (!kept) return [];
  return [
    {
      cluster: own.snapshot.context,
      action: 'update',
      object: invitationRef(own.snapshot.namespace, record.id),
      before: kept.secret,
      changes: [],
      why: 'the invitation is used, and its key is where it is needed',
      write: {
        method: 'patch',
        patch: recordPatch(record, true),
        resourceVersion: kept.secret.metadata.resourceVersion,
      },
    },
  ];
}

function peerOf({ peer, seals }: Given): NonNullable<InvitationRecord['peer']> {
  return { name: peer.identity.name, id: peer.identity.id, ca: seals.ca?.sha256 ?? '' };
}

/** A message that was printed before. */
function asMessage(sent: Record<string, unknown>): SignedMessage {
  const document = { apiVersion: MESSAGE_API, kind: MESSAGE_KIND, ...sent };
  return parseMessage(JSON.stringify(document), 'what was printed before');
}
