/** What the stand-in for Cilium's datapath sends from node to node, held against Cilium and not against `mesh`. */
import { expect, it } from 'vitest';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';
import { onTheWire } from '../../src/sandbox/cilium/underlay.ts';
import type { Packet } from '../../src/sandbox/pods/network-rules.ts';

const PACKET: Packet = {
  ...{
    from: { cluster: 'a' },
    to: { cluster: 'b' },
    family: 4 as const,
    protocol: 'tcp' as const,
    port: 80,
    size: 100,
  },
};

function clusterOf(version: string, data: Record<string, string>) {
  const store = createStore();
  const metadata = (name: string) => ({ name, namespace: 'kube-system' });
  store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('cilium-config'), data });
  const containers = [{ name: 'cilium-agent', image: `quay.io/cilium/cilium:v${version}` }];
  const spec = { selector: { matchLabels: { a: 'b' } }, template: { spec: { containers } } };
  store.create({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: metadata('cilium'), spec });
  return store;
}

it.each([
  ['1.17.9', { 'enable-ipsec': 'true' }, { protocol: 'udp', port: 8472, size: 227 }],
  ['1.18.0', { 'enable-ipsec': 'true' }, { protocol: 'esp', size: 227 }],
  ['1.17.9', { 'enable-ipsec': 'true', 'routing-mode': 'native' }, { protocol: 'esp', size: 177 }],
  ['1.19.3', { 'enable-wireguard': 'true' }, { protocol: 'udp', port: 51871, size: 230 }],
  ['1.20.0', { 'enable-wireguard': 'true' }, { protocol: 'udp', port: 51871, size: 245 }],
])('Cilium %s with %j', (version, config, expected) => {
  const store = clusterOf(version, config);
  for (const packet of [onTheWire(store, PACKET), onTheWire(store, PACKET, clusterOf(version, config))]) {
    const { protocol, port, size } = packet ?? PACKET;
    expect({ protocol, ...(port === undefined ? {} : { port }), size }).toEqual(expected);
  }
});

it.each<[string, Record<string, string>, Record<string, string>, Partial<Packet> | undefined]>([
  ['from a tunnel', { 'enable-wireguard': 'true' }, {}, undefined],
  ['from a tunnel, to one with IPsec', { 'enable-wireguard': 'true' }, { 'enable-ipsec': 'true' }, undefined],
  ['routed natively', { 'enable-wireguard': 'true', 'routing-mode': 'native' }, {}, PACKET],
  [
    'routed natively, to one with IPsec',
    { 'enable-wireguard': 'true', 'routing-mode': 'native' },
    { 'enable-ipsec': 'true' },
    undefined,
  ],
  ['to it', {}, { 'enable-wireguard': 'true' }, { protocol: 'udp', port: 8472, size: 150 }],
])('with WireGuard in one cluster alone, a packet %s', (_what, config, other, expected) => {
  const packet = onTheWire(clusterOf('1.20.0', config), PACKET, clusterOf('1.20.0', other));
  if (expected) expect(packet).toMatchObject(expected);
  else expect(packet).toBeUndefined();
});
