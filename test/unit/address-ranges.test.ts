import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { knownRanges, podRangesTo } from '../../src/mesh/cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { readServiceCidrs } from '../../src/snapshot/pod-addresses.ts';
import { NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

const check = MESH_CHECKS.filter(({ id }) => id === 'service-address-overlap');
const pods = (context: string, cidr: string, more: Partial<ClusterSnapshot> & { live?: KubeObject[] } = {}) =>
  snapshotOf({ context, ciliumPodCidrs: [cidr], ...more });
const judged = (one: ClusterSnapshot) =>
  runChecks(check, { clusters: [one, pods('two', '10.96.0.0/24')], now: NOW, observed: new Map() }).filter(
    ({ cluster }) => cluster === 'one',
  );

describe('service-address-overlap', () => {
  const live = [serviceObject({ clusterIPs: ['10.96.0.9'] })];

  it.each([
    [
      'ServiceCIDRs',
      { serviceCidrs: ['fd00::/112', '10.96.0.0/16'] },
      'by its ServiceCIDRs',
      '10.96.0.0/16 and 10.96.0.0/24',
    ],
    [
      'the one address that is known',
      { live },
      "of its Service range only the clustermesh-apiserver's address is known",
      '10.96.0.0/24',
    ],
  ])('goes by %s', (_what, more, knownFrom, overlap) => {
    const [finding] = judged(pods('one', '10.1.0.0/24', more));
    expect(finding).toMatchObject({
      severity: 'warn',
      args: { knownFrom, overlaps: [expect.stringContaining(overlap)] },
    });
  });

  it('goes by both families where there is no cilium-config that says which are on', () => {
    const ranges = ['fd00:10:96::/112', '10.96.0.0/16'];
    for (const [cidr, ipv6] of [
      ['10.96.0.0/24', 'false'],
      ['fd00:10:96::/120', 'true'],
    ] as const) {
      const config = { 'cluster-name': 'two', 'cluster-id': '2', ipam: 'multi-pool', 'enable-ipv6': ipv6 };
      const one = { ...pods('one', '10.1.0.0/24', { serviceCidrs: ranges }), ciliumConfig: undefined };
      const clusters = [one, pods('two', cidr, { ciliumConfig: config })];
      const found = runChecks(check, { clusters, now: NOW, observed: new Map() });
      expect(found.find(({ cluster }) => cluster === 'one')).toMatchObject({
        ...{ severity: 'warn', args: { overlaps: [expect.stringContaining(cidr)] } },
      });
    }
  });

  it('believes ServiceCIDRs rather than one address', () => {
    expect(judged(pods('one', '10.1.0.0/24', { live, serviceCidrs: ['172.20.0.0/16'] }))).toEqual([]);
  });

  it.each([
    ['neither tells', {}],
    ['one address is known, and meets nothing', { live: [serviceObject({ clusterIPs: ['172.20.0.9'] })] }],
  ])('is skipped where %s, with the reason', (_what, more) => {
    const reason = expect.stringContaining('no ServiceCIDR of it could be read');
    expect(judged(pods('one', '10.1.0.0/24', more))).toMatchObject([{ severity: 'skip', args: { reason } }]);
  });
});

describe('pod-cidr-overlap', () => {
  const ofPods = MESH_CHECKS.filter(({ id }) => id === 'pod-cidr-overlap');
  const ipam = (mode: string) => ({ ciliumConfig: { 'cluster-name': 'one', 'cluster-id': '1', ipam: mode } });

  it.each<[string, Partial<ClusterSnapshot>, string | undefined]>([
    ['all of it was read', { ...ipam('multi-pool'), podPools: ['10.8.0.0/16'] }, undefined],
    ['pools may not be listed', { ...ipam('multi-pool'), podPools: undefined }, 'its CiliumPodIPPools'],
    [
      'nodes may not be listed',
      { ...ipam('multi-pool'), ciliumPodCidrs: undefined, podPools: ['10.8.0.0/16'] },
      'its CiliumNodes',
    ],
    ['there are no pools', { ...ipam('kubernetes'), podPools: undefined }, undefined],
  ])('where %s, that is what it passes', (_what, more, reason) => {
    const clusters = [pods('one', '10.1.0.0/24', more), pods('two', '10.2.0.0/24')];
    const found = runChecks(ofPods, { clusters, now: NOW, observed: new Map() });
    const skips =
      reason === undefined
        ? []
        : [{ severity: 'skip', cluster: 'one', args: { reason: expect.stringContaining(reason) } }];
    expect(found).toMatchObject([{ severity: 'pass' }, ...skips]);
  });
});

describe('a family that Cilium has off', () => {
  const SIX = 'fd00:10:244::/56';
  const MODES = ['kubernetes', 'cluster-pool', 'multi-pool', 'crd', 'eni', 'azure', 'alibabacloud', 'delegated-plugin'];
  /** Where Kubernetes, pools and subnets have IPv6, the same in all clusters. */
  const dual = (number: number, ipam: string, hasIpv6: boolean): ClusterSnapshot => {
    const four = `10.${number}.0.0/16`;
    const cidrs = [four, SIX];
    const bare = snapshotOf({ context: `c${number}` });
    return {
      ...bare,
      ciliumConfig: {
        'cluster-name': `c${number}`,
        'cluster-id': String(number),
        ipam,
        'routing-mode': 'native',
        'enable-ipv6': String(hasIpv6),
        'cluster-pool-ipv4-cidr': four,
        'cluster-pool-ipv6-cidr': SIX,
        'ipv6-native-routing-cidr': 'fd99::/16',
      },
      nodes: bare.nodes.map((node, index) => ({
        ...node,
        addresses: [{ type: 'InternalIP', address: `172.18.${number}.${index}` }],
        podCidrs: cidrs,
      })),
      ciliumPodCidrs: cidrs,
      podPools: cidrs,
      podSubnets: cidrs.map((cidr) => ({ cidr })),
      endpointAddresses: [`10.${number}.0.1`, 'fd00:10:244::1'],
      serviceCidrs: ['10.96.0.0/16', 'fd00:10:244:1::/112'],
    };
  };
  const found = (clusters: ClusterSnapshot[]) =>
    runChecks(MESH_CHECKS, { clusters, now: NOW, observed: new Map() }).filter(
      ({ id, severity }) => ['warn', 'fail'].includes(severity) && /overlap|cidr|native-routes/.test(id),
    );

  it.each(MODES)('has no pods with addresses, and meets nothing (ipam: %s)', (ipam) => {
    const [off, on] = [dual(1, ipam, false), dual(2, ipam, true)];
    expect(knownRanges(off).map(({ family }) => family)).toEqual(knownRanges(off).map(() => 4));
    expect(podRangesTo(on, off).map(({ family }) => family)).toEqual(knownRanges(off).map(() => 4));
    expect([off, dual(3, ipam, false)].map((cluster) => found([on, cluster]).filter(isAboutIpv6))).toEqual([[], []]);
    expect(found([off, dual(3, ipam, false)]).filter(isAboutIpv6)).toEqual([]);
    // The same where it is on is seen.
    expect(found([on, dual(3, ipam, true)]).filter(isAboutIpv6)).not.toEqual([]);
  });

  const isAboutIpv6 = ({ args }: { args: unknown }) => JSON.stringify(args).includes('fd00:');
});

describe('readServiceCidrs', () => {
  const clientOf = (listAll: () => Promise<KubeObject[]>) => ({ listAll }) as unknown as ClusterClient;
  const range = (...cidrs: string[]) => ({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
    spec: { cidrs },
  });
  const fails = (code: 'NotFound' | 'Forbidden' | 'ClusterUnreachable') => async () => {
    throw new MeshctlError(code, 'no');
  };

  it.each([
    [
      'all ranges',
      async () => [range('10.96.0.0/12', 'fd00::/112'), range('172.20.0.0/16')],
      ['10.96.0.0/12', 'fd00::/112', '172.20.0.0/16'],
    ],
    ['nothing where there are none', async () => [], undefined],
    ['nothing before Kubernetes 1.33', fails('NotFound'), undefined],
    ['the refusal where they may not be listed', fails('Forbidden'), expect.objectContaining({ code: 'Forbidden' })],
  ])('gives %s', async (_what, listAll, expected) => {
    expect(await readServiceCidrs(clientOf(listAll))).toEqual(expected);
  });

  it('lets other failures through', async () => {
    await expect(readServiceCidrs(clientOf(fails('ClusterUnreachable')))).rejects.toThrow('no');
  });
});
