/** One IPv6 address has many spellings, which people, clouds and tools use: whatever is decided by one is decided by all. */
import { describe, expect, it } from 'vitest';
import { serviceEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import { addressNotGiven } from '../../src/mesh/apiserver/given-address.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { canonicalIp } from '../../src/mesh/cilium/cidr.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import { untoldDials } from '../../src/mesh/connect/former-answers.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { unprovedAddresses } from '../../src/mesh/connect/unproved.ts';
import { addressFaults } from '../../src/mesh/faults/address-faults.ts';
import { firewallRules } from '../../src/mesh/network/firewall.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { parseEndpointOverride } from '../../src/mesh/peers/endpoint-overrides.ts';
import { addressesAstray } from '../../src/mesh/peers/file/addresses-astray.ts';
import { foreignFile, leadsElsewhere } from '../../src/mesh/peers/file/foreign-file.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { isDialledAt } from '../../src/mesh/peers/namesakes.ts';
import { readNodes } from '../../src/snapshot/nodes.ts';
import {
  apiserverDeployment,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

type Spell = (address: string) => string;

const SERVED = 'fd00:18:3::100';
const NODE = 'fd00:18:2::11';
const SPELLINGS: readonly [string, Spell][] = [
  ['in capitals', (address) => address.toUpperCase()],
  ['with a group of zeros', (address) => address.replace('::', ':0::')],
  ['at length, and in capitals', (address) => address.replace('::', ':0000:0:0:0:').replace('fd00', 'FD00')],
];

const config = (id: number) => ({ 'cluster-name': `mesh-${id}`, 'cluster-id': `${id}`, 'enable-ipv6': 'true' });
const nodesAt = (address: string) => [
  { ...{ name: address, ready: true, labels: {} }, addresses: [{ type: 'InternalIP', address }], podCidrs: [] },
];

/** How mesh-2 is served. */
const SERVICES: Readonly<Record<string, (spell: Spell) => KubeObject>> = {
  'a load balancer': (spell) => loadBalancerService(spell(SERVED)),
  'a load balancer that was asked for': (spell) => {
    const service = loadBalancerService(SERVED);
    return { ...service, spec: { ...(service.spec as object), loadBalancerIP: spell(SERVED) } };
  },
  'a cluster address': (spell) =>
    serviceObject({ type: 'ClusterIP', clusterIPs: [spell(SERVED)], ports: [{ port: 2379 }] }),
  'a node port': () =>
    serviceObject({ type: 'NodePort', ipFamilies: ['IPv6'], ports: [{ port: 2379, nodePort: 32380 }] }),
};

/** How mesh-1 has what it dials. */
const FILES: Readonly<Record<string, (address: string, port: number) => KubeObject[]>> = {
  'its file': (address, port) => [
    secretObject('cilium-kvstoremesh', {
      'mesh-2': remotePeerFile('mesh-2', { addresses: [`[${address}]:${port}`] }, 'mesh-2.'),
    }),
  ],
  'a file of Helm': (address, port) => {
    const [secret] = FILES['its file']?.(address, port) ?? [];
    return secret ? [{ ...secret, metadata: { ...secret.metadata, ...OF_HELM } }] : [];
  },
  'aliases in its file': (ip, port) => [
    secretObject('cilium-kvstoremesh', {
      'mesh-2': remotePeerFile(
        'mesh-2',
        { addresses: [`[${ip}]:${port}`], alias: { ips: [ip], ports: [port], in: 'file' } },
        'mesh-2.',
      ),
    }),
  ],
  'a choice': (address, port) => {
    const [secret] = FILES['its file']?.(address, port) ?? [];
    const choice = secretObject('cilium-clustermesh', {});
    choice.metadata.annotations = { 'meshctl.io/endpoint.mesh-2': `[${address}]:${port}` };
    return [...(secret ? [secret] : []), choice];
  },
};
const OF_HELM = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': 'kube-system' },
  managedFields: [{ manager: 'helm', operation: 'Update' as const, fieldsV1: { 'f:data': { 'f:mesh-2': {} } } }],
};

function memberOf(id: number, live: KubeObject[], address: string): Member {
  const snapshot = snapshotOf({
    context: `c${id}`,
    ciliumConfig: config(id),
    nodes: nodesAt(address),
    remoteUsers: [],
    live: [apiserverDeployment(), ...live],
    tlsSecrets: new Map([
      [
        'clustermesh-apiserver-server-cert',
        tlsFacts('ca-one', { dnsNames: ['*.mesh.cilium.io'], ipAddresses: [SERVED, NODE] }),
      ],
    ]),
  });
  const { hosts, port } = serviceEndpoints(snapshot) ?? { hosts: [], port: 0 };
  return { snapshot, identity: requireIdentity(snapshot), endpoints: hosts.map((host) => ({ host, port })) };
}

/** Whatever is decided of mesh-1 that dials mesh-2, but for the objects themselves. */
function decided(service: KubeObject, files: KubeObject[]): unknown {
  const client = memberOf(1, [loadBalancerService('fd00:18:3::1'), ...files], 'fd00:18:1::11');
  const server = memberOf(2, [service], NODE);
  const [one, two] = [client.snapshot, server.snapshot];
  const direction = planDirection(client, server, { now: NOW });
  const foreign = foreignFile(one, 'mesh-2');
  return {
    findings: runChecks(MESH_CHECKS, { clusters: [one, two], now: NOW, observed: new Map() }),
    astray: addressesAstray(one, 'mesh-2', two),
    faults: addressFaults(one, [two]),
    isDialled: isDialledAt(one, 'mesh-2', two),
    foreign: foreign && { ...foreign, elsewhere: leadsElsewhere(foreign, two) },
    untold: untoldDials([{ client, server }], [one, two]).length,
    unproved: unprovedAddresses(direction),
    dials: direction.endpoint,
    plan: planDial([direction], NOW).steps.map(({ action, changes }) => ({ action, changes })),
    rules: firewallRules([one, two]),
    given: addressNotGiven(two),
  };
}

describe.each(Object.entries(SERVICES))('an address of %s', (kind, service) => {
  const [, spell = String] = SPELLINGS.at(-1) ?? [];
  const isByNode = kind === 'a node port';
  const [address, port] = isByNode ? [NODE, 32380] : [SERVED, 2379];

  it.each(Object.entries(FILES))('that %s has written otherwise is that address', (_where, files) => {
    const same: Spell = (text) => text;
    const plain = decided(service(same), files(address, port));
    expect(decided(service(same), files(spell(address), port))).toEqual(plain);
    expect(decided(service(spell), files(address, port))).toEqual(plain);
    // Another one is not: so something is compared.
    expect(decided(service(same), files('fd00:18:9::9', port))).not.toEqual(plain);
  });
});

it.each(SPELLINGS)('an address that is given or that a node has %s is read in one spelling', async (_how, spell) => {
  expect(spell(SERVED)).not.toBe(SERVED);
  expect(canonicalIp(spell(SERVED))).toBe(SERVED);
  expect(parseEndpointOverride(`[${spell(SERVED)}]:2379`)).toEqual({ host: SERVED, port: 2379 });
  const node = {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } },
    status: { addresses: [{ type: 'InternalIP', address: spell(NODE) }] },
  };
  const client = {
    collect: async (_: object, keep: (one: typeof node) => object[]) => keep(node),
  } as unknown as Parameters<typeof readNodes>[0];
  expect(await readNodes(client)).toMatchObject([{ addresses: [{ address: NODE }] }]);
});
