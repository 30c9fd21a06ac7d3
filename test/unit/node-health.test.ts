/** What cilium-health has lost is told once for each cut, and by its cause where that is no cut. */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { HealthProblem, MeshCheckInput, NodeHealth } from '../../src/mesh/checks/shared/mesh-input.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const FILE = 'endpoints:\n- https://203.0.113.7:2379\n';

function cluster(id: number, peers: readonly number[], settings: Record<string, string> = {}): ClusterSnapshot {
  const files = Object.fromEntries(peers.map((peer) => [`mesh-${peer}`, FILE]));
  return snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...settings },
    agent: { image: 'quay.io/cilium/cilium:v1.20.0', desired: 1, ready: 1 },
    live: [secretObject('cilium-clustermesh', files)],
  });
}

/** Every cluster dials every other one. */
const meshOf = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    cluster(
      index + 1,
      Array.from({ length: count }, (_none, other) => other + 1).filter((other) => other !== index + 1),
    ),
  );

/** What one node says of one of each other cluster, some of which are lost. */
function healthOf(count: number, own: number, lost: readonly number[], of: HealthProblem['of']): NodeHealth[] {
  return Array.from({ length: count }, (_, index) => index + 1)
    .filter((id) => id !== own)
    .map((id) => ({
      ...{ node: `mesh-${id}/node-1`, probed: true, unprobed: [] },
      problems: lost.includes(id)
        ? (['icmp', 'http'] as const).map((probe) => ({ of, probe, address: '', says: 'timed out' }))
        : [],
    }));
}

function inputOf(
  clusters: readonly ClusterSnapshot[],
  lost: Readonly<Record<number, readonly number[]>>,
  of: HealthProblem['of'] = 'node',
  statuses: Readonly<Record<number, StatusReport>> = {},
): MeshCheckInput {
  const observed = clusters.map(({ context }, index) => {
    const health = healthOf(clusters.length, index + 1, lost[index + 1] ?? [], of);
    const status = statuses[index + 1];
    return [context, { containers: [], nodes: [{ node: 'n1', health }], ...(status ? { status } : {}) }] as const;
  });
  return { clusters, now: NOW, observed: new Map(observed) };
}

function failuresOf(input: MeshCheckInput, ids: readonly string[] = ['node-health']) {
  const checks = MESH_CHECKS.filter(({ id }) => ids.includes(id)).map((check) => ({ ...check, needs: [], saidBy: [] }));
  return describeFindings(checks, runChecks(checks, input)).filter(({ severity }) => severity === 'fail');
}

describe('a cut', () => {
  it.each([
    ['seen from both its ends', 2, { 1: [2], 2: [1] }, [['c1', 'c2']]],
    ['between one cluster and all others', 3, { 1: [2, 3], 2: [1], 3: [1] }, [['c1', 'c2', 'c3']]],
    [
      'of two that have nothing in common',
      4,
      { 1: [2], 2: [1], 3: [4], 4: [3] },
      [
        ['c1', 'c2'],
        ['c3', 'c4'],
      ],
    ],
    ['seen from one end alone', 2, { 1: [2] }, ['c1']],
    ['seen from one end alone, by two', 3, { 1: [3], 2: [3] }, [['c1', 'c2']]],
  ])('%s is told once', (_what, count, lost, where) => {
    const found = failuresOf(inputOf(meshOf(count), lost));
    expect(found.map(({ cluster: context, args }) => context ?? args.contexts)).toEqual(where);
  });

  it('has a case of each direction, and a probe of all its ends', () => {
    const [found] = failuresOf(inputOf(meshOf(3), { 1: [2, 3], 2: [1], 3: [1] }));
    expect(found?.args.cases).toEqual([
      'n1 to mesh-2/node-1 (node icmp: timed out; node http: timed out)',
      'n1 to mesh-3/node-1 (node icmp: timed out; node http: timed out)',
      'n1 to mesh-1/node-1 (node icmp: timed out; node http: timed out)',
    ]);
    expect(found?.message).toMatch(/^contexts c1, c2, c3: .*; and 1 more$/);
    expect(found?.hint).toMatch(/firewalls.*: meshctl connectivity probe --context c1,c2,c3$/);
  });
});

describe('a health endpoint that does not answer', () => {
  const half = (settings: Record<string, string> = {}) => [cluster(1, [2], settings), cluster(2, [], settings)];

  it('blames no network where its cluster does not dial back, and points to what says so', () => {
    const both = failuresOf(inputOf(half(), { 1: [2] }, 'endpoint'), ['node-health', 'peers-mutual']);
    expect(both.map(({ id }) => id)).toEqual(['peers-mutual']);
    const [alone] = failuresOf(inputOf(half(), { 1: [2] }, 'endpoint'));
    expect(alone).toMatchObject({
      message: expect.stringContaining('mesh-2 is not connected to mesh-1, so that'),
      hint: 'Find the cause: meshctl clustermesh check --context c1,c2',
    });
  });

  it.each([
    ['its node does not answer either', half(), 'node'],
    ['packets are routed natively', half({ 'routing-mode': 'native' }), 'endpoint'],
    ['its cluster dials back', meshOf(2), 'endpoint'],
  ] as const)('blames it all the same where %s', (_what, clusters, of) => {
    const [found] = failuresOf(inputOf(clusters, { 1: [2] }, of), ['node-health']);
    expect(found?.hint).toContain('firewall');
  });

  const reportOf = (connected: number, nodes: readonly string[]): StatusReport => ({
    ...{ context: 'c2', namespace: 'kube-system', cluster: { name: 'mesh-2', id: 2 }, healthy: connected === 2 },
    ...{ enabled: true, nodes: { total: 2, connected }, serves: [], faults: [] },
    kvstoremesh: { enabled: false, replicas: 0, connected: 0 },
    peers: [{ name: 'mesh-1', agents: { configured: 2, connected, total: 2 } }],
    problems:
      connected === 2
        ? []
        : [{ peer: 'mesh-1', component: 'agent', class: 'timed-out', message: '', nodes: [...nodes] }],
  });

  it.each([
    ['its agent lacks the cluster', 1, ['node-1'], 'Find the cause'],
    ['another agent of its cluster does', 1, ['node-2'], 'firewall'],
    ['none does', 2, [], 'firewall'],
  ])('goes by what agents say of it: %s', (_what, connected, nodes, hint) => {
    const input = inputOf(meshOf(2), { 1: [2] }, 'endpoint', { 2: reportOf(connected, nodes) });
    expect(failuresOf(input)[0]?.hint).toContain(hint);
  });
});

describe('a peer that was not read, and lets this cluster in no more', () => {
  const shutOut = (kind: 'permission-denied' | 'timed-out'): MeshCheckInput => {
    const [one] = meshOf(2) as [ClusterSnapshot, ClusterSnapshot];
    const status: StatusReport = {
      ...{ context: 'c1', namespace: 'kube-system', cluster: { name: 'mesh-1', id: 1 }, healthy: false },
      ...{ enabled: true, nodes: { total: 1, connected: 0 }, serves: [], faults: [] },
      kvstoremesh: { enabled: false, replicas: 0, connected: 0 },
      peers: [{ name: 'mesh-2', agents: { configured: 1, connected: 0, total: 1 } }],
      problems: [{ peer: 'mesh-2', component: 'agent', class: kind, message: '', nodes: ['n1'] }],
    };
    const health = healthOf(2, 1, [2], 'endpoint');
    return {
      clusters: [one],
      now: NOW,
      observed: new Map([['c1', { containers: [], nodes: [{ node: 'n1', health }], status }]]),
    };
  };

  it('has no way back for answers of its pods: no network is blamed beside what says so', () => {
    const found = failuresOf(shutOut('permission-denied'), ['node-health', 'peers-connected']);
    expect(found.map(({ id }) => id)).toEqual(['peers-connected']);
    const [alone] = failuresOf(shutOut('permission-denied'));
    expect(alone?.message).toContain('mesh-2 is not connected to mesh-1, so that');
    expect(alone?.hint).not.toContain('firewall');
    expect(failuresOf(shutOut('timed-out'))[0]?.hint).toContain('firewall');
  });
});

describe('a node that is gone', () => {
  const nodesOf = (...names: string[]) =>
    names.map((name) => ({ name, ready: true, labels: {}, addresses: [], podCidrs: [] }));

  it('is said to be gone where its CiliumNode stays: no network is blamed, and a packet would show nothing', () => {
    const [one, two] = meshOf(2) as [ClusterSnapshot, ClusterSnapshot];
    const input = inputOf([one, { ...two, nodes: nodesOf('node-2') }], { 1: [2] });
    const check = MESH_CHECKS.filter(({ id }) => id === 'node-health').map((one) => ({
      ...one,
      needs: [],
      saidBy: [],
    }));
    const found = describeFindings(check, runChecks(check, input));
    expect(found.map(({ severity, cluster: context }) => [severity, context])).toEqual([['warn', 'c1']]);
    expect(found[0]?.message).toContain('mesh-2 has no Node node-1 any more, only the CiliumNode');
    expect(found[0]?.hint).toMatch(/kubectl --context c2 delete ciliumnode node-1$/);
    expect(found[0]?.hint).not.toContain('probe');
  });

  it.each([
    ['is there', nodesOf('node-1', 'node-2')],
    ['is of a cluster whose nodes were not read', []],
  ])('is not said to be gone where it %s', (_where, nodes) => {
    const [one, two] = meshOf(2) as [ClusterSnapshot, ClusterSnapshot];
    expect(failuresOf(inputOf([one, { ...two, nodes }], { 1: [2] }))).toHaveLength(1);
  });
});
