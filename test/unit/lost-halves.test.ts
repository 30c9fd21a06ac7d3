/** Whose half of a peering is lost, and who is to have none. */
import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { undialledClients } from '../../src/mesh/peers/lost-halves.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

interface Given extends Partial<ClusterSnapshot> {
  dials?: string[];
  /** Keys that are in the agents' Secret beside. */
  keys?: Record<string, string>;
  chosen?: Record<string, 'unicast' | 'served'>;
}

function cluster(id: number, { dials = [], keys = {}, chosen = {}, ...more }: Given = {}): ClusterSnapshot {
  const files = Object.fromEntries(dials.map((peer) => [peer, 'endpoints:\n- https://203.0.113.7:2379\n']));
  const secret = secretObject('cilium-clustermesh', { ...files, ...keys });
  const marks = Object.entries(chosen).map(([peer, mode]) => marksFor(peer, { mode }) as Record<string, string>);
  secret.metadata.annotations = Object.assign({}, ...marks);
  return snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [secret],
    ...more,
  });
}

const lettingIn = (...peers: string[]) => ({
  remoteUsers: peers.map((peer) => ({ name: `remote-${peer}`, role: 'remote' })),
});
const dialling = (given: Given = {}) => cluster(1, { dials: ['mesh-2'], ...given });

describe('a cluster that does not dial back', () => {
  it.each<[what: string, client: ClusterSnapshot, server: ClusterSnapshot, isLost: boolean]>([
    ['has lost its half', dialling(), cluster(2, lettingIn('mesh-1')), true],
    ['has lost it, where users are not known', dialling(), cluster(2), true],
    ['has lost it, while it dials another one', dialling(), cluster(2, { dials: ['mesh-3'] }), true],
    [
      'is not to, as both have it on record',
      dialling({ chosen: { 'mesh-2': 'unicast' } }),
      cluster(2, { chosen: { 'mesh-1': 'served' } }),
      false,
    ],
    ['is not to, as one of them has it on record', dialling(), cluster(2, { chosen: { 'mesh-1': 'served' } }), false],
    ['is not to, as the other one has', dialling({ chosen: { 'mesh-2': 'unicast' } }), cluster(2), false],
    ['has parted with it by itself', dialling(), cluster(2, lettingIn('mesh-3')), false],
    ['has a certificate for it still', dialling(), cluster(2, { keys: { 'mesh-1.etcd-client.crt': 'x' } }), false],
    ['is not dialled either', cluster(1), cluster(2, lettingIn('mesh-1')), false],
    ['dials it', dialling(), cluster(2, { dials: ['mesh-1'] }), false],
    ...['cilium-clustermesh', 'cilium-kvstoremesh'].map((name): [string, ClusterSnapshot, ClusterSnapshot, boolean] => [
      `may do so by Secret ${name}, which may not be read`,
      dialling(),
      cluster(2, { unread: new Set([keyOf(secretRef('kube-system', name))]) }),
      false,
    ]),
  ])('%s', (_what, client, server, isLost) => {
    expect(undialledClients(server, [client]).length > 0).toBe(isLost);
  });
});
