/** A peering that has lost both halves, of two clusters that are connected to a third one: no agent lacks a peer. */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const FILE = 'endpoints:\n- https://203.0.113.7:2379\n';

function cluster(id: number, dialled: readonly number[], letIn: readonly number[]): ClusterSnapshot {
  const files = Object.fromEntries(dialled.map((peer) => [`mesh-${peer}`, FILE]));
  const snapshot = snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [secretObject('cilium-clustermesh', files)],
  });
  return { ...snapshot, remoteUsers: letIn.map((peer) => ({ name: `remote-mesh-${peer}`, role: 'remote' })) };
}

function warningsOf(clusters: readonly ClusterSnapshot[]) {
  const checks = MESH_CHECKS.filter(({ id }) => id === 'tls-orphaned-users').map((check) => ({
    ...check,
    needs: [],
    saidBy: [],
  }));
  const observed = new Map(clusters.map(({ context }) => [context, { containers: [], nodes: [], invited: [] }]));
  const found = describeFindings(checks, runChecks(checks, { clusters, observed, now: NOW }));
  return found.filter(({ severity }) => severity !== 'pass');
}

describe('of three clusters', () => {
  it('two that have lost each other are named once, with what connects them again', () => {
    const found = warningsOf([cluster(1, [3], [2, 3]), cluster(2, [3], [1, 3]), cluster(3, [1, 2], [1, 2])]);
    expect(found).toMatchObject([
      {
        severity: 'warn',
        cluster: 'c1',
        message: expect.stringContaining('neither dials the other: their peering has lost both halves'),
        hint: expect.stringContaining('meshctl clustermesh connect --context c1 --destination-context c2'),
      },
    ]);
  });

  it('the spokes of a hub are no peers', () => {
    expect(warningsOf([cluster(1, [3], [3]), cluster(2, [3], [3]), cluster(3, [1, 2], [1, 2])])).toEqual([]);
  });

  it('one that still lets another one in, which has parted with it, has a user for nobody', () => {
    const found = warningsOf([cluster(1, [3], [2, 3]), cluster(2, [3], [3]), cluster(3, [1, 2], [1, 2])]);
    expect(found).toMatchObject([{ cluster: 'c1', message: expect.stringContaining('etcd user remote-mesh-2') }]);
  });
});
