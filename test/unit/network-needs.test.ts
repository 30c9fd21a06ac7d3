import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { firewallRules } from '../../src/mesh/network/firewall.ts';
import { configuredMtu, tunnelOverhead } from '../../src/mesh/network/mtu.ts';
import { networkNeeds, unknownNeeds } from '../../src/mesh/network/needs.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import {
  apiserverDeployment,
  loadBalancerService,
  secretObject,
  serviceObject,
  snapshotOf,
} from '../support/snapshots.ts';

const cluster = (
  id: number,
  settings: Record<string, string> = {},
  more: { version?: string; live?: KubeObject[] } = {},
) =>
  snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...settings },
    agent: { image: `quay.io/cilium/cilium:${more.version ?? 'v1.20.0'}`, desired: 2, ready: 2 },
    live: more.live ?? [],
  });

/** `udp 8472 nodes>nodes`, with `?` where the mesh works without it. */
function linesOf(client: ClusterSnapshot, server: ClusterSnapshot): string[] {
  return networkNeeds(client, server).map(({ protocol, port, from, to, hosts, required }) =>
    [protocol, port, `${from}>${hosts?.join('+') ?? to}${required ? '' : '?'}`].filter(Boolean).join(' '),
  );
}

const HEALTH = ['tcp 4240 nodes>nodes', 'icmp nodes>nodes?'];
const IPSEC = { 'enable-ipsec': 'true' };
const WIREGUARD = { 'enable-wireguard': 'true' };
const NATIVE = { 'routing-mode': 'native' };

describe('networkNeeds: what carries packets', () => {
  it.each([
    ['VXLAN by default', {}, 'v1.20.0', ['udp 8472 nodes>nodes']],
    ['Geneve', { 'tunnel-protocol': 'geneve' }, 'v1.20.0', ['udp 6081 nodes>nodes']],
    ['a port of its own', { 'tunnel-port': '9999' }, 'v1.20.0', ['udp 9999 nodes>nodes']],
    ['port 0: the protocol tells', { 'tunnel-port': '0' }, 'v1.20.0', ['udp 8472 nodes>nodes']],
    // Gone from 1.15 on: agents pass over it.
    ['the option of old', { tunnel: 'disabled' }, 'v1.20.0', ['udp 8472 nodes>nodes']],
    ['native routing', NATIVE, 'v1.20.0', ['all pods>pods']],
    ['WireGuard around VXLAN', WIREGUARD, 'v1.20.0', ['udp 8472 nodes>nodes', 'udp 51871 nodes>nodes']],
    ['WireGuard, routed natively', { ...NATIVE, ...WIREGUARD }, 'v1.20.0', ['udp 51871 nodes>nodes', 'all pods>pods']],
    ['ESP around VXLAN', IPSEC, 'v1.18.1', ['udp 8472 nodes>nodes?', 'esp nodes>nodes']],
    ['ESP in VXLAN', IPSEC, 'v1.17.9', ['udp 8472 nodes>nodes', 'esp nodes>nodes?']],
    ['ESP, of which version cannot be told', IPSEC, 'latest', ['udp 8472 nodes>nodes', 'esp nodes>nodes']],
    ['ESP, routed natively', { ...NATIVE, ...IPSEC }, 'v1.17.9', ['esp nodes>nodes', 'all pods>pods']],
  ] as const)('%s', (_what, settings, version, expected) => {
    const needs = linesOf(cluster(1, settings, { version }), cluster(2, settings, { version }));
    expect(needs).toEqual([...expected, ...HEALTH]);
  });

  const DUAL = { 'enable-ipv6': 'true' };
  const OVER_IPV6 = { ...DUAL, 'underlay-protocol': 'ipv6' };
  const SIX = { 'enable-ipv4': 'false', 'enable-ipv6': 'true' };
  const BOTH = 'health 4+6';
  // Of the family in which nothing of pods travels, only the report of cilium-health hangs on it.
  const OVER_4 = ['health 4', 'health 6?'];
  it.each([
    ['IPv4 alone', {}, {}, ['tunnel 4', 'health 4']],
    ['both: the tunnel is over IPv4', DUAL, DUAL, ['tunnel 4', ...OVER_4]],
    // To pods as their own cluster says, to nodes as who sends is set.
    ['both, and the tunnel over IPv6', OVER_IPV6, OVER_IPV6, ['tunnel 6', 'health 6', 'health 4?']],
    ['both, and the tunnel over IPv6 here', OVER_IPV6, DUAL, ['tunnel 4', 'tunnel 6', BOTH]],
    ['both, and the tunnel over IPv6 there', DUAL, OVER_IPV6, ['tunnel 6', 'tunnel 4', BOTH]],
    [
      'the same with ESP around it',
      { ...DUAL, ...IPSEC },
      { ...OVER_IPV6, ...IPSEC },
      ['tunnel 6?', 'tunnel 4?', 'ipsec 6+4', BOTH],
    ],
    ['both, and the tunnel as it comes', { ...DUAL, 'underlay-protocol': 'auto' }, DUAL, ['tunnel 4', ...OVER_4]],
    ['IPv6 alone', SIX, SIX, ['tunnel 6', 'health 6']],
    ['both with IPv4 alone', DUAL, {}, ['tunnel 4', 'health 4']],
    ['both, routed natively', { ...DUAL, ...NATIVE }, { ...DUAL, ...NATIVE }, ['pod-to-pod 4+6', BOTH]],
    [
      'WireGuard is over IPv4',
      { ...DUAL, ...WIREGUARD },
      { ...DUAL, ...WIREGUARD },
      ['tunnel 4', 'wireguard 4', ...OVER_4],
    ],
    [
      'WireGuard over IPv6',
      { ...SIX, ...WIREGUARD },
      { ...SIX, ...WIREGUARD },
      ['tunnel 6', 'wireguard 6', 'health 6'],
    ],
    ['ESP around the tunnel', { ...DUAL, ...IPSEC }, { ...DUAL, ...IPSEC }, ['tunnel 4?', 'ipsec 4', ...OVER_4]],
    ['ESP without one', { ...DUAL, ...NATIVE, ...IPSEC }, DUAL, ['ipsec 4+6', 'pod-to-pod 4+6', BOTH]],
  ] as const)('families: %s', (_what, client, server, expected) => {
    const needs = networkNeeds(cluster(1, client), cluster(2, server)).filter(({ kind }) => kind !== 'ping');
    expect(needs.map(({ kind, families, required }) => `${kind} ${families.join('+')}${required ? '' : '?'}`)).toEqual(
      expected,
    );
  });

  it('WireGuard dials nodes that have no IPv4 address over IPv6', () => {
    const settings = { ...DUAL, ...WIREGUARD };
    const addresses = [{ type: 'InternalIP', address: 'fd00::2' }];
    const node = { name: 'n', ready: true, labels: {}, podCidrs: [], addresses };
    const needs = networkNeeds(cluster(1, settings), { ...cluster(2, settings), nodes: [node] });
    expect(needs.find(({ kind }) => kind === 'wireguard')?.families).toEqual([6]);
  });

  // What upstream's own test of it tries (pkg/wireguard/agent, `TestAgent_PeerEndpointSelection`), and the versions that took IPv4 in any case.
  const OVER_6 = { ...OVER_IPV6, ...WIREGUARD };
  it.each([
    ['a tunnel over IPv6, to nodes of both', OVER_6, [4, 6], 'v1.20.0', 6],
    ['to nodes of IPv4 alone', OVER_6, [4], 'v1.20.0', 4],
    ['to nodes of IPv6 alone', OVER_6, [6], 'v1.20.0', 6],
    ['a tunnel over IPv4', { ...OVER_6, 'underlay-protocol': 'ipv4' }, [4, 6], 'v1.20.0', 4],
    ['as it comes', { ...OVER_6, 'underlay-protocol': 'auto' }, [4, 6], 'v1.20.0', 4],
    ['no tunnel', { ...OVER_6, ...NATIVE }, [4, 6], 'v1.20.0', 4],
    ['IPv6 alone is on', { ...OVER_6, 'enable-ipv4': 'false' }, [4, 6], 'v1.20.0', 6],
    ['since it is so', OVER_6, [4, 6], 'v1.19.3', 6],
    ['before it was so', OVER_6, [4, 6], 'v1.19.2', 4],
    ['of 1.18', OVER_6, [4, 6], 'v1.18.9', 4],
    ['of a version that is not known', OVER_6, [4, 6], 'latest', 6],
  ] as const)('WireGuard beneath %s: over one family', (_what, settings, families, version, expected) => {
    const addresses = families.map((family) => ({
      type: 'InternalIP',
      address: family === 4 ? '172.18.2.1' : 'fd00::2',
    }));
    const node = { name: 'n', ready: true, labels: {}, podCidrs: [], addresses };
    const needs = networkNeeds(cluster(1, settings, { version }), { ...cluster(2, settings), nodes: [node] });
    expect(needs.find(({ kind }) => kind === 'wireguard')?.families).toEqual([expected]);
  });

  it('each side sends to its own port', () => {
    const [one, two] = [cluster(1), cluster(2, { 'tunnel-protocol': 'geneve', 'cluster-health-port': '4241' })];
    expect(linesOf(one, two)).toEqual(['udp 8472 nodes>nodes', ...HEALTH]);
    expect(linesOf(two, one)).toEqual(['udp 6081 nodes>nodes', 'tcp 4241 nodes>nodes', 'icmp nodes>nodes?']);
  });

  it('nodes that are of two minds about the order of ESP and VXLAN need both', () => {
    const [old, fresh] = [cluster(1, IPSEC, { version: 'v1.17.0' }), cluster(2, IPSEC)];
    expect(linesOf(old, fresh)).toEqual(['udp 8472 nodes>nodes', 'esp nodes>nodes', ...HEALTH]);
    expect(linesOf(fresh, old)).toEqual(linesOf(old, fresh));
  });

  it('WireGuard on one side only carries nothing', () => {
    expect(linesOf(cluster(1, WIREGUARD), cluster(2))).toEqual(['udp 8472 nodes>nodes', ...HEALTH]);
  });

  it.each([1, 2])('nothing is asked for health where cluster %i does not take part', (silent) => {
    const off = { 'enable-health-checking': 'false' };
    const of = (id: number) => cluster(id, id === silent ? off : {});
    expect(linesOf(of(1), of(2))).toEqual(['udp 8472 nodes>nodes']);
  });

  it('says so of a cluster without cilium-config', () => {
    const bare = { ...cluster(1), ciliumConfig: undefined };
    expect(linesOf(bare, cluster(2))).toEqual([]);
    expect(unknownNeeds(bare, cluster(2))).toContainEqual({
      context: 'context-1',
      kind: 'all',
      why: 'there is no ConfigMap cilium-config',
    });
  });
});

describe('networkNeeds: the clustermesh-apiserver', () => {
  const apiserverOf = (client: ClusterSnapshot, server: ClusterSnapshot) =>
    linesOf(client, server).filter((line) => !['udp 8472 nodes>nodes', ...HEALTH].includes(line));
  const balanced = cluster(2, {}, { live: [loadBalancerService('203.0.113.7', '203.0.113.8')] });
  const file = remotePeerFile('mesh-2', { addresses: ['198.51.100.1:2379', '198.51.100.2:31000'] }, 'mesh-2.');

  it.each([
    ['before enable', [], ['tcp 2379 pods>203.0.113.7+203.0.113.8']],
    ['KVStoreMesh', [apiserverDeployment()], ['tcp 2379 pods>203.0.113.7+203.0.113.8']],
    ['agents', [apiserverDeployment({ kvstoremesh: false })], ['tcp 2379 nodes>203.0.113.7+203.0.113.8']],
    [
      'what a file says already, whatever the Service has',
      [apiserverDeployment(), secretObject('cilium-kvstoremesh', { 'mesh-2': file })],
      ['tcp 2379 pods>198.51.100.1', 'tcp 31000 pods>198.51.100.2'],
    ],
  ])('is dialled by: %s', (_what, live, expected) => {
    expect(apiserverOf(cluster(1, {}, { live }), balanced)).toEqual(expected);
  });

  it('is dialled at the address that was chosen for it', () => {
    const secret = secretObject('cilium-clustermesh', {});
    secret.metadata.annotations = { 'meshctl.io/endpoint.mesh-2': 'mesh.example.com:443' };
    const client = cluster(1, {}, { live: [apiserverDeployment(), secret] });
    expect(apiserverOf(client, balanced)).toEqual(['tcp 443 pods>mesh.example.com']);
  });

  it.each<[string, KubeObject[], string | undefined, boolean]>([
    ['the Service of the server is gone', [], undefined, true],
    ['it is there', [loadBalancerService('198.51.100.1')], undefined, false],
    ['what is dialled was chosen', [], 'mesh.example.com:443', false],
  ])('no rule leads to an address that is gone: %s', (_what, live, chosen, isGone) => {
    const secret = secretObject('cilium-clustermesh', {});
    if (chosen !== undefined) secret.metadata.annotations = { 'meshctl.io/endpoint.mesh-2': chosen };
    const peers = secretObject('cilium-kvstoremesh', { 'mesh-2': file });
    const [client, server] = [
      cluster(1, {}, { live: [apiserverDeployment(), secret, peers] }),
      cluster(2, {}, { live }),
    ];
    const gone = { context: 'context-2', hint: 'meshctl clustermesh enable --context context-2' };
    const { rules, unknown } = firewallRules([client, server]);
    expect(rules.some(({ kind, to }) => kind === 'apiserver' && to === 'mesh-2')).toBe(!isGone);
    expect(unknown.filter(({ why }) => why === 'there is no Service kube-system/clustermesh-apiserver')).toMatchObject(
      isGone ? [gone] : [],
    );
  });

  it('is not dialled by a cluster that is only served', () => {
    const secret = secretObject('cilium-clustermesh', {});
    secret.metadata.annotations = { 'meshctl.io/mode.mesh-1': 'unicast' };
    const server = cluster(2, {}, { live: [loadBalancerService('203.0.113.7'), secret] });
    expect(apiserverOf(cluster(1), server)).toEqual([]);
    expect(unknownNeeds(cluster(1), server)).toEqual([]);
  });

  it('is reached at nodes of a NodePort; before it has an address, that is unknown', () => {
    const nodePort = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
    expect(apiserverOf(cluster(1), cluster(2, {}, { live: [nodePort] }))).toEqual(['tcp 32379 pods>10.0.0.1+10.0.0.2']);
    expect(unknownNeeds(cluster(1), cluster(2))).toEqual([
      {
        context: 'context-2',
        kind: 'apiserver',
        why: 'its clustermesh-apiserver has no address for peers to dial yet',
        hint: 'meshctl clustermesh enable --context context-2',
      },
    ]);
  });
});

describe('MTU', () => {
  const V1_19 = { major: 1, minor: 19, patch: 3, suffix: '' };
  const V1_20 = { ...V1_19, minor: 20 };
  it.each([
    ['VXLAN', {}, V1_19, 50],
    ['VXLAN over IPv6', { 'underlay-protocol': 'ipv6' }, V1_19, 70],
    ['VXLAN of IPv6 alone', { 'enable-ipv4': 'false', 'enable-ipv6': 'true' }, V1_19, 70],
    ['nothing', NATIVE, V1_19, 0],
    ['WireGuard', { ...NATIVE, ...WIREGUARD }, V1_19, 80],
    ['WireGuard with its padding', { ...NATIVE, ...WIREGUARD }, V1_20, 95],
    ['WireGuard, of which version is unknown', { ...NATIVE, ...WIREGUARD }, undefined, 95],
    ['VXLAN and WireGuard', WIREGUARD, V1_19, 130],
    ['VXLAN and IPsec', IPSEC, V1_19, 127],
  ])('%s takes bytes', (_what, config, version, bytes) => {
    expect(tunnelOverhead(config, version)).toBe(bytes);
  });

  it.each([
    ['1400', 1400],
    ['0', undefined],
    [undefined, undefined],
    ['many', undefined],
  ])('mtu: %s', (mtu, expected) => {
    expect(configuredMtu(mtu === undefined ? {} : { mtu })).toBe(expected);
  });
});
