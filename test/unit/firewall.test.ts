import { describe, expect, it } from 'vitest';
import { IP_FAMILIES, parseCidr } from '../../src/mesh/cilium/cidr.ts';
import { firewallRules } from '../../src/mesh/network/firewall.ts';
import { summarise } from '../../src/mesh/network/prefixes.ts';
import { firewallText } from '../../src/views/network/firewall-view.ts';
import { BALANCED, type Clusters, cluster, NATIVE } from '../support/firewall-clusters.ts';
import { PLAIN } from '../support/plain-theme.ts';
import { requireValid } from '../support/schemas.ts';
import { serviceObject } from '../support/snapshots.ts';

const ranges = (texts: readonly string[]) => texts.flatMap((text) => parseCidr(text) ?? []);
const hosts = (prefix: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => `${prefix}.${first + index}`);

describe('summarise', () => {
  it.each([
    ['200 nodes of a subnet', hosts('10.0.3', 2, 201), [], ['10.0.3.0/24']],
    ['a few: no wider than they need', ['10.0.3.11', '10.0.3.12'], [], ['10.0.3.8/29']],
    ['one', ['10.0.3.7'], [], ['10.0.3.7/32']],
    ['nodes far apart', ['10.0.3.7', '10.0.90.7'], [], ['10.0.3.7/32', '10.0.90.7/32']],
    ['neighbours', ['10.0.2.7', '10.0.2.200', '10.0.3.7'], [], ['10.0.2.0/23']],
    [
      'nodes of another cluster between them',
      hosts('10.0.3', 0, 15).filter((host) => !host.endsWith('.9')),
      ['10.0.3.9'],
      ['10.0.3.0/29', '10.0.3.8/32', '10.0.3.10/31', '10.0.3.12/30'],
    ],
    ['others in the neighbourhood', ['10.0.2.7', '10.0.3.7'], ['10.0.3.0'], ['10.0.2.7/32', '10.0.3.7/32']],
    ['pod ranges', Array.from({ length: 6 }, (_, index) => `10.1.${index}.0/24`), [], ['10.1.0.0/22', '10.1.4.0/23']],
    [
      'never wider than a /16',
      Array.from({ length: 512 }, (_, index) => `10.${2 + (index >> 8)}.${index & 255}.0/24`),
      [],
      ['10.2.0.0/16', '10.3.0.0/16'],
    ],
    ['but what is wider itself', ['10.0.0.0/8'], [], ['10.0.0.0/8']],
    ['what overlaps stays as it is', ['10.1.0.0/16'], ['10.1.7.0/24'], ['10.1.0.0/16']],
    ['IPv6 of one subnet', ['fd00:1::5', 'fd00:1::6', 'fd00:2::1'], [], ['fd00:1::4/126', 'fd00:2::1/128']],
  ] as const)('%s', (_what, own, others, expected) => {
    const found = summarise(ranges(own), ranges(others));
    expect(found.map(({ cidr }) => cidr)).toEqual(expected);
    expect(found.reduce((sum, { holds }) => sum + holds, 0)).toBe(own.length);
  });

  it('holds every address and none of others, for addresses at random', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let round = 0; round < 50; round++) {
      const pool = [...new Set(Array.from({ length: 60 }, () => `10.0.${random(4)}.${random(64)}`))];
      const [own, others] = [pool.slice(0, 30), pool.slice(30)];
      const found = ranges(summarise(ranges(own), ranges(others)).map(({ cidr }) => cidr));
      const held = (address: string) =>
        found.filter((prefix) => ranges([address]).every(({ first }) => first >= prefix.first && first <= prefix.last))
          .length;
      expect(own.map(held)).toEqual(own.map(() => 1));
      expect(others.map(held)).toEqual(others.map(() => 0));
    }
  });
});

const linesOf = (report: ReturnType<typeof firewallRules>) =>
  report.rules.map(
    ({ from, to, kind, sources, destinations, hostnames = [] }) =>
      `${from}>${to} ${kind} ${sources.join('+')}>${[...destinations, ...hostnames].join('+')}`,
  );

describe('firewallRules', () => {
  it('are for both directions, between ranges of nodes; load balancers by their address', () => {
    const report = firewallRules([cluster(1, { live: BALANCED }), cluster(2, { scheme: 'aws' })]);
    expect(linesOf(report)).toEqual([
      'mesh-1>mesh-2 tunnel 172.18.1.0/30>172.18.2.0/30',
      'mesh-1>mesh-2 health 172.18.1.0/30>172.18.2.0/30',
      'mesh-1>mesh-2 ping 172.18.1.0/30>172.18.2.0/30',
      'mesh-2>mesh-1 tunnel 172.18.2.0/30>172.18.1.0/30',
      'mesh-2>mesh-1 health 172.18.2.0/30>172.18.1.0/30',
      'mesh-2>mesh-1 ping 172.18.2.0/30>172.18.1.0/30',
      'mesh-2>mesh-1 apiserver 172.18.2.0/30>198.51.100.7/32',
    ]);
    expect(report.clusters.map(({ platform }) => platform)).toEqual(['unknown', 'aws']);
    expect(report.unknown).toEqual([
      {
        context: 'context-2',
        why: 'its clustermesh-apiserver has no address for peers to dial yet',
        hint: 'meshctl clustermesh enable --context context-2',
      },
    ]);
    requireValid({ apiVersion: 'meshctl.io/v1alpha1', kind: 'FirewallRules', ...report });
    const text = firewallText(report, PLAIN);
    expect(text).toMatch(/mesh-1 +nodes +172\.18\.1\.0\/30 +2 nodes, 4 addresses/);
    expect(text).toContain('context "context-2": its clustermesh-apiserver has no address for peers to dial yet');
  });

  it('have pods at both ends with native routing; nodes send to them, too', () => {
    const report = firewallRules([cluster(1, { settings: NATIVE }), cluster(2, { settings: NATIVE, live: BALANCED })]);
    expect(linesOf(report)).toContain('mesh-1>mesh-2 pod-to-pod 10.1.0.0/23+172.18.1.0/30>10.2.0.0/23');
    expect(linesOf(report)).toContain('mesh-1>mesh-2 apiserver 172.18.1.0/30+10.1.0.0/23>198.51.100.7/32');
  });

  it('take the pool from which nodes get pod ranges, unless the other cluster takes from it as well', () => {
    const pool = { ...NATIVE, 'cluster-pool-ipv4-cidr': '10.1.0.0/16' };
    const both = { ...NATIVE, 'cluster-pool-ipv4-cidr': '10.0.0.0/8' };
    const podsOf = (settings: Record<string, string>) =>
      firewallRules([cluster(1, { settings }), cluster(2)]).clusters[0]?.podRanges.map(({ cidr }) => cidr);
    expect(podsOf(pool)).toEqual(['10.1.0.0/16']);
    expect(podsOf(both)).toEqual(['10.1.0.0/23']);
  });

  it('open a NodePort at every node, whichever three are dialled', () => {
    const nodePort = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
    const server = cluster(2, { live: [nodePort] });
    const inside = {
      ...server,
      nodes: server.nodes.map((node) => ({ ...node, addresses: node.addresses.slice(0, 1) })),
    };
    expect(linesOf(firewallRules([cluster(1), inside]))).toContain(
      'mesh-1>mesh-2 apiserver 172.18.1.0/30>172.18.2.0/30',
    );
    expect(linesOf(firewallRules([cluster(1), server]))).toContain(
      'mesh-1>mesh-2 apiserver 172.18.1.0/30>203.0.113.21/32+203.0.113.22/32',
    );
  });

  it('name a load balancer that has a host name only', () => {
    const named = serviceObject(
      { type: 'LoadBalancer', ports: [{ port: 2379 }] },
      { loadBalancer: { ingress: [{ hostname: 'lb.example.com' }] } },
    );
    const report = firewallRules([cluster(1), cluster(2, { live: [named] })]);
    expect(linesOf(report)).toContain('mesh-1>mesh-2 apiserver 172.18.1.0/30>lb.example.com');
  });

  const withAddress = (of: ReturnType<typeof cluster>, ...addresses: string[]) => ({
    ...of,
    nodes: of.nodes.map((node) => ({
      ...node,
      addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
    })),
  });
  const missingIn = (report: ReturnType<typeof firewallRules>) =>
    report.unknown.map(({ context, why }) => `${context}: ${why}`);

  it('are missing where two clusters have no IP family in common, and are said to be', () => {
    const six = withAddress(cluster(2, { live: BALANCED }), 'fd00:2::11');
    const report = firewallRules([cluster(1, { live: BALANCED }), six]);
    expect(linesOf(report)).toEqual(['mesh-1>mesh-2 apiserver 172.18.1.0/30>198.51.100.7/32']);
    expect(missingIn(report)).toEqual([
      'context-1: its nodes have IPv4 addresses only, and the nodes of mesh-2 IPv6 ones only',
      'context-2: its nodes have IPv6 addresses only, and the nodes of mesh-1 IPv4 ones only',
      'context-2: its nodes have IPv6 addresses only, and the clustermesh-apiserver of mesh-1 IPv4 ones only',
    ]);
    const dual = withAddress(cluster(2, { live: BALANCED }), '172.18.2.1', 'fd00:2::11');
    expect(missingIn(firewallRules([cluster(1, { live: BALANCED }), dual]))).toEqual([]);
  });

  it('are of the families in which nodes send, not of all that nodes have', () => {
    const settings = { 'enable-ipv6': 'true' };
    const addresses = (id: number) => [`172.18.${id}.1`, `fd00:${id}::1`];
    const dual = [1, 2].map((id) => withAddress(cluster(id, { settings }), ...addresses(id)));
    const of = (kind: string, all: readonly ReturnType<typeof cluster>[]) =>
      linesOf(firewallRules(all)).filter((line) => line.startsWith(`mesh-1>mesh-2 ${kind} `));
    expect(of('tunnel', dual)).toEqual(['mesh-1>mesh-2 tunnel 172.18.1.1/32>172.18.2.1/32']);
    expect(of('health', dual)).toEqual([
      'mesh-1>mesh-2 health 172.18.1.1/32>172.18.2.1/32',
      'mesh-1>mesh-2 health fd00:1::1/128>fd00:2::1/128',
    ]);
    const six = { cidr: 'fd00:10::/48', addresses: 2 ** 80, holds: 1 };
    const wide = firewallRules(dual);
    const clusters = wide.clusters.map((of) => ({ ...of, podRanges: [six] }));
    expect(firewallText({ ...wide, clusters }, PLAIN)).toContain('1 range, 2^80 addresses');
    const [one, two] = [dual[0] as ReturnType<typeof cluster>, withAddress(cluster(2, { settings }), 'fd00:2::1')];
    expect(of('tunnel', [one, two])).toEqual([]);
    expect(missingIn(firewallRules([one, two]))).toContain(
      'context-1: it sends tunnel packets over IPv4, and the nodes of mesh-2 have no such addresses',
    );
  });

  const FAMILIES = [[4], [6], [4, 6], [6, 4]] as const;
  const NODE_PORTS = FAMILIES.flatMap((service) => FAMILIES.map((client) => [service, client] as const));
  it.each(NODE_PORTS)(
    'a NodePort of %j, dialled by pods and nodes of %j: every host that they can dial is in a rule, and what no one dials in none',
    (service, client) => {
      const spec = {
        ...{ type: 'NodePort', ports: [{ port: 2379, nodePort: 32380 }] },
        ipFamilies: service.map((family) => `IPv${family}`),
      };
      const addresses = (id: number) => ({ 4: `172.18.${id}.1`, 6: `fd00:18:${id}::1` });
      // KVStoreMesh dials, in a pod.
      const on = IP_FAMILIES.map((family) => [`enable-ipv${family}`, String(client.some((own) => own === family))]);
      const settings = Object.fromEntries(on);
      const one = withAddress(cluster(1, { settings }), ...client.map((family) => addresses(1)[family]));
      const two = withAddress(cluster(2, { live: [serviceObject(spec)] }), ...Object.values(addresses(2)));
      const report = firewallRules([one, two]);
      const open = report.rules
        .filter(({ kind, to }) => kind === 'apiserver' && to === 'mesh-2')
        .flatMap(({ destinations }) => destinations.map((cidr) => cidr.replace(/\/\d+$/, '')));
      const dialled = IP_FAMILIES.filter((family) => service.some((own) => own === family)).filter((family) =>
        client.some((own) => own === family),
      );
      expect(open).toEqual(dialled.map((family) => addresses(2)[family]));
      const isSaid = missingIn(report).some((text) => text.includes('the clustermesh-apiserver of mesh-2'));
      expect(isSaid).toBe(dialled.length === 0);
    },
  );

  it('have no ranges of pods where CiliumNodes could not be read, whatever Kubernetes gave the nodes', () => {
    const unread = (id: number, settings: Record<string, string>) => {
      const { ciliumPodCidrs: _unread, ...of } = cluster(id, { settings: { ...NATIVE, ...settings }, live: BALANCED });
      return { ...of, nodes: of.nodes.map((node) => ({ ...node, podCidrs: ['192.168.7.0/24'] })) };
    };
    const why = (ipam: string) =>
      `its CiliumNodes could not be read, so the pod ranges of its nodes are not known (ipam: ${ipam})`;
    const multi = firewallRules([1, 2].map((id) => unread(id, { ipam: 'multi-pool' })));
    expect(linesOf(multi).filter((line) => line.includes('pod-to-pod'))).toEqual([]);
    expect(missingIn(multi)).toEqual([1, 2].map((id) => `context-${id}: ${why('multi-pool')}`));
    const refused = [1, 2].map((id) => ({ ...unread(id, { ipam: 'multi-pool' }), podRangesRefused: `grant ${id}` }));
    expect(firewallRules(refused).unknown.map(({ hint }) => hint)).toEqual(['grant 1', 'grant 2']);
    const pool = { ipam: 'cluster-pool', 'cluster-pool-ipv4-cidr': '10.0.0.0/8' };
    const shared = firewallRules([1, 2].map((id) => unread(id, pool)));
    expect(linesOf(shared).filter((line) => line.includes('10.0.0.0/8'))).toEqual([]);
    expect(missingIn(shared)).toEqual([1, 2].map((id) => `context-${id}: ${why('cluster-pool')}`));
  });

  it.each([
    ['Google Cloud: the project', ['gce://my-project/europe-west1-b/n'], { platform: 'gcloud', within: 'my-project' }],
    ['a project of a domain', ['gce://example.com:mine/z/n'], { platform: 'gcloud', within: 'example.com:mine' }],
    ['AWS: the region', ['aws:///eu-west-1a/i-1', 'aws:///eu-west-1b/i-2'], { platform: 'aws', within: 'eu-west-1' }],
    ['that of a zone in a city', ['aws:///us-west-2-lax-1a/i-1'], { platform: 'aws', within: 'us-west-2' }],
    [
      'Azure: the subscription',
      ['azure:///subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers/p'],
      { platform: 'az', within: '11111111-2222-3333-4444-555555555555' },
    ],
    ['of two places neither', ['gce://a/z/n', 'gce://b/z/n'], { platform: 'gcloud' }],
    ['nothing that a shell would run', ['gce://$(touch x)/z/n'], { platform: 'gcloud' }],
    ['a node that has just joined', ['gce://a/z/n', undefined], { platform: 'gcloud', within: 'a' }],
    ['nodes of two clouds', ['gce://a/z/n', 'aws:///eu-west-1a/i'], { platform: 'unknown' }],
    ['nodes of none', [undefined, undefined], { platform: 'unknown' }],
    ['nodes of another', ['kind://docker/a/n'], { platform: 'unknown' }],
  ])('tell where a cluster is by its nodes: %s', (_what, ids, expected) => {
    const nodes = ids.map((providerId, index) => ({
      ...{ name: `n-${index}`, ready: true, labels: {}, podCidrs: [], providerId },
      addresses: [{ type: 'InternalIP', address: `172.18.1.${index}` }],
    }));
    const [{ platform, within } = {}] = firewallRules([{ ...cluster(1), nodes }, cluster(2)]).clusters;
    expect({ platform, within }).toEqual({ within: undefined, ...expected });
  });

  it('tell clusters apart that have no name of their own yet', () => {
    const report = firewallRules([cluster(1, { name: 'default' }), cluster(2, { name: 'default' })]);
    expect(report.rules[0]).toMatchObject({ from: 'context-1', to: 'context-2' });
  });
});

describe('a node without an address, which is in no rule,', () => {
  const WINDOWS = { 'kubernetes.io/os': 'windows' };
  const BOTH = { 'enable-ipv4': 'true', 'enable-ipv6': 'true', 'underlay-protocol': 'ipv6' };
  type Node = ReturnType<typeof cluster>['nodes'][number];
  const clusters = (node: Partial<Node>, settings: Record<string, string> = {}, dual = false) => {
    const made = [1, 2].map((id) => cluster(id, { live: BALANCED, settings }));
    const withBoth = (id: number, one: Node) => ({
      ...one,
      addresses: [...one.addresses, { type: 'InternalIP', address: `fd00::${id}:${one.name.slice(-1)}` }],
    });
    const whole = made.map((one, index) => ({
      ...one,
      nodes: dual ? one.nodes.map((each) => withBoth(index, each)) : one.nodes,
    }));
    const [one, two] = whole as [Clusters, Clusters];
    const third: Node = { name: 'node-3', ready: true, labels: {}, podCidrs: [], addresses: [], ...node } as Node;
    return [{ ...one, nodes: [...one.nodes, third] }, two];
  };
  const IPV4_ONLY = { addresses: [{ type: 'InternalIP', address: '172.18.1.3' }] };

  it.each<[string, Clusters[], string[]]>([
    ['is not known', clusters({}), ['context-1: no InternalIP of its node node-3 is known']],
    [
      'has a name only',
      clusters({ addresses: [{ type: 'Hostname', address: 'node-3' }] }),
      ['context-1: no InternalIP of its node node-3 is known'],
    ],
    ['is of no agent', clusters({ labels: WINDOWS }), []],
    [
      'lacks that in which packets travel',
      clusters(IPV4_ONLY, BOTH, true),
      ['context-1: no InternalIP of IPv6 of its node node-3 is known'],
    ],
    ['lacks one that no packet is sent in', clusters(IPV4_ONLY, { 'enable-ipv6': 'false' }, true), []],
  ])('%s', (_what, snapshots, expected) => {
    expect(firewallRules(snapshots).unknown.map(({ context, why }) => `${context}: ${why}`)).toEqual(expected);
  });
});
