/** A peering that has lost both halves, of two clusters that are connected to a third one: no agent lacks a peer. */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { identityOf } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { expectedPeers } from '../../src/mesh/peers/peers.ts';
import type { RunAtWork } from '../../src/mesh/runs-at-work.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
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

/** What `status` says of it, and of which cluster. */
function faultsOf(clusters: readonly ClusterSnapshot[], more: Partial<StatusReport> = {}) {
  const reports = judged(clusters, () => more);
  const reasons = reasonsOf({ clusters: reports }).filter(({ id }) => id === 'peering-lost');
  return { faults: reports.flatMap(({ faults }) => faults.filter(({ id }) => id === 'peering-lost')), reasons };
}

function judged(clusters: readonly ClusterSnapshot[], more: (at: number) => Partial<StatusReport>): StatusReport[] {
  const polled = clusters.map((snapshot, at) => {
    const { context, namespace } = snapshot;
    const agents = { configured: 1, connected: 1, total: 1 };
    const report: StatusReport = {
      ...{ context, namespace, cluster: identityOf(snapshot.ciliumConfig ?? {}), healthy: true, enabled: true },
      ...{
        nodes: { total: 1, connected: 1 },
        kvstoremesh: { enabled: false, replicas: 0, connected: 0 },
        serves: [],
        problems: [],
        faults: [],
      },
      peers: expectedPeers(snapshot).map((name) => ({ name, agents })),
      ...more(at),
    };
    return { report, snapshot };
  });
  return judgeStanding(polled, NOW);
}

const LOST = [cluster(1, [3], [2, 3]), cluster(2, [3], [1, 3]), cluster(3, [1, 2], [1, 2])];

describe('of three clusters', () => {
  it('two that have lost each other are named by status too, once, though either has it', () => {
    const { faults, reasons } = faultsOf(LOST);
    expect(faults).toMatchObject([
      { context: 'c1', peer: 'mesh-2', outage: true },
      { context: 'c2', peer: 'mesh-1', outage: true },
    ]);
    expect(reasons).toMatchObject([{ says: expect.stringContaining('their peering has lost both halves') }]);
    expect(reasons[0]?.lead).toBeUndefined();
    expect(reasons[0]?.hint).toContain('meshctl clustermesh connect --context c1 --destination-context c2');
  });

  it('status does not say so of whom an invitation lets in, nor of what it may not read, nor of the spokes of a hub', () => {
    const invitations = [{ id: 'i', state: 'pending' }] as unknown as StatusReport['invitations'];
    expect(faultsOf(LOST, { invitations }).faults).toEqual([]);
    const unread = new Set(['Secret/kube-system/cilium-kvstoremesh']);
    expect(faultsOf(LOST.map((one) => ({ ...one, unread }))).faults).toEqual([]);
    expect(faultsOf([cluster(1, [3], [3]), cluster(2, [3], [3]), cluster(3, [1, 2], [1, 2])]).faults).toEqual([]);
  });

  it('status does not say so of two that one run which is at work in both just makes peers, and says once to wait for it', () => {
    const { since, until } = { since: NOW.toISOString(), until: new Date(NOW.getTime() + 60_000).toISOString() };
    const run: RunAtWork = { command: 'connect', host: 'jumphost', since, until };
    const peering = (...runs: RunAtWork[][]) =>
      judged(LOST, (at) => ({ runs: runs[at] })).filter(({ faults }) => faults.some(({ id }) => id === 'peering-lost'));
    expect(peering([run], [run])).toEqual([]);
    // Of others, and of one that has died, it is said as ever.
    for (const runs of [
      [[run]],
      [[run], [{ ...run, host: 'laptop' }]],
      [[{ ...run, stale: true as const }], [{ ...run, stale: true as const }]],
      [[{ ...run, command: 'disconnect' as const }], [{ ...run, command: 'disconnect' as const }]],
    ])
      expect(peering(...runs)).toHaveLength(2);
    // Two that have no other peer are told to be connected, each for itself.
    const alone = [cluster(1, [], [2]), cluster(2, [], [1]), cluster(3, [], [])];
    const reports = judged(alone, () => ({ runs: [run], peers: [], healthy: false }));
    const text = meshStatusText(evaluateMesh(reports, []), PLAIN).replaceAll(/\s+/g, ' ');
    expect(text.match(/Wait until connect on jumphost has ended/g), text).toHaveLength(1);
  });

  it('two that have lost each other are named once, with what connects them again', () => {
    const found = warningsOf(LOST);
    expect(found).toMatchObject([
      {
        severity: 'fail',
        cluster: 'c1',
        message:
          'context "c1": c1 and c2 let each other in, as peers do, and neither dials the other: their peering has lost both halves',
        hint: 'Either connect them again: meshctl clustermesh connect --context c1 --destination-context c2; or part c1 and c2, which no longer let each other in then: meshctl clustermesh disconnect --context c1 --destination-context c2',
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
