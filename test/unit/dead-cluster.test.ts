import { expect, it } from 'vitest';
import {
  type DisconnectOfDead,
  forgetEach,
  isForgottenOne,
  nameOfDead,
  namesAtPeer,
  withWayOut,
} from '../../src/mesh/connect/disconnect/dead-cluster.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import { remoteUserName } from '../../src/mesh/peers/file/peer-config.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const ERROR = new MeshctlError('ClusterUnreachable', 'cannot reach it', { hint: 'Is it up?' });
const FORGET = 'meshctl clustermesh disconnect --context a --peer';
const knowing = (...peers: string[]) => [
  snapshotOf({ context: 'a', remoteUsers: peers.map((peer) => ({ name: remoteUserName(peer), role: 'remote' })) }),
];

const OF_A: Pick<DisconnectOfDead, 'source' | 'mode' | 'others'> = { source: 'a', mode: 'bidirectional', others: [] };
const BY_NAME = 'forget it by its name';

const BOTH: Partial<DisconnectOfDead> = {
  source: undefined,
  mode: 'mesh',
  alive: ['a', 'b'].flatMap((context) => knowing('mesh-2').map((one) => ({ ...one, context }))),
};

it.each<[dead: string, peers: string[], says: string, of?: Partial<DisconnectOfDead>]>([
  ['mesh-2', ['mesh-2', 'mesh-3'], `if that cluster is gone for good, forget it: ${FORGET} mesh-2`],
  ['two', ['mesh-2'], `if that cluster is gone for good, ${BY_NAME}, if it is mesh-2: ${FORGET} mesh-2`],
  ['two', ['mesh-2', 'mesh-3'], `${BY_NAME}, if it is mesh-2: ${FORGET} mesh-2; or if it is mesh-3: ${FORGET} mesh-3`],
  [
    'two',
    ['mesh-2', 'mesh-3', 'mesh-4', 'mesh-5'],
    `${BY_NAME}, which is one of mesh-2, mesh-3, mesh-4 and mesh-5, with "clustermesh disconnect --peer" in context "a"`,
  ],
  ['two', ['mesh-2'], `${FORGET} mesh-2 --connection-mode unicast`, { mode: 'unicast' }],
  ['two', ['mesh-2'], `${FORGET} mesh-2`, { source: undefined, mode: 'mesh' }],
  ['two', ['mesh-2'], 'disconnect --context a,b --peer mesh-2', BOTH],
  ['mesh-2', ['mesh-2'], 'add --force: the others forget it', { source: undefined, mode: 'mesh' }],
  ['two', [], 'if that cluster is gone for good, nothing of it is left to take out'],
])('a destination %s that may be gone, beside peers %j, is forgotten by its name', (dead, peers, says, of) => {
  const { hint } = withWayOut(ERROR, dead, { ...OF_A, alive: knowing(...peers), ...of });
  expect(hint?.slice(-says.length)).toBe(says);
});

it.each<[what: string, context: string, code: ErrorCode, read: string[], is: boolean]>([
  ['is', 'mesh-2', 'ClusterUnreachable', ['mesh-1'], true],
  ['is, if its Cilium is gone,', 'mesh-2', 'CiliumMissing', ['mesh-1'], true],
  ['of another name is not', 'two', 'ClusterUnreachable', ['mesh-1'], false],
  ['that refuses is not', 'mesh-2', 'Forbidden', ['mesh-1'], false],
  ['is not where that one answers by another context', 'mesh-2', 'ClusterUnreachable', ['mesh-1', 'mesh-2'], false],
])('a silent context %s the peer that is forgotten', (_what, context, code, names, is) => {
  const read = names.map((name) => snapshotOf({ ciliumConfig: { 'cluster-name': name, 'cluster-id': '2' } }));
  expect(isForgottenOne({ context, error: new MeshctlError(code, 'no') }, ['mesh-2'], read)).toBe(is);
});

it('a context that does not answer is no peer but the one of its name: the only other one may be alive', () => {
  expect(nameOfDead('mesh-2', { ...OF_A, alive: knowing('mesh-2', 'mesh-3') })).toBe('mesh-2');
  expect(() => nameOfDead('two', { ...OF_A, alive: knowing('mesh-2') })).toThrow(/not known which peer it is/);
});

it.each([
  ['none is known', [], []],
  ['those that are known are alive', ['mesh-3'], ['mesh-3']],
])('a dead cluster that an earlier run has forgotten is taken for no other: %s', (_what, known, read) => {
  const others = read.map((name) => snapshotOf({ ciliumConfig: { 'cluster-name': name, 'cluster-id': '3' } }));
  expect(nameOfDead('mesh-2', { ...OF_A, alive: knowing(...known), others })).toBe('mesh-2');
  expect(() => nameOfDead('mesh-2', { ...OF_A, alive: knowing(...known, 'mesh-4'), others })).toThrow(
    expect.objectContaining({
      hint: `Unless it is forgotten already, ${BY_NAME}, if it is mesh-4: ${FORGET} mesh-4`,
    }),
  );
});

it.each<[what: string, known: string[] | undefined, names: string[] | undefined]>([
  ['that was not read is not known to have forgotten the cluster', undefined, undefined],
  ['that knows the cluster still goes on', ['mesh-1', 'mesh-3'], ['mesh-1']],
  ['that knows it no more, as one that was disabled, does not', ['mesh-3'], []],
])('a peer %s', (_what, known, names) => {
  const other = (name: string, peers: readonly string[]) =>
    snapshotOf({
      context: name,
      ciliumConfig: { 'cluster-name': name, 'cluster-id': '2' },
      remoteUsers: peers.map((peer) => ({ name: remoteUserName(peer), role: 'remote' })),
    });
  const others = [other('mesh-3', ['mesh-1']), ...(known ? [other('mesh-2', known)] : [])];
  expect(namesAtPeer('mesh-2', snapshotOf({}), others)).toEqual(names);
});

it.each<[what: string, key: string, users: string[], around: string[], names: string[] | undefined]>([
  ['is no peering file, is nobody', 'junk', [], [], []],
  ['was one, as a user tells, may go on', 'junk', ['remote-junk'], [], undefined],
  ['may have been one, since another cluster knows that name, may go on', 'junk', [], ['remote-junk'], undefined],
])('a peer of which there is a key that %s', (_what, key, own, around, names) => {
  const users = (list: string[]) => list.map((name) => ({ name, role: 'remote' }));
  const live = [secretObject('cilium-clustermesh', { [key]: 'hello' })];
  const snapshot = snapshotOf({ live, remoteUsers: users(own) });
  const other = snapshotOf({
    ...{ context: 'c', ciliumConfig: { 'cluster-name': 'mesh-3', 'cluster-id': '3' }, remoteUsers: users(around) },
  });
  expect(namesAtPeer(key, snapshot, [other])).toEqual(names);
});

it('clusters that forget the same peers are told one command, and those that forget others one of their own', () => {
  const all = [
    { context: 'a', peers: ['x'] },
    { context: 'b', peers: ['x', 'y'] },
    { context: 'c', peers: [] },
    { context: 'd', peers: ['x'] },
  ];
  expect(forgetEach(all, ['--yes'])).toEqual([
    'meshctl clustermesh disconnect --context a,d --peer x --yes',
    'meshctl clustermesh disconnect --context b --peer x,y --yes',
  ]);
});
