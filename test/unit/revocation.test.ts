import { describe, expect, it } from 'vitest';
import type { SignedMessage } from '../../src/mesh/invitation/message.ts';
import type { InvitationRecord } from '../../src/mesh/invitation/record.ts';
import { judgeRevocation, wayBackOf } from '../../src/mesh/invitation/revocation.ts';
import { perhapsLetIn } from '../../src/mesh/invitation/unreadable.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const PEER = { name: 'mesh-2', id: 2, ca: 'aa' };
const record = (more: Partial<InvitationRecord>): InvitationRecord => ({
  id: 'first',
  role: 'inviter',
  state: 'confirmed',
  issued: new Date('2026-05-01T12:00:00Z'),
  expires: new Date('2026-05-02T12:00:00Z'),
  peer: PEER,
  sent: {},
  sentDigest: '',
  endpoints: [],
  ...more,
});

interface Cluster {
  dials?: boolean;
  letsIn?: boolean;
  marks?: Record<string, string>;
}

function cluster({ dials = false, letsIn = false, marks = {} }: Cluster) {
  const secret = secretObject(
    'cilium-clustermesh',
    dials ? { 'mesh-2': 'endpoints:\n- https://192.0.2.2:2379\n' } : {},
  );
  const annotations = Object.fromEntries(Object.entries(marks).map(([kind, of]) => [`meshctl.io/${kind}.mesh-2`, of]));
  return snapshotOf({
    live: [{ ...secret, metadata: { ...secret.metadata, annotations } }],
    remoteUsers: letsIn ? [{ name: 'remote-mesh-2', role: 'remote' }] : [],
  });
}

const JOINED: Cluster = { dials: true, letsIn: true, marks: { joined: 'invitation' } };
const LATER = record({ id: 'second', issued: new Date('2026-05-03T12:00:00Z') });

describe('an invitation that is revoked', () => {
  it.each<[what: string, of: Partial<InvitationRecord>, Cluster, becomes: string, why?: string]>([
    ['invited: nobody has come', { state: 'invited', peer: undefined }, {}, 'nothing'],
    ['invited, of a peer that is connected', { state: 'invited', peer: undefined }, JOINED, 'nothing'],
    [
      'invited, and whose reply was being accepted',
      { state: 'invited' },
      { letsIn: true },
      'parted',
      'it was let in by this invitation, and may be connected by now',
    ],
    [
      'invited, and whose reply was being accepted, of a peer that is connected',
      { state: 'invited' },
      JOINED,
      'kept',
      'it was connected before this invitation, or just before that was written down',
    ],
    [
      'replied',
      { state: 'replied', role: 'guest' },
      { letsIn: true, marks: { access: 'let-in' } },
      'parted',
      'it was let in by this invitation, and may be connected by now',
    ],
    ['replied, and shut out since', { state: 'replied', role: 'guest' }, {}, 'nothing'],
    [
      'replied, of a peer that is connected',
      { state: 'replied', role: 'guest' },
      JOINED,
      'kept',
      'it was connected before this invitation',
    ],
    [
      'replied, of a peer that is served one-way',
      { state: 'replied', role: 'guest' },
      { letsIn: true, marks: { mode: 'served' } },
      'kept',
      'it was connected one-way, by no invitation',
    ],
    ['confirmed', {}, JOINED, 'parted', 'it is connected by this invitation'],
    ['confirmed, and disconnected since', {}, {}, 'nothing'],
    ['confirmed, and only let in since', {}, { letsIn: true }, 'parted', 'it is connected by this invitation'],
    [
      'confirmed, and connected otherwise since',
      {},
      { dials: true, letsIn: true },
      'kept',
      'it was reconnected without an invitation',
    ],
    ['joined', { role: 'guest', state: 'joined' }, JOINED, 'parted', 'it is connected by this invitation'],
    ['revoked', { role: 'guest', state: 'revoked' }, JOINED, 'nothing'],
  ])('%s', (_what, of, held, becomes, why) => {
    const verdict = judgeRevocation(record(of), [], cluster(held));
    expect(verdict).toEqual(becomes === 'nothing' ? { becomes } : { becomes, peer: 'mesh-2', why });
  });

  it('stays with whom a later one has let in, and only with them', () => {
    expect(judgeRevocation(record({}), [LATER], cluster(JOINED))).toEqual({
      becomes: 'kept',
      peer: 'mesh-2',
      why: 'it is connected by the later invitation second',
    });
    expect(judgeRevocation(LATER, [record({})], cluster(JOINED))).toMatchObject({ becomes: 'parted' });
    const ofAnother = { ...LATER, peer: { ...PEER, name: 'mesh-3' } };
    expect(judgeRevocation(record({}), [ofAnother], cluster(JOINED))).toMatchObject({ becomes: 'parted' });
    const unfinished: InvitationRecord = { ...LATER, role: 'guest', state: 'replied' };
    expect(judgeRevocation(record({}), [unfinished], cluster(JOINED))).toMatchObject({ becomes: 'parted' });
  });
});

describe('whom an invitation that cannot be read may have let in', () => {
  it.each<[what: string, Cluster, others: InvitationRecord[], string[]]>([
    ['nobody', {}, [], []],
    ['who is let in and not dialled', { letsIn: true }, [], ['mesh-2']],
    ['who is of another owner', JOINED, [], ['mesh-2']],
    ['not whom another one has let in', JOINED, [LATER], []],
    ['also whom one that was revoked had let in', { letsIn: true }, [record({ state: 'revoked' })], ['mesh-2']],
    ['not who is connected by one operator', { dials: true, letsIn: true }, [], []],
    ['not who was let in one-way, by choice', { letsIn: true, marks: { mode: 'served' } }, [], []],
  ])('%s', (_what, of, others, peers) => {
    expect(perhapsLetIn(cluster(of), others)).toEqual(peers);
  });
});

describe('what a message has left is taken back, or gone on from, without a peer losing what it had before', () => {
  const NEW: Cluster = { letsIn: true };
  it.each<[SignedMessage['step'], Cluster, command: string, resumes: boolean]>([
    ['invitation', NEW, 'disconnect --context one --peer mesh-2', false],
    ['reply', NEW, 'disconnect --context one --peer mesh-2', false],
    ['confirmation', NEW, 'disconnect --context one --peer mesh-2', false],
    ['invitation', JOINED, 'invitations revoke --context one 0123', false],
    ['reply', JOINED, 'invite --context one --peer mesh-2', true],
    ['confirmation', JOINED, 'invite --context one --peer mesh-2', true],
  ])('%s, %o', (step, of, command, resumes) => {
    const message = { step, id: '0123', cluster: { name: 'mesh-2' } } as SignedMessage;
    expect(wayBackOf(message, cluster(of))).toEqual({ command: `meshctl clustermesh ${command}`, resumes });
  });
});
