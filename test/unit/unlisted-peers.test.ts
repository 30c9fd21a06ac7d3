import { expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { unlistedPeers } from '../../src/mesh/faults/user-faults.ts';
import { type KubeObject, keyOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import { apiserverDeployment, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

interface Given {
  /** Peers that mesh-1 dials, with a certificate of its own for each unless `shared`. */
  dials?: string[];
  shared?: boolean;
  users?: string[];
  chosen?: Record<string, 'unicast' | 'served'>;
  makesUsers?: boolean;
  more?: Partial<ClusterSnapshot>;
}

function cluster({ dials = [], shared = false, users = [], chosen = {}, makesUsers = true, more }: Given) {
  const file = (peer: string) =>
    remotePeerFile(peer, { addresses: ['203.0.113.7:2379'] }, shared ? 'common-' : `${peer}.`);
  const secret = secretObject('cilium-clustermesh', Object.fromEntries(dials.map((peer) => [peer, file(peer)])));
  const marks = Object.entries(chosen).map(([peer, mode]) => marksFor(peer, { mode }) as Record<string, string>);
  secret.metadata.annotations = Object.assign({}, ...marks);
  const remoteUsers = users.map((name) => ({ name, role: 'remote' }));
  const list: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
    data: { 'users.yaml': remoteUsersFile(remoteUsers) },
  };
  const own = tlsFacts('ca', { commonName: 'remote-mesh-1' });
  return snapshotOf({
    live: [secret, list, apiserverDeployment({ users: makesUsers })],
    remoteUsers,
    ...(shared ? {} : { peerCertificates: new Map(dials.map((peer) => [peer, own])) }),
    ...more,
  });
}

const named = (given: Given, others: ClusterSnapshot[] = []) =>
  unlistedPeers(cluster(given), others).map(({ peer, isSure }) => `${peer}${isSure ? '' : '?'}`);
const served = { 'mesh-3': 'served' } as const;

it.each<[string, Given, string[]]>([
  ['one that is let in as recorded', { dials: ['mesh-2'], users: ['remote-mesh-2'], chosen: served }, ['mesh-3']],
  ['one that is dialled', { dials: ['mesh-2', 'mesh-3'], users: ['remote-mesh-2'] }, ['mesh-3?']],
  ['all that are dialled, where the list is empty and the CA can issue', { dials: ['mesh-2'] }, ['mesh-2?']],
  ['nobody who has a user', { dials: ['mesh-2'], users: ['remote-mesh-2', 'remote-mesh-3'], chosen: served }, []],
  ['nobody who is dialled one-way, as chosen', { dials: ['mesh-2'], chosen: { 'mesh-2': 'unicast' } }, []],
  ['nobody where certificates are shared', { dials: ['mesh-2'], shared: true, chosen: served }, []],
  ['nobody where nothing shows that peers have users', { chosen: served }, []],
  ['nobody whose certificate the CA could not issue', { dials: ['mesh-2'], more: { ca: undefined } }, []],
  ['nobody where no users are made', { dials: ['mesh-2'], chosen: served, makesUsers: false }, []],
  [
    'nobody where the choices may not be read',
    { dials: ['mesh-2'], more: { unread: new Set([keyOf(secretRef('kube-system', 'cilium-clustermesh'))]) } },
    [],
  ],
])('a list of users leaves out %s', (_title, given, expected) => {
  expect(named(given)).toEqual(expected);
});

it('is silent of peers that were read: how they log in, they tell', () => {
  const other = snapshotOf({ context: 'two', ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' } });
  expect(named({ dials: ['mesh-2'] }, [other])).toEqual([]);
});
