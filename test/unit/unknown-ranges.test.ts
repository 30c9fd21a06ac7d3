import { describe, expect, it } from 'vitest';
import { ADDRESS_CHECKS } from '../../src/mesh/checks/addresses.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { givenToNodes } from '../../src/mesh/cilium/nodes.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { unknownRangeNotes } from '../../src/mesh/connect/unknown-ranges.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

const nodeWith = (...podCidrs: string[]) => [
  { name: 'n', ready: true, labels: {}, addresses: [{ type: 'InternalIP', address: '172.18.0.1' }], podCidrs },
];

function clusterOf(name: string, settings: Record<string, string>, facts: Partial<ClusterSnapshot> = {}) {
  return snapshotOf({
    context: name,
    ciliumConfig: { 'cluster-name': name, ...settings },
    ciliumPodCidrs: [],
    ...facts,
  });
}

const found = (id: string, clusters: readonly ClusterSnapshot[]) =>
  runChecks(
    ADDRESS_CHECKS.filter((check) => check.id === id),
    { clusters, now: NOW },
  );

describe('pods that have their addresses from another plugin', () => {
  const PLUGIN = { ipam: 'delegated-plugin' };
  const OTHER = clusterOf('b', { ipam: 'kubernetes' }, { ciliumPodCidrs: ['10.2.0.0/24'], nodes: nodeWith() });
  const severities = (facts: Partial<ClusterSnapshot>) =>
    found('pod-cidr-overlap', [clusterOf('a', PLUGIN, facts), OTHER]).map(({ severity }) => severity);

  it.each<[string, Partial<ClusterSnapshot>, string[], number]>([
    ['nothing is known', { nodes: nodeWith() }, ['skip', 'skip'], 1],
    ['nodes have ranges', { nodes: nodeWith('10.1.0.0/24') }, ['pass'], 0],
    ['nodes have those of the other', { nodes: nodeWith('10.2.0.0/24') }, ['fail'], 0],
    [
      'pods have addresses of the ranges of nodes',
      { nodes: nodeWith('10.1.0.0/24'), endpointAddresses: ['10.1.0.7'] },
      ['pass'],
      0,
    ],
    ['pods have addresses of the other', { nodes: nodeWith(), endpointAddresses: ['10.2.0.7'] }, ['fail', 'skip'], 0],
    [
      'nothing but addresses is known',
      { nodes: nodeWith('10.1.0.0/24'), endpointAddresses: ['10.9.0.7'] },
      ['skip', 'pass'],
      0,
    ],
    [
      'the ranges of nodes are those of the other, and pods have none of them',
      { nodes: nodeWith('10.2.0.0/24'), endpointAddresses: ['10.9.0.7'] },
      ['skip', 'pass'],
      0,
    ],
  ])('%s', (_, facts, wanted, notes) => {
    const severity = severities(facts);
    expect([...severity].sort()).toEqual([...wanted].sort());
    expect(unknownRangeNotes([clusterOf('a', PLUGIN, facts), OTHER])).toHaveLength(notes);
  });

  it('what is not known is said with the way to be let look', () => {
    const cluster = clusterOf('a', PLUGIN, { nodes: nodeWith(), podRangesRefused: 'Grant it.' });
    expect(unknownRangeNotes([cluster])).toEqual([
      expect.stringMatching(/^context "a": another plugin .* it was not looked whether .* → Grant it\.$/),
    ]);
  });
});

describe('pods of another network than that of an agent', () => {
  const OTHER = clusterOf('b', { ipam: 'kubernetes', 'routing-mode': 'native' }, { ciliumPodCidrs: ['10.2.0.0/24'] });
  const judged = (settings: Record<string, string>, networkCidrs: string[] | undefined) =>
    found('native-routing-cidr', [clusterOf('a', { 'routing-mode': 'native', ...settings }, { networkCidrs }), OTHER])
      .filter(({ cluster }) => cluster === 'a' || cluster === undefined)
      .map(({ severity }) => severity)[0];

  it.each<[Record<string, string>, string[] | undefined, string]>([
    [{ ipam: 'eni' }, ['10.1.0.0/16'], 'warn'],
    [{ ipam: 'alibabacloud' }, ['10.1.0.0/16'], 'warn'],
    [{ ipam: 'azure' }, ['10.1.0.0/16'], 'warn'],
    [{ ipam: 'eni' }, ['10.0.0.0/8'], 'pass'],
    [{ ipam: 'eni', 'ipv4-native-routing-cidr': '10.0.0.0/8' }, ['10.1.0.0/16'], 'pass'],
    [{ ipam: 'eni', 'enable-ipv4-masquerade': 'false' }, ['10.1.0.0/16'], 'skip'],
    [{ ipam: 'eni' }, undefined, 'skip'],
    [{ ipam: 'cluster-pool' }, ['10.1.0.0/16'], 'skip'],
  ])('%j with %j: %s', (settings, networks, severity) => {
    expect(judged(settings, networks)).toBe(severity);
  });

  it('is known by the CiliumNodes of each cloud', () => {
    const nodeOf = (spec: object, status: object): KubeObject => ({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNode',
      metadata: { name: 'n' },
      spec,
      status,
    });
    const networks = (spec: object, status: object) => givenToNodes([nodeOf(spec, status)]).networks;
    const eni = { enis: { one: { vpc: { id: 'vpc-1', 'primary-cidr': '10.1.0.0/16' } } } };
    expect(networks({}, { eni })).toEqual(['10.1.0.0/16']);
    const alibaba = { enis: { one: { vpc: { 'vpc-id': 'v' } } } };
    expect(networks({ 'alibaba-cloud': { 'cidr-block': '10.3.0.0/16' } }, { 'alibaba-cloud': alibaba })).toEqual([
      '10.3.0.0/16',
    ]);
    expect(networks({}, { azure: { interfaces: [{ cidr: '10.4.0.0/16' }] } })).toEqual(['10.4.0.0/16']);
    expect(networks({ ipam: {} }, {})).toEqual([]);
  });
});
