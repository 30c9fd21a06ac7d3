import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { messageDigest, sealsOf } from '../../src/flows/invitation/sign-message.ts';
import { fingerprintOf, parseFingerprint } from '../../src/mesh/invitation/fingerprint.ts';
import { MESSAGE_API, MESSAGE_KIND, messageData, type SignedMessage } from '../../src/mesh/invitation/message.ts';
import { parseMessage } from '../../src/mesh/invitation/parse-message.ts';
import { type InvitationRecord, invitationSecret, readRecord, standingOf } from '../../src/mesh/invitation/record.ts';
import { unreadableInvitation } from '../../src/mesh/invitation/unreadable.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import {
  EXPIRES,
  ID,
  inviter,
  judge,
  type Messages,
  makeMessages,
  NOW,
  record,
} from '../support/invitation-messages.ts';

let messages: Messages;
let invitation: SignedMessage;
let reply: SignedMessage;
let confirmation: SignedMessage;
let heldByA: string;

beforeAll(async () => {
  messages = await makeMessages();
  ({ invitation, reply, confirmation, heldByA } = messages);
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
    ['with a field twice', 'it is not valid YAML at line ', (text) => `${text}id: ${ID}\n`],
    ['below the line that made it', 'it is not valid YAML at line 1', (text) => `$ meshctl invite\n${text}`],
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
        expect(isSame || 'reason' in judge(read, inviter(messages), { key: heldByA })).toBe(true);
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

  it('is known by its Secret where it cannot be read', () => {
    const [one, other] = ['meshctl-invitation-0123', 'a-copy-of-it'].map((name) =>
      unreadableInvitation({
        ...invitationSecret('kube-system', record('guest', {})),
        metadata: { name, labels: name === 'a-copy-of-it' ? {} : { 'meshctl.io/invitation': 'guest' } },
      }),
    );
    expect(one).toMatchObject({ id: '0123', role: 'guest' });
    expect(other).toMatchObject({ id: 'a-copy-of-it', role: undefined });
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
    expect(standing.unseen).toBe('only their own status shows whether the owner of "b" has accepted the confirmation');
    expect(standingOf(confirmed, 'a', EXPIRES, { isConnected: true }).unseen).toBeUndefined();
  });
});
