import { describe, expect, it } from 'vitest';
import { COMPATIBILITY_CHECKS } from '../../src/mesh/checks/compatibility.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { identityOf } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { describeCluster, memberOf } from '../../src/mesh/invitation/described-cluster.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

type Overrides = Parameters<typeof snapshotOf>[0] & { config?: Record<string, string> };

/** Cluster mesh-<id> with pods in 10.<id>.0.0/16 and Services in 10.20<id>.0.0/16. */
function cluster(id: number, { config = {}, ...overrides }: Overrides = {}): ClusterSnapshot {
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...config },
    ciliumPodCidrs: [`10.${id}.0.0/24`],
    serviceCidrs: [`10.20${id}.0.0/16`],
    agent: { image: 'quay.io/cilium/cilium:v1.20.0', desired: 1, ready: 1 },
    nodes: [node(`192.0.2.${id}`)],
    ...overrides,
  });
}

const node = (address: string) => ({
  name: `node-${address}`,
  ready: true,
  labels: {},
  addresses: [{ type: 'InternalIP', address }],
  podCidrs: [],
});

/** The cluster as the other owner knows it: by its message, and by nothing else. */
function byMessage(snapshot: ClusterSnapshot): ClusterSnapshot {
  const identity = identityOf(snapshot.ciliumConfig ?? {});
  const described = describeCluster({ snapshot, identity, endpoints: [{ host: '203.0.113.1', port: 2379 }] }, 'PEM');
  // As it comes out of a document.
  return memberOf(JSON.parse(JSON.stringify(described)) as typeof described, []).snapshot;
}

const wrong = (clusters: readonly ClusterSnapshot[]) =>
  runChecks(COMPATIBILITY_CHECKS, { clusters, now: NOW })
    .filter(({ severity }) => severity === 'fail' || severity === 'warn')
    .map(({ id, severity }) => `${severity} ${id}`);

describe('a cluster that is known by its message', () => {
  const cases: [what: string, other: Overrides, expected: string[]][] = [
    ['that fits', {}, []],
    ['with the same pod ranges', { ciliumPodCidrs: ['10.1.0.0/24'] }, ['fail pod-cidr-overlap']],
    [
      'with the same pools',
      { config: { 'cluster-pool-ipv4-cidr': '10.1.0.0/16' }, ciliumPodCidrs: ['10.9.0.0/24'] },
      ['warn pod-cidr-overlap'],
    ],
    ['whose nodes have the same addresses', { nodes: [node('192.0.2.1')] }, ['fail node-address-overlap']],
    ['that routes natively', { config: { 'routing-mode': 'native' } }, ['fail datapath-mode']],
    ['with another tunnel', { config: { 'tunnel-protocol': 'geneve' } }, ['fail tunnel-protocol']],
    ['that encrypts', { config: { 'enable-wireguard': 'true' } }, ['fail encryption']],
    [
      'of another size of meshes',
      { config: { 'max-connected-clusters': '511' } },
      ['fail max-connected-clusters-equal'],
    ],
    ['with the same id', { config: { 'cluster-id': '1' } }, ['fail cluster-id-unique']],
    [
      'with an older Cilium',
      { agent: { image: 'quay.io/cilium/cilium:v1.17.0', desired: 1, ready: 1 } },
      ['warn policy-default-local-cluster', 'fail version-skew'],
    ],
  ];

  it.each(cases)('%s is judged as if it were read', (_what, other, expected) => {
    const snapshot = cluster(2, other);
    const judged = wrong([cluster(1), byMessage(snapshot)]);
    expect(judged).toEqual(wrong([cluster(1), snapshot]));
    expect(judged).toEqual(expected);
  });

  it.each([
    ['cluster-pool', { 'cluster-pool-ipv4-cidr': '10.2.0.0/16' }],
    ['multi-pool', {}],
    ['eni', {}],
  ])('has no pod ranges where nobody could read them, which is not none: ipam %s', (ipam, config) => {
    const unread = cluster(2, { config: { ...config, ipam }, ciliumPodCidrs: undefined });
    const reasonOf = (other: ClusterSnapshot) =>
      runChecks(COMPATIBILITY_CHECKS, { clusters: [cluster(1), other], now: NOW }).flatMap(
        ({ id, severity, cluster: of, args }) =>
          id === 'pod-cidr-overlap' && severity === 'skip' && of === other.context ? [args.reason] : [],
      );
    expect(reasonOf(byMessage(unread))).toEqual(reasonOf(unread));
    expect(reasonOf(unread)).toEqual([expect.stringContaining('its CiliumNodes ')]);
  });

  it('has no version where its image does not tell', () => {
    const agent = { image: 'registry.example/cilium@sha256:00', desired: 1, ready: 1 };
    expect(wrong([cluster(1), byMessage(cluster(2, { agent }))])).toEqual(wrong([cluster(1), cluster(2, { agent })]));
  });
});
