import type { CertificateFacts } from '../certificates/certificate.ts';
import { earliestOf, latestOf } from '../cluster-clocks.ts';
import { meshctlCommand } from '../command-line.ts';
import { remoteUserName } from '../peers/file/peer-config.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { SignedMessage } from './message.ts';
import type { InvitationRecord } from './record.ts';
import {
  keyLost,
  notForThis,
  otherInvitation,
  ownMessage,
  type Refusal,
  renamed,
  revoked,
  taken,
  unreadable,
  used,
} from './refusals.ts';
import { LONGEST_INVITATION_MS, OWNERS_CLOCKS_APART_MS, shownTime } from './validity.ts';

/** What the certificates of a message come to. */
export interface Seals {
  /** Whether the first certificate of its CA is one of a CA, and signed it. */
  isSigned: boolean;
  /** That certificate. */
  ca: CertificateFacts | undefined;
  /** SHA-256 of the message. */
  digest: string;
  /** Whether its request is signed by the key that it is for; absent without one. */
  isRequestSound?: boolean | undefined;
  /** The certificate that it brings. */
  certificate?: { facts: CertificateFacts; isFromCa: boolean; isForKey: boolean } | undefined;
}

/** Who is to accept a message. */
export interface Receiver {
  context: string;
  name: string;
  id: number;
  /** SHA-256 of the CA certificate that signs, and of its key. */
  ca: { sha256: string; publicKeySha256: string };
  /** The invitation of the message's id, where there is one here. */
  record?: InvitationRecord | undefined;
  /** Whether there is one of that id that cannot be read. */
  isUnreadable?: boolean | undefined;
  /** Whether the key for that invitation is still kept. */
  hasKey: boolean;
  /** Whether this cluster dials one of the message's cluster name, and whether it lets one of that name in. */
  isDialled: boolean;
  isLetIn: boolean;
  /** SHA-256 of the CA certificates with which clusters of that name have come by other invitations. */
  knownCas: readonly string[];
  /** SHA-256 of the keys of the CAs that are trusted for a peer of the message's name; undefined where there is no such peer. */
  trusted?: readonly string[] | undefined;
}

/**
 * Whether a message is to be accepted, and if it was already: then the answer that was printed is good once more.
 * @returns the refusal, or whether the very same message was accepted before
 */
export function judgeMessage(
  message: SignedMessage,
  seals: Seals,
  receiver: Receiver,
  now: Date,
): Refusal | { isRepeated: boolean } {
  return (
    judgeSeals(message, seals, receiver, now) ??
    (receiver.isUnreadable ? unreadable(message, receiver) : undefined) ??
    (message.step === 'invitation'
      ? judgeInvitation(message, seals, receiver)
      : judgeAnswer(message, seals, receiver, now)) ??
    judgeIdentity(message, seals, receiver) ?? { isRepeated: receiver.record?.received === seals.digest }
  );
}

function judgeSeals(message: SignedMessage, seals: Seals, receiver: Receiver, now: Date): Refusal | undefined {
  const { step, issued, cluster } = message;
  // A reply says itself until when it is good; the invitation that it is to has said so before.
  const expires =
    receiver.record && receiver.record.expires < message.expires ? receiver.record.expires : message.expires;
  const from = `the ${step} of "${cluster.name}"`;
  if (!seals.isSigned || seals.isRequestSound === false) {
    return {
      reason: 'altered',
      says: `${from} was altered on its way: the CA that it brings did not sign what it says`,
      hint: 'Have the other owner send it again, as meshctl printed it.',
    };
  }
  if (expires <= now) {
    const again = meshctlCommand('clustermesh invite', { context: receiver.context });
    return {
      reason: 'expired',
      says: `${from} expired at ${shownTime(expires)}`,
      hint: `Start over, from either side; from here: ${again}`,
    };
  }
  if (issued.getTime() > now.getTime() + OWNERS_CLOCKS_APART_MS) {
    return {
      reason: 'not-yet-valid',
      says: `${from} is dated ${shownTime(issued)}, and the clock here says ${shownTime(now)}`,
      hint: 'Set the clock that is wrong.',
    };
  }
  if (expires.getTime() > now.getTime() + LONGEST_INVITATION_MS + OWNERS_CLOCKS_APART_MS) {
    return {
      reason: 'too-long',
      says: `${from} is good until ${shownTime(expires)}, and no invitation is for more than 30 days`,
      hint: 'Have the other owner invite again, with --valid of at most 30d.',
    };
  }
  return undefined;
}

function judgeInvitation(message: SignedMessage, seals: Seals, receiver: Receiver): Refusal | undefined {
  const { cluster, invited } = message;
  const { record } = receiver;
  if (isOwn(message, seals, receiver)) return ownMessage(message, receiver);
  if (record?.role === 'inviter') return otherInvitation(message, `was made by this cluster, "${receiver.name}"`);
  if (invited !== undefined && invited !== receiver.name) {
    return notForThis(message, receiver, `it invites "${invited}"`);
  }
  if (!record) return undefined;
  if (record.state === 'revoked') return revoked(message);
  if (record.state === 'joined') return used(message, cluster.name, receiver);
  if (record.received !== seals.digest) return otherInvitation(message, 'was accepted here before');
  const named = nameIn(record.sent);
  if (named !== undefined && named !== receiver.name) {
    return renamed(message, `this cluster was named "${named}" when it replied, and is "${receiver.name}" now`);
  }
  return receiver.hasKey ? undefined : keyLost(message, receiver);
}

function judgeAnswer(message: SignedMessage, seals: Seals, receiver: Receiver, now: Date): Refusal | undefined {
  const { step, answers, cluster, id } = message;
  const { record } = receiver;
  if (!answers) return undefined;
  if (isOwn(message, seals, receiver)) return ownMessage(message, receiver);
  if (record && answers.cluster !== receiver.name && answers.cluster === nameIn(record.sent)) {
    return renamed(
      message,
      `this cluster was named "${answers.cluster}" when it took part, and is "${receiver.name}" now`,
    );
  }
  if (answers.cluster !== receiver.name) return notForThis(message, receiver, `it answers "${answers.cluster}"`);
  if (!record) {
    return {
      reason: 'unknown-invitation',
      says: `cluster "${receiver.name}" has no invitation ${id}: it was revoked, or made by another cluster of that name`,
      hint: `See which ones there are: ${meshctlCommand('clustermesh invitations list', { context: receiver.context })}`,
    };
  }
  if (record.state === 'revoked') return revoked(message);
  if ((record.role === 'inviter') !== (step === 'reply')) {
    return {
      reason: 'wrong-order',
      says: `the ${step} of "${cluster.name}" is not what invitation ${id} waits for here`,
      hint: `See what it waits for: ${meshctlCommand('clustermesh invitations list', { context: receiver.context })}`,
    };
  }
  if (answers.ca !== receiver.ca.sha256) {
    return {
      reason: 'other-ca',
      says: `the ${step} of "${cluster.name}" is for a CA with the fingerprint ${fingerprintOf(answers.ca)}, and that of this cluster is ${fingerprintOf(receiver.ca.sha256)}: the CA was replaced meanwhile, or someone is intercepting the messages`,
      hint: 'Compare the fingerprints by phone, and start over.',
    };
  }
  // The same message once more gives the same answer, but does not let in again whom somebody has parted from.
  if (record.state === 'confirmed' && (record.received !== seals.digest || !receiver.isDialled)) {
    return used(message, record.peer?.name ?? '', receiver);
  }
  if (record.state === 'joined') return used(message, cluster.name, receiver);
  const sent = [record.sentDigest, ...(record.earlierDigests ?? [])];
  if (record.state !== 'confirmed' && !sent.includes(answers.message)) {
    return {
      reason: 'other-message',
      says: `the ${step} of "${cluster.name}" answers something else than what cluster "${receiver.name}" has sent: that was altered on its way, or this is the answer to an older one`,
      hint: 'Have the other owner accept the last message that was printed here.',
    };
  }
  if (record.role === 'guest' && record.peer && seals.ca?.sha256 !== record.peer.ca) {
    return {
      reason: 'other-ca',
      says: `the ${step} is signed by another CA than the invitation of "${cluster.name}" was, by ${fingerprintOf(seals.ca?.sha256 ?? '')} and not ${fingerprintOf(record.peer.ca)}`,
      hint: 'Compare the fingerprints by phone, and start over.',
    };
  }
  const begun = record.role === 'inviter' && record.state === 'invited' ? record.peer : undefined;
  if (begun && (begun.name !== cluster.name || begun.ca !== seals.ca?.sha256)) return taken(message, begun, receiver);
  const { invited } = record.sent;
  if (record.role === 'inviter' && invited !== undefined && invited !== cluster.name) {
    return {
      reason: 'not-invited',
      says: `the reply is of "${cluster.name}", and invitation ${id} is for "${invited}" alone`,
      hint: 'Someone else who got hold of the invitation may have answered it: ask the owner whom you invited.',
    };
  }
  if (record.role === 'guest' && record.peer && record.peer.name !== cluster.name) {
    return renamed(message, `the invitation was that of "${record.peer.name}"`);
  }
  if (record.role === 'guest' && record.peer && record.peer.id !== cluster.id) {
    return renamed(message, `it has the id ${cluster.id} now, and had ${record.peer.id} in the invitation`);
  }
  if (record.state === 'confirmed') return undefined;
  if (!receiver.hasKey) return keyLost(message, receiver);
  return judgeCertificate(message, seals, receiver, now);
}

function judgeCertificate(message: SignedMessage, seals: Seals, receiver: Receiver, now: Date): Refusal | undefined {
  const { facts, isFromCa, isForKey } = seals.certificate ?? {};
  const users = [remoteUserName(receiver.name), 'remote'];
  const why =
    facts === undefined
      ? 'it cannot be read'
      : !isFromCa
        ? `it is not signed by the CA of "${message.cluster.name}"`
        : !isForKey
          ? 'it is not for the key that is kept here'
          : !users.includes(facts.commonName) || facts.isCa || !facts.usages.includes('client')
            ? `it is not a client certificate of ${users[0]}`
            : facts.notAfter <= earliestOf(now)
              ? `it expired at ${shownTime(facts.notAfter)}`
              : facts.notBefore > latestOf(now)
                ? `it is not valid before ${shownTime(facts.notBefore)}`
                : undefined;
  if (why === undefined) return undefined;
  return {
    reason: 'wrong-certificate',
    says: `the certificate in the ${message.step} of "${message.cluster.name}" cannot be used: ${why}`,
    hint: 'Start over.',
  };
}

/** A cluster of the same name or id as this one, or of a name that this one knows for another cluster. */
function judgeIdentity(message: SignedMessage, seals: Seals, receiver: Receiver): Refusal | undefined {
  const { name, id } = message.cluster;
  if (name === receiver.name) {
    return {
      reason: 'name-taken',
      says: `both clusters are named "${name}"`,
      hint: 'Each cluster of a mesh needs a name of its own (cluster-name in ConfigMap cilium-config).',
    };
  }
  if (id === receiver.id) {
    return {
      reason: 'id-taken',
      says: `"${name}" and "${receiver.name}" both have the id ${id}`,
      hint: 'Each cluster of a mesh needs an id of its own (cluster-id in ConfigMap cilium-config).',
    };
  }
  const { trusted } = receiver;
  if (trusted && trusted.length > 0 && !trusted.includes(seals.ca?.publicKeySha256 ?? '')) {
    const forget = meshctlCommand('clustermesh disconnect', { context: receiver.context }, ['--peer', name]);
    return {
      reason: 'name-taken',
      says: `cluster "${receiver.name}" has a peer "${name}" already, with another CA`,
      hint: `If it is the same cluster with a new CA, forget the former one, and accept this once more: ${forget}`,
    };
  }
  // One that is only let in has left nothing here to know it by, but for what its invitation has left.
  const isKnown = receiver.record?.peer?.name === name || receiver.knownCas.includes(seals.ca?.sha256 ?? '');
  if (receiver.isLetIn && !receiver.isDialled && !isKnown) {
    const forget = meshctlCommand('clustermesh disconnect', { context: receiver.context }, ['--peer', name]);
    return {
      reason: 'name-taken',
      says: `cluster "${receiver.name}" lets a cluster "${name}" in already, and nothing here shows that it is this one`,
      hint: `If another accept of this message is still running, wait for it. If "${name}" is the same cluster, shut it out, and accept this once more: ${forget}`,
    };
  }
  return undefined;
}

function isOwn({ cluster }: SignedMessage, { ca }: Seals, receiver: Receiver): boolean {
  return cluster.name === receiver.name && ca?.publicKeySha256 === receiver.ca.publicKeySha256;
}

function nameIn(sent: Record<string, unknown>): string | undefined {
  const { cluster } = sent as { cluster?: { name?: string } };
  return cluster?.name;
}
