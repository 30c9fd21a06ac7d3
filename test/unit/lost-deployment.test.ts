import { describe, expect, it } from 'vitest';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { planMove } from '../../src/mesh/enable/effects/peer-move.ts';
import { lostChoices, settleEnable } from '../../src/mesh/enable/settings.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { apiserverDeployment, loadBalancerService, secretObject, snapshotOf } from '../support/snapshots.ts';

const direct = { 'mesh-2': remotePeerFile('mesh-2', { addresses: ['10.0.0.2:2379'] }, 'mesh-2.') };
const cached = { 'mesh-2': cachedPeerFile('kube-system') };
const byAgents = [secretObject('cilium-clustermesh', direct), secretObject('cilium-kvstoremesh', {})];
const byCache = [secretObject('cilium-clustermesh', cached), secretObject('cilium-kvstoremesh', direct)];
const halfway = [secretObject('cilium-clustermesh', direct), secretObject('cilium-kvstoremesh', direct)];
const withoutAgents = [secretObject('cilium-clustermesh', {}), secretObject('cilium-kvstoremesh', direct)];
const nobody = [secretObject('cilium-clustermesh', {}), secretObject('cilium-kvstoremesh', {})];

describe('a cluster whose Deployment is lost', () => {
  it.each<[string, typeof byAgents, boolean | undefined, boolean, object | undefined]>([
    ['by the agents', byAgents, undefined, false, undefined],
    ['by the agents, and is to by KVStoreMesh', byAgents, true, true, { to: 'kvstoremesh', peers: ['mesh-2'] }],
    ['by KVStoreMesh', byCache, undefined, true, undefined],
    [
      'by KVStoreMesh, and is to by the agents',
      byCache,
      false,
      false,
      { to: 'agents', peers: ['mesh-2'], running: false },
    ],
    ['by the agents, in the middle of a move', halfway, undefined, false, { to: 'agents', peers: [], running: false }],
    ['by KVStoreMesh, with files of the agents that are lost', withoutAgents, undefined, true, undefined],
    ['by nobody', nobody, undefined, true, undefined],
  ])('dials as before: %s', (_what, live, chosen, kvstoremesh, move) => {
    const snapshot = snapshotOf({ live });
    const settled = settleEnable(snapshot, requireIdentity(snapshot), { kvstoremesh: chosen });
    expect(settled.kvstoremesh).toBe(kvstoremesh);
    const planned = planMove(snapshot, settled.kvstoremesh, undefined);
    expect(planned).toEqual(move && expect.objectContaining(move));
    // What is copied is bound to what it was copied from.
    const write = planned?.before.write;
    if (write) expect(write).toMatchObject({ method: 'edit', basis: { data: { 'mesh-2': expect.any(String) } } });
  });

  it('has lost what was chosen of it, which is said; not one that never had any', () => {
    const users = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
    };
    const begun = [loadBalancerService('10.0.0.1'), secretObject('clustermesh-apiserver-server-cert', {})];
    const made = [...begun, users];
    const says = (chosen: Parameters<typeof lostChoices>[1]) => lostChoices(snapshotOf({ live: made }), chosen);
    expect(says({})).toContain('nothing else tells what was chosen of replicas, resources, ');
    expect(says({ replicas: 2 })).toContain('what was chosen of resources, ');
    const all = { replicas: 2, resources: {}, tolerations: [], image: 'a:1', pullSecrets: [], etcdStorage: 'disk' };
    expect(says({ ...all, settings: [] })).toBeUndefined();
    expect(lostChoices(snapshotOf({ live: [...made, apiserverDeployment()] }), {})).toBeUndefined();
    expect(lostChoices(snapshotOf({ live: made.slice(0, 1) }), {})).toBeUndefined();
    expect(lostChoices(snapshotOf({ live: byAgents }), {})).toBeUndefined();
    // A first enable that was interrupted; what has a peer was whole.
    expect(lostChoices(snapshotOf({ live: begun }), {})).toBeUndefined();
    expect(lostChoices(snapshotOf({ live: [...begun, ...byCache] }), {})).toContain('is missing');
  });
});
