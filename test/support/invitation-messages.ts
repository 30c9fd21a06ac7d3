import { messageDigest, sealsOf, signMessage } from '../../src/flows/invitation/sign-message.ts';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { judgeMessage, type Receiver } from '../../src/mesh/invitation/judge.ts';
import type { DescribedCluster, SignedMessage } from '../../src/mesh/invitation/message.ts';
import type { InvitationRecord } from '../../src/mesh/invitation/record.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { certifyKey } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { createRequest, readRequest } from '../../src/pki/request.ts';
import { newHeldKey } from '../../src/pki/signed-text.ts';

export const NOW = new Date('2026-05-01T12:00:00.000Z');
export const EXPIRES = new Date('2026-05-02T12:00:00.000Z');
export const ID = '0123456789abcdef01234567';

/** The three messages of one invitation of cluster a to cluster b, with the CAs and the keys (PEM) behind them. */
export interface Messages {
  a: Authority;
  b: Authority;
  invitation: SignedMessage;
  reply: SignedMessage;
  confirmation: SignedMessage;
  heldByA: string;
  heldByB: string;
}

/** A cluster as a message tells of it. */
export function cluster(name: string, id: number, { certificate }: Authority): DescribedCluster {
  return {
    name,
    id,
    ciliumVersion: '1.20.0',
    settings: { 'routing-mode': 'tunnel' },
    podRanges: [`10.${id}.0.0/16`],
    podPools: [],
    nodeAddresses: [`192.0.2.${id}`],
    endpoints: [`203.0.113.${id}:2379`],
    ca: certificate,
  };
}

const base = { id: ID, issued: NOW, expires: EXPIRES };
const answering = (message: SignedMessage) => ({
  cluster: message.cluster.name,
  ca: readCertificate(message.cluster.ca).sha256,
  message: messageDigest(message),
});
export const certified = (authority: Authority, user: string, request: string | undefined) =>
  certifyKey(authority, clientSpec(user), readRequest(request ?? ''), { now: NOW });

export async function makeMessages(): Promise<Messages> {
  const [a, b] = await Promise.all([createAuthority({ now: NOW }), createAuthority({ now: NOW })]);
  const [ofA, ofB] = await Promise.all([newHeldKey(2048), newHeldKey(2048)]);
  const invitation = signMessage(
    { ...base, step: 'invitation', cluster: cluster('a', 1, a), request: createRequest('remote-a', ofA) },
    a,
    NOW,
  );
  const reply = signMessage(
    {
      ...base,
      step: 'reply',
      cluster: cluster('b', 2, b),
      request: createRequest('remote-b', ofB),
      certificate: certified(b, 'remote-a', invitation.request),
      answers: answering(invitation),
    },
    b,
    NOW,
  );
  const confirmation = signMessage(
    {
      ...base,
      step: 'confirmation',
      cluster: cluster('a', 1, a),
      certificate: certified(a, 'remote-b', reply.request),
      answers: answering(reply),
    },
    a,
    NOW,
  );
  return { a, b, invitation, reply, confirmation, heldByA: ofA.pem, heldByB: ofB.pem };
}

/** Who gets a message. */
export const receiver = (name: string, id: number, authority: Authority, more: Partial<Receiver> = {}): Receiver => ({
  context: `context-${name}`,
  name,
  id,
  ca: readCertificate(authority.certificate),
  hasKey: false,
  isDialled: false,
  isLetIn: false,
  knownCas: [],
  ...more,
});
/** What is kept of an invitation. */
export const record = (role: InvitationRecord['role'], more: Partial<InvitationRecord>): InvitationRecord => ({
  ...base,
  role,
  state: role === 'inviter' ? 'invited' : 'replied',
  sent: {},
  sentDigest: '',
  endpoints: [],
  ...more,
});
/** Cluster a, which waits for the reply. */
export const inviter = ({ a, invitation }: Messages, more: Partial<InvitationRecord> = {}) =>
  receiver('a', 1, a, { hasKey: true, record: record('inviter', { sentDigest: messageDigest(invitation), ...more }) });
/** Cluster b, which waits for the confirmation. */
export const guest = ({ a, b, invitation, reply }: Messages, more: Partial<InvitationRecord> = {}) =>
  receiver('b', 2, b, {
    hasKey: true,
    record: record('guest', {
      sentDigest: messageDigest(reply),
      received: messageDigest(invitation),
      peer: { name: 'a', id: 1, ca: readCertificate(a.certificate).sha256 },
      ...more,
    }),
  });

/** Judges a message as its receiver does. @param key PEM: the one that it has kept */
export function judge(message: SignedMessage, to: Receiver, { key = '', now = NOW } = {}) {
  return judgeMessage(message, sealsOf(message, key), to, now);
}
