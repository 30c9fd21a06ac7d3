import { heldKeySize } from '../../mesh/certificates/kept-lifetime.ts';
import { perPeerCredential } from '../../mesh/connect/credentials.ts';
import { markSteps, planDial } from '../../mesh/connect/dial-plan.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { planServe } from '../../mesh/connect/serve-plan.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { messageData, type SignedMessage } from '../../mesh/invitation/message.ts';
import {
  type InvitationRecord,
  invitationRef,
  invitationSecret,
  keptKey,
  recordEdit,
  recordPatch,
  withRecord,
} from '../../mesh/invitation/record.ts';
import { emptySecret, encodeText } from '../../mesh/objects/secret-data.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { marksFor } from '../../mesh/peers/peer-choices.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readTlsFiles, tlsSecretFacts } from '../../pki/read.ts';
import { createRequest } from '../../pki/request.ts';
import { newHeldKey } from '../../pki/signed-text.ts';
import type { Target } from '../flow.ts';
import { type Accepted, answerOf, asMessage } from './answer.ts';
import { addressesOf } from './own-member.ts';
import { messageDigest } from './sign-message.ts';

/** What accepting a message writes, and what goes back. */
export interface PlannedAccept {
  directions: Direction[];
  serve: Step[];
  dial: Step[];
  answer?: SignedMessage | undefined;
}

/** Plans what a message that was judged comes to: whom this cluster lets in, whom it dials, and what is kept of it. */
export async function planAccept(target: Target, given: Accepted): Promise<PlannedAccept> {
  const { message, kept, own, peer, now } = given;
  const incoming = incomingOf(given);
  const serve = planServe([incoming], now).steps;
  if (message.step === 'invitation') {
    const { steps, answer } = await planReply(target, given, incoming);
    // No file names the cluster yet: its user hangs on what is written down if the list of users is lost.
    const marks = isDialled(given)
      ? []
      : markSteps(own, marksFor(peer.identity.name, { access: 'let-in', joined: 'invitation' }));
    return { directions: [incoming], serve: [...steps, ...serve, ...marks], dial: [], answer };
  }
  if (kept?.record.state === 'confirmed') {
    // The answer was printed before; what it needs here is looked at once more.
    const sent = asMessage(kept.record.sent);
    const answer = isOutdated(sent, given) ? confirmationOf(given, incoming) : sent;
    const steps =
      answer === sent ? [] : keepRecord(given, answerRecord(given, answer), 'it answers with what is so now');
    return { directions: [incoming], serve: [...serve, ...steps], dial: [], answer };
  }
  const outgoing = outgoingOf(given);
  const dial = planDial([outgoing], now).steps;
  const answer = message.step === 'reply' ? confirmationOf(given, incoming) : undefined;
  const note = noteOf(given);
  const record = nextRecord(given, answer);
  return {
    directions: [incoming, outgoing],
    serve: [...(note ? keepRecord(given, note, `notes ${peer.identity.name} before it is let in`) : []), ...serve],
    dial: [...dial, ...keepRecord(given, record, 'the invitation is used, and its key is where it is needed', note)],
    answer,
  };
}

function isDialled({ own, peer }: Accepted): boolean {
  return configuredPeers(own.snapshot).includes(peer.identity.name);
}

/** The other cluster dials this one, with a certificate of which it alone has the key. */
function incomingOf({ own, peer }: Accepted): Direction {
  return {
    client: peer,
    server: own,
    credential: perPeerCredential(peer, own),
    endpoint: { addresses: addressesOf(own) },
    marks: {},
  };
}

/** This cluster dials the other one with the key that it has kept. */
function outgoingOf({ own, peer, message, seals, kept }: Accepted): Direction {
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
  given: Accepted,
  incoming: Direction,
): Promise<{ steps: Step[]; answer: SignedMessage }> {
  const { message, own, peer, kept, seals, now } = given;
  const base = { cluster: own.snapshot.context, object: invitationRef(namespace, message.id), changes: [] };
  if (kept) {
    const sent = asMessage(kept.record.sent);
    if (isOutdated(sent, given)) {
      const answer = answerOf(given, incoming, { step: 'reply', request: sent.request });
      return { steps: keepRecord(given, answerRecord(given, answer), 'it answers with what is so now'), answer };
    }
    const why = 'it was accepted before';
    return { steps: [{ ...base, action: 'keep', why, before: kept.secret }], answer: sent };
  }
  const key = await newHeldKey(heldKeySize(own.snapshot, peer.identity.name));
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
    given: own.given === 'addresses',
    ...(isDialled(given) ? { renews: true } : {}),
  };
  const object = invitationSecret(namespace, record, key.pem);
  const why = `keeps the key for dialling ${message.cluster.name}`;
  return { steps: [{ ...base, action: 'create', why, write: { method: 'create', object } }], answer };
}

function confirmationOf(given: Accepted, incoming: Direction): SignedMessage {
  return answerOf(given, incoming, { step: 'confirmation' });
}

/** Whether an answer that was printed before tells of another address, or of another CA, than this cluster has by now. */
function isOutdated({ cluster }: SignedMessage, { own, certificates }: Accepted): boolean {
  return cluster.endpoints.join() !== addressesOf(own).join() || cluster.ca !== certificates;
}

function nextRecord(given: Accepted, answer: SignedMessage | undefined): InvitationRecord {
  const record = answer ? answerRecord(given, answer) : recordOf(given);
  return { ...record, state: answer ? 'confirmed' : 'joined', peer: peerOf(given), received: given.seals.digest };
}

/** What is kept once this is what was printed last. */
function answerRecord(given: Accepted, answer: SignedMessage): InvitationRecord {
  const { own } = given;
  const record = recordOf(given);
  const { sentDigest, earlierDigests = [] } = record;
  return {
    ...record,
    ...(answer.step === 'reply' ? { earlierDigests: [...earlierDigests, sentDigest] } : {}),
    sent: messageData(answer),
    sentDigest: messageDigest(answer),
    endpoints: addressesOf(own),
    given: own.given === 'addresses',
  };
}

/**
 * What an inviter writes down before it lets a cluster in, so that a run that ended in between can be run again; undefined
 * where that is so already.
 */
function noteOf(given: Accepted): InvitationRecord | undefined {
  const record = recordOf(given);
  const peer = peerOf(given);
  const isNoted = record.peer?.name === peer.name && record.peer.id === peer.id && record.peer.ca === peer.ca;
  return isNoted ? undefined : { ...record, peer };
}

function recordOf({ kept }: Accepted): InvitationRecord {
  if (!kept) throw new MeshctlError('Bug', 'an answer was accepted to no invitation');
  return kept.record;
}

/**
 * @param why the key is taken out once it is where it is needed; it stays for what goes on waiting
 * @param noted what an earlier step of the same plan writes there
 */
function keepRecord({ own, kept }: Accepted, record: InvitationRecord, why: string, noted?: InvitationRecord): Step[] {
  if (!kept) return [];
  const { context: cluster, namespace } = own.snapshot;
  const withoutKey = record.state !== 'replied' && record.state !== 'invited';
  const { resourceVersion } = kept.secret.metadata;
  return [
    {
      cluster,
      action: 'update',
      object: invitationRef(namespace, record.id),
      before: noted ? withRecord(kept.secret, noted) : kept.secret,
      changes: [],
      why,
      write: noted
        ? { method: 'edit', edit: recordEdit(cluster, { from: noted, to: record, withoutKey }) }
        : { method: 'patch', patch: recordPatch(record, withoutKey), resourceVersion },
    },
  ];
}

function peerOf({ peer, seals }: Accepted): NonNullable<InvitationRecord['peer']> {
  return { name: peer.identity.name, id: peer.identity.id, ca: seals.ca?.sha256 ?? '' };
}
