import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { messageDigest, sealsOf, signMessage } from '../../src/flows/invitation/sign-message.ts';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { fingerprintOf, parseFingerprint } from '../../src/mesh/invitation/fingerprint.ts';
import { judgeMessage, type Receiver } from '../../src/mesh/invitation/judge.ts';
import {
  type DescribedCluster,
  MESSAGE_API,
  MESSAGE_KIND,
  type Message,
  messageData,
  type SignedMessage,
} from '../../src/mesh/invitation/message.ts';
import { parseMessage } from '../../src/mesh/invitation/parse-message.ts';
import { type InvitationRecord, invitationSecret, readRecord, standingOf } from '../../src/mesh/invitation/record.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { certifyKey } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { createRequest, readRequest } from '../../src/pki/request.ts';
import { newHeldKey } from '../../src/pki/signed-text.ts';

const NOW = new Date('2026-05-01T12:00:00.000Z');
const EXPIRES = new Date('2026-05-02T12:00:00.000Z');
const ID = '0123456789abcdef01234567';

const { caA, caB, keyA, keyB } = {
  caA: createAuthority({ now: NOW }),
  caB: createAuthority({ now: NOW }),
  keyA: newHeldKey(2048),
  keyB: newHeldKey(2048),
};
let a: Authority;
let b: Authority;
let invitation: SignedMessage;
let reply: SignedMessage;
let confirmation: SignedMessage;
/** PEM. */
let heldByA: string;
let heldByB: string;

function cluster(name: string, id: number, { certificate }: Authority): DescribedCluster {
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
const certified = (authority: Authority, user: string, request: string | undefined) =>
  certifyKey(authority, clientSpec(user), readRequest(request ?? ''), { now: NOW });

beforeAll(async () => {
  [a, b] = await Promise.all([caA, caB]);
  const [ofA, ofB] = await Promise.all([keyA, keyB]);
  [heldByA, heldByB] = [ofA.pem, ofB.pem];
  invitation = signMessage(
    { ...base, step: 'invitation', cluster: cluster('a', 1, a), request: createRequest('remote-a', ofA) },
    a,
    NOW,
  );
  reply = signMessage(
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
  confirmation = signMessage(
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
});

const receiver = (name: string, id: number, authority: Authority, more: Partial<Receiver> = {}): Receiver => ({
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
const record = (role: InvitationRecord['role'], more: Partial<InvitationRecord>): InvitationRecord => ({
  ...base,
  role,
  state: role === 'inviter' ? 'invited' : 'replied',
  sent: {},
  sentDigest: '',
  endpoints: [],
  ...more,
});
const inviter = (more: Partial<InvitationRecord> = {}) =>
  receiver('a', 1, a, { hasKey: true, record: record('inviter', { sentDigest: messageDigest(invitation), ...more }) });
const guest = (more: Partial<InvitationRecord> = {}) =>
  receiver('b', 2, b, {
    hasKey: true,
    record: record('guest', {
      sentDigest: messageDigest(reply),
      received: messageDigest(invitation),
      peer: { name: 'a', id: 1, ca: readCertificate(a.certificate).sha256 },
      ...more,
    }),
  });

function judge(message: SignedMessage, to: Receiver, { key = '', now = NOW } = {}) {
  return judgeMessage(message, sealsOf(message, key), to, now);
}

describe('a message that is as it was printed', () => {
  it('is accepted by whom it is for', () => {
    expect(judge(invitation, receiver('b', 2, b))).toEqual({ isRepeated: false });
    expect(judge(reply, inviter(), { key: heldByA })).toEqual({ isRepeated: false });
    expect(judge(confirmation, guest(), { key: heldByB })).toEqual({ isRepeated: false });
    const replied = guest({ sentDigest: '5'.repeat(64), earlierDigests: [messageDigest(reply)] });
    expect(judge(confirmation, replied, { key: heldByB })).toEqual({ isRepeated: false });
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
      'the invitation of "a" expired at 2026-05-02T12:00:00.000Z',
      () => judge(invitation, receiver('b', 2, b), { now: EXPIRES }),
    ],
    ['expired', 'the reply of "b" expired at', () => judge(reply, inviter(), { key: heldByA, now: EXPIRES })],
    [
      'not-yet-valid',
      'the invitation of "a" is dated 2026-05-01T12:00:00.000Z, and the clock here says 2026-05-01T11:50:00.000Z',
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
      'the reply of "b" expired at 2026-05-02T12:00:00.000Z',
      () =>
        judge(resigned(reply, { expires: new Date('2026-05-09') }, b), inviter(), {
          key: heldByA,
          now: new Date('2026-05-03'),
        }),
    ],
    [
      'too-long',
      'the invitation of "a" is good until 2099-01-01T00:00:00.000Z, and no invitation is for more than 30 days',
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
      `the invitation belongs to invitation ${ID}, which has been used: cluster "a" is connected by it`,
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

describe('the document of a message', () => {
  const textOf = (message: SignedMessage) =>
    stringify({ apiVersion: MESSAGE_API, kind: MESSAGE_KIND, ...messageData(message) });

  it('is read as it was written', () => {
    for (const message of [invitation, reply, confirmation]) {
      const read = parseMessage(textOf(message), 'it');
      expect(messageDigest(read)).toBe(messageDigest(message));
      expect(sealsOf(read, undefined).isSigned).toBe(true);
    }
  });

  it('holds no key', () => {
    const all = [invitation, reply, confirmation].map(textOf).join('\n');
    expect(all).not.toContain('PRIVATE');
  });

  it.each<[string, string, (text: string) => string]>([
    ['of another kind', 'its kind is not ClusterMeshInvitation', (text) => text.replace(MESSAGE_KIND, 'Secret')],
    ['of another version', 'its apiVersion is not', (text) => text.replace(MESSAGE_API, 'meshctl.io/v9')],
    ['with a field more', 'extra is not a field', (text) => `${text}extra: 1\n`],
    [
      'with an answer',
      'a message of the step invitation has no certificate',
      (text) => `${text}certificate: |\n${PEM}`,
    ],
    ['without a signature', 'its signature is missing', (text) => text.replace(/^signature: .*$/m, '')],
    [
      'with a name for a terminal',
      'cluster.name is not of the form',
      (text) => text.replace('name: a', 'name: "\\e[2J"'),
    ],
    [
      'with more addresses than a cluster is dialled at',
      'cluster.endpoints is not of the form',
      (text) => text.replace(/( +- )203\.0\.113\.\d+:2379\n/, (line) => line.repeat(65)),
    ],
    [
      'with a CA that would fill a Secret',
      'cluster.ca is not of the form',
      (text) =>
        text.replace(
          /ca: \|\n([\s\S]*?-----END CERTIFICATE-----\n)/,
          (_all, pem: string) => `ca: |\n${pem.repeat(100)}`,
        ),
    ],
    [
      'with a setting that fills a screen',
      'cluster.settings is not of the form',
      (text) => text.replace('routing-mode: tunnel', `routing-mode: ${'x'.repeat(300)}`),
    ],
    ['of many megabytes', 'it has 5', (text) => `${text}#${'x'.repeat(5_000_000)}\n`],
    ['that is cut off', 'cluster.ca is not of the form', (text) => text.slice(0, 400)],
    ['with a field twice', 'it is not valid YAML', (text) => `${text}id: ${ID}\n`],
  ])('is refused %s', (_what, says, change) => {
    expect(() => parseMessage(change(textOf(invitation)), 'it')).toThrow(says);
  });

  it('is refused with any character changed, unless it says the same', () => {
    const text = textOf(reply);
    const digest = messageDigest(reply);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const changed = `${text.slice(0, at)}${String.fromCharCode(code)}${text.slice(at + 1)}`;
        let read: SignedMessage;
        try {
          read = parseMessage(changed, 'it');
        } catch (error) {
          expect(error).toMatchObject({ code: 'InvitationRefused' });
          return;
        }
        const isSame = messageDigest(read) === digest;
        expect(isSame || 'reason' in judge(read, inviter(), { key: heldByA })).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const PEM = '  -----BEGIN CERTIFICATE-----\n  AAAA\n  -----END CERTIFICATE-----\n';

describe('a fingerprint', () => {
  const digest = 'ab'.repeat(32);
  it.each([
    fingerprintOf(digest),
    digest,
    digest.toUpperCase(),
    `sha256:${digest}`,
    `sha256 Fingerprint=${fingerprintOf(digest).slice(7)}`,
  ])('is the same however it is written: %s', (text) => {
    expect(parseFingerprint(text)).toBe(digest);
  });
  it.each(['', 'SHA256:AB', `${digest}0`])('is none: %j', (text) => {
    expect(parseFingerprint(text)).toBeUndefined();
  });
});

describe('what is kept of an invitation', () => {
  it('is read from its Secret, and from no other', () => {
    const kept = record('inviter', { peer: { name: 'b', id: 2, ca: '' } });
    const secret = invitationSecret('kube-system', kept, 'key');
    expect(readRecord(secret)).toEqual(kept);
    expect(readRecord({ ...secret, metadata: { name: 'another' } })).toBeUndefined();
    expect(readRecord({ ...secret, data: {} })).toBeUndefined();
    for (const broken of [{ sent: undefined }, { issued: 'soon' }, { endpoints: 'none' }, { state: 'lost' }]) {
      const text = JSON.stringify({ ...kept, ...broken });
      expect(readRecord({ ...secret, data: { 'record.json': encodeText(text) } })).toBeUndefined();
    }
  });

  it.each<[InvitationRecord['state'], Date, string, string | undefined]>([
    ['invited', NOW, 'invited', 'the reply of the other owner'],
    ['replied', NOW, 'replied', 'the confirmation of the other owner'],
    ['confirmed', NOW, 'confirmed', 'the other owner to accept the confirmation, unless they have'],
    ['joined', NOW, 'joined', undefined],
    ['invited', EXPIRES, 'expired', undefined],
    ['confirmed', EXPIRES, 'confirmed', undefined],
    ['revoked', NOW, 'revoked', undefined],
  ])('says what a %s one waits for at %s', (state, now, shown, waitsFor) => {
    const standing = standingOf(record('inviter', { state }), 'a', now);
    expect([standing.state, standing.waitsFor]).toEqual([shown, waitsFor]);
  });

  it('does not wait where this half stands, and says who sees the other one', () => {
    const confirmed = record('inviter', { state: 'confirmed', peer: { name: 'b', id: 2, ca: '' } });
    const standing = standingOf(confirmed, 'a', NOW, { isConnected: true });
    expect(standing.waitsFor).toBeUndefined();
    expect(standing.unseen).toBe(
      'whether the owner of "b" has accepted the confirmation too, only their own status shows',
    );
    expect(standingOf(confirmed, 'a', EXPIRES, { isConnected: true }).unseen).toBeUndefined();
  });
});
