import { beforeAll, describe, expect, it } from 'vitest';
import { messageDigest, signMessage } from '../../src/flows/invitation/sign-message.ts';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type DialledWith, dialledWith } from '../../src/mesh/invitation/dialled-with.ts';
import type { Message, SignedMessage } from '../../src/mesh/invitation/message.ts';
import type { InvitationRecord } from '../../src/mesh/invitation/record.ts';
import type { Authority } from '../../src/pki/authority.ts';
import { certifyKey } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { readRequest } from '../../src/pki/request.ts';
import {
  certified,
  cluster,
  EXPIRES,
  guest as guestOf,
  ID,
  inviter as inviterOf,
  judge,
  type Messages,
  makeMessages,
  NOW,
  receiver,
  record,
} from '../support/invitation-messages.ts';

let messages: Messages;
let a: Authority;
let b: Authority;
let invitation: SignedMessage;
let reply: SignedMessage;
let confirmation: SignedMessage;
let heldByA: string;
let heldByB: string;

beforeAll(async () => {
  messages = await makeMessages();
  ({ a, b, invitation, reply, confirmation, heldByA, heldByB } = messages);
});

const inviter = (more: Partial<InvitationRecord> = {}) => inviterOf(messages, more);
const guest = (more: Partial<InvitationRecord> = {}) => guestOf(messages, more);

describe('a message that is as it was printed', () => {
  it('is accepted by whom it is for', () => {
    expect(judge(invitation, receiver('b', 2, b))).toEqual({ isRepeated: false });
    expect(judge(reply, inviter(), { key: heldByA })).toEqual({ isRepeated: false });
    expect(judge(confirmation, guest(), { key: heldByB })).toEqual({ isRepeated: false });
    const replied = guest({ sentDigest: '5'.repeat(64), earlierDigests: [messageDigest(reply)] });
    expect(judge(confirmation, replied, { key: heldByB })).toEqual({ isRepeated: false });
    // An accept of it has ended before it was done.
    const begun = inviter({ peer: { name: 'b', id: 2, ca: readCertificate(b.certificate).sha256 } });
    expect(judge(reply, { ...begun, isLetIn: true }, { key: heldByA })).toEqual({ isRepeated: false });
    // It has come by another invitation before.
    const known = { isLetIn: true, knownCas: [readCertificate(a.certificate).sha256] };
    expect(judge(invitation, receiver('b', 2, b, known))).toEqual({ isRepeated: false });
  });

  it('is known when it comes again before it is used', () => {
    expect(judge(invitation, guest())).toEqual({ isRepeated: true });
    const confirmed = inviter({ state: 'confirmed', received: messageDigest(reply) });
    expect(judge(reply, { ...confirmed, isDialled: true })).toEqual({ isRepeated: true });
  });
});

describe('a message is refused', () => {
  const resigned = (message: SignedMessage, change: Partial<Message>, by: Authority): SignedMessage => {
    const { signature: _signature, ...content } = message;
    return signMessage({ ...content, ...change }, by, NOW);
  };
  const cases: [reason: string, says: string, verdict: () => unknown][] = [
    [
      'altered',
      'the invitation of "a" was altered on its way: the CA that it brings did not sign what it says',
      () => judge({ ...invitation, expires: new Date('2030-01-01') }, receiver('b', 2, b)),
    ],
    [
      'altered',
      'the invitation of "a" was altered on its way',
      () => judge(resigned(invitation, {}, b), receiver('b', 2, b)),
    ],
    [
      'altered',
      'the invitation of "a" was altered on its way',
      () => judge(resigned(invitation, { request: 'nothing' }, a), receiver('b', 2, b)),
    ],
    [
      'expired',
      'the invitation of "a" expired at 2026-05-02T12:00Z',
      () => judge(invitation, receiver('b', 2, b), { now: EXPIRES }),
    ],
    ['expired', 'the reply of "b" expired at', () => judge(reply, inviter(), { key: heldByA, now: EXPIRES })],
    [
      'not-yet-valid',
      'the invitation of "a" is dated 2026-05-01T12:00Z, and the clock here says 2026-05-01T11:50Z',
      () => judge(invitation, receiver('b', 2, b), { now: new Date(NOW.getTime() - 600_000) }),
    ],
    [
      'own-message',
      'the invitation was made by this very cluster, "a" (context "context-a"): it is for the other owner',
      () => judge(invitation, inviter()),
    ],
    ['own-message', 'the reply was made by this very cluster, "b"', () => judge(reply, guest())],
    [
      'not-for-this-cluster',
      'the invitation of "a" is not for this cluster, "b" (context "context-b"): it invites "c"',
      () => judge(resigned(invitation, { invited: 'c' }, a), receiver('b', 2, b)),
    ],
    [
      'not-for-this-cluster',
      'the reply of "b" is not for this cluster, "c" (context "context-c"): it answers "a"',
      () => judge(reply, receiver('c', 3, a)),
    ],
    [
      'other-message',
      `another invitation of the id ${ID} was accepted here before, and this one, of "a", says something else`,
      () => judge(resigned(invitation, { invited: 'b' }, a), guest()),
    ],
    [
      'other-message',
      `another invitation of the id ${ID} was made by this cluster, "a", and this one, of "b", says something else`,
      () => judge(resigned(invitation, { cluster: reply.cluster }, b), inviter()),
    ],
    [
      'expired',
      'the reply of "b" expired at 2026-05-02T12:00Z',
      () =>
        judge(resigned(reply, { expires: new Date('2026-05-09') }, b), inviter(), {
          key: heldByA,
          now: new Date('2026-05-03'),
        }),
    ],
    [
      'too-long',
      'the invitation of "a" is good until 2099-01-01T00:00Z, and no invitation is for more than 30 days',
      () => judge(resigned(invitation, { expires: new Date('2099-01-01') }, a), receiver('b', 2, b)),
    ],
    [
      'not-invited',
      `the reply is of "b", and invitation ${ID} is for "c" alone`,
      () => judge(reply, inviter({ sent: { invited: 'c' } }), { key: heldByA }),
    ],
    [
      'renamed',
      'the reply of "b" cannot be accepted: this cluster was named "a" when it took part, and is "d" now',
      () => judge(reply, { ...inviter({ sent: { cluster: { name: 'a' } } }), name: 'd' }, { key: heldByA }),
    ],
    [
      'renamed',
      'the invitation of "a" cannot be accepted: this cluster was named "c" when it replied, and is "b" now',
      () => judge(invitation, guest({ sent: { cluster: { name: 'c' } } })),
    ],
    [
      'renamed',
      'the confirmation of "d" cannot be accepted: the invitation was that of "a"',
      () => judge(resigned(confirmation, { cluster: cluster('d', 1, a) }, a), guest(), { key: heldByB }),
    ],
    [
      'renamed',
      'it has the id 7 now, and had 1 in the invitation',
      () => judge(resigned(confirmation, { cluster: cluster('a', 7, a) }, a), guest(), { key: heldByB }),
    ],
    [
      'unreadable',
      `what is kept of invitation ${ID} here cannot be read, so the invitation of "a" is not accepted`,
      () => judge(invitation, receiver('b', 2, b, { isUnreadable: true })),
    ],
    [
      'wrong-certificate',
      'the certificate in the reply of "b" cannot be used: it expired at 2026-04-',
      () => {
        const certificate = certifyKey(b, clientSpec('remote-a'), readRequest(invitation.request ?? ''), {
          now: new Date('2026-03-01T12:00:00Z'),
          validityMs: 40 * 86_400_000,
        });
        return judge(resigned(reply, { certificate }, b), inviter(), { key: heldByA });
      },
    ],
    [
      'wrong-certificate',
      'the certificate in the reply of "b" cannot be used: it is not valid before 2026-06-01T11:45Z',
      () => {
        const certificate = certifyKey(b, clientSpec('remote-a'), readRequest(invitation.request ?? ''), {
          now: new Date('2026-06-01T12:00:00Z'),
        });
        return judge(resigned(reply, { certificate }, b), inviter(), { key: heldByA });
      },
    ],
    [
      'name-taken',
      'cluster "b" lets a cluster "a" in already, and nothing here shows that it is this one',
      () => judge(invitation, receiver('b', 2, b, { isLetIn: true, knownCas: ['4'.repeat(64)] })),
    ],
    [
      'other-message',
      'the reply of "b" answers something else than what cluster "a" has sent',
      () => judge(reply, inviter({ sentDigest: '0'.repeat(64) }), { key: heldByA }),
    ],
    [
      'other-ca',
      'the reply of "b" is for a CA with the fingerprint SHA256:',
      () => judge(reply, { ...inviter(), ca: readCertificate(b.certificate) }, { key: heldByA }),
    ],
    [
      'other-ca',
      'the confirmation is signed by another CA than the invitation of "a" was',
      () => judge(confirmation, guest({ peer: { name: 'a', id: 1, ca: '1'.repeat(64) } }), { key: heldByB }),
    ],
    [
      'unknown-invitation',
      `cluster "a" has no invitation ${ID}: it was revoked, or made by another cluster of that name`,
      () => judge(reply, receiver('a', 1, a)),
    ],
    [
      'wrong-order',
      `the confirmation of "a" is not what invitation ${ID} waits for here`,
      () => judge(confirmation, { ...guest(), record: record('inviter', {}) }, { key: heldByB }),
    ],
    [
      'used',
      `the invitation belongs to invitation ${ID}, which has been used: cluster "a" is dialled because of it`,
      () =>
        judge(invitation, { ...guest({ state: 'joined', received: messageDigest(confirmation) }), isDialled: true }),
    ],
    [
      'used',
      'which has been used: cluster "b" was connected by it, and no longer is',
      () =>
        judge(
          reply,
          inviter({ state: 'confirmed', received: messageDigest(reply), peer: { name: 'b', id: 2, ca: '' } }),
        ),
    ],
    [
      'used',
      'which has been used: cluster "b" was connected by it',
      () =>
        judge(reply, inviter({ state: 'confirmed', received: '2'.repeat(64), peer: { name: 'b', id: 2, ca: '' } }), {
          key: heldByA,
        }),
    ],
    [
      'used',
      `the reply of "b" comes too late: the one of "c" to invitation ${ID} came first`,
      () => judge(reply, inviter({ peer: { name: 'c', id: 3, ca: '' } }), { key: heldByA }),
    ],
    [
      'used',
      'comes too late: the one of "b" with the CA SHA256:',
      () => judge(reply, inviter({ peer: { name: 'b', id: 2, ca: '2'.repeat(64) } }), { key: heldByA }),
    ],
    ['used', 'which has been used', () => judge(confirmation, guest({ state: 'joined' }), { key: heldByB })],
    [
      'revoked',
      `the invitation belongs to invitation ${ID}, which was revoked here`,
      () => judge(invitation, guest({ state: 'revoked' })),
    ],
    ['revoked', 'the confirmation belongs to invitation', () => judge(confirmation, guest({ state: 'revoked' }))],
    [
      'key-lost',
      `the reply belongs to invitation ${ID}, whose key is no longer in its Secret`,
      () => judge(reply, { ...inviter(), hasKey: false }),
    ],
    [
      'wrong-certificate',
      'the certificate in the reply of "b" cannot be used: it is not for the key that is kept here',
      () => judge(reply, inviter(), { key: heldByB }),
    ],
    [
      'wrong-certificate',
      'cannot be used: it is not signed by the CA of "b"',
      () =>
        judge(resigned(reply, { certificate: certified(a, 'remote-a', invitation.request) }, b), inviter(), {
          key: heldByA,
        }),
    ],
    [
      'wrong-certificate',
      'cannot be used: it is not a client certificate of remote-a',
      () =>
        judge(resigned(reply, { certificate: certified(b, 'root', invitation.request) }, b), inviter(), {
          key: heldByA,
        }),
    ],
    ['name-taken', 'both clusters are named "a"', () => judge(invitation, receiver('a', 2, b))],
    ['id-taken', '"a" and "b" both have the id 1', () => judge(invitation, receiver('b', 1, b))],
    [
      'name-taken',
      'cluster "b" has a peer "a" already, with another CA',
      () => judge(invitation, receiver('b', 2, b, { trusted: ['3'.repeat(64)] })),
    ],
  ];

  it.each(cases)('%s: %s', (reason, says, verdict) => {
    expect(verdict()).toMatchObject({ reason, says: expect.stringContaining(says) });
  });

  it('with each reason in words of its own', () => {
    const sentences = new Map(cases.map(([reason, says]) => [says.replace(/"[a-z]"/g, ''), reason]));
    expect(new Set(sentences.values()).size).toBe(new Set(cases.map(([reason]) => reason)).size);
  });
});

it.each<[serials: (string | undefined)[], DialledWith]>([
  [['new'], 'renewed'],
  [['new', 'new'], 'renewed'],
  [['old'], 'former'],
  [['new', 'old'], 'former'],
  // Whoever does not tell may dial with the former one.
  [['new', undefined], 'some-untold'],
  [['old', undefined], 'former'],
  [[undefined, 'old', 'new'], 'former'],
  [[undefined], 'all-untold'],
  [[undefined, undefined], 'all-untold'],
  [[], 'all-untold'],
])('pods that tell the certificates %j dial with: %s', (serials, wanted) => {
  expect(dialledWith(serials, 'new')).toBe(wanted);
});
