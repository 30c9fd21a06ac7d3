/** Who dials has addresses of a family that is dialled, or nothing says that it may be well. */
import { describe, expect, it } from 'vitest';
import { COMPATIBILITY_CHECKS } from '../../src/mesh/checks/compatibility.ts';
import { hangsOnConnections } from '../../src/mesh/checks/exposure.ts';
import { PEER_CHECKS } from '../../src/mesh/checks/peers.ts';
import { runChecksByMesh } from '../../src/mesh/checks/shared/by-mesh.ts';
import type { MeshCheckInput } from '../../src/mesh/checks/shared/mesh-input.ts';
import { familyOf } from '../../src/mesh/cilium/cidr.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { unnamedContext } from '../../src/mesh/command-line.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import { asMember } from '../../src/mesh/connect/member.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { parseEndpointOverride } from '../../src/mesh/peers/endpoint-overrides.ts';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  secretObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

type Families = readonly (4 | 6)[];
const FAMILIES: readonly Families[] = [[4], [6], [4, 6], [6, 4]];
const ADDRESS = { 4: '10.9.0.2', 6: 'fd00:9::2' } as const;
const CONNECT = 'meshctl clustermesh connect --context one --destination-context two';
const DUAL_STACK = expect.stringMatching(
  `: meshctl clustermesh enable --context two --set Service/clustermesh-apiserver:spec.ipFamilyPolicy=PreferDualStack && .*${CONNECT}$`,
) as string;

interface Shape {
  pods: Families;
  nodes?: Families;
  kvstoremesh?: boolean;
  /** Addresses of its Service. */
  service?: readonly string[];
  /** What it dials of mesh-2. */
  dials?: readonly string[];
}

function cluster(id: 1 | 2, { pods, nodes = [4, 6], kvstoremesh = true, service = [], dials }: Shape): ClusterSnapshot {
  const file = `endpoints:\n${(dials ?? []).map((host) => `- https://${host.includes(':') ? `[${host}]` : host}:2379\n`).join('')}`;
  const files = (name: string, text: string) => secretObject(name, dials ? { 'mesh-2': text } : {});
  return snapshotOf({
    context: id === 1 ? 'one' : 'two',
    ciliumConfig: {
      ...{ 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
      ...{ 'enable-ipv4': String(pods.includes(4)), 'enable-ipv6': String(pods.includes(6)) },
    },
    nodes: [1, 2].map((number) => ({
      ...{ name: `node-${number}`, ready: true, labels: {}, podCidrs: [] },
      addresses: nodes.map((family) => ({
        ...{ type: 'InternalIP', address: family === 4 ? `172.18.${id}.${number}` : `fd00:18:${id}::${number}` },
      })),
    })),
    ca: caFacts(`ca-${id}`),
    remoteUsers: [],
    tlsSecrets: new Map([
      ['clustermesh-apiserver-server-cert', tlsFacts(`ca-${id}`, { ipAddresses: Object.values(ADDRESS) })],
    ]),
    live: [
      apiserverDeployment({ kvstoremesh }),
      loadBalancerService(...service),
      files('cilium-clustermesh', kvstoremesh ? cachedPeerFile('kube-system') : file),
      ...(kvstoremesh ? [files('cilium-kvstoremesh', file)] : []),
    ],
  });
}

/** How a connect ends that is to dial the second of two clusters from the first one. */
function connecting(one: ClusterSnapshot, two: ClusterSnapshot, endpoint?: string): string {
  const given = endpoint === undefined ? undefined : parseEndpointOverride(endpoint);
  const endpoints = given && 'host' in given ? [given] : undefined;
  try {
    planDirection(asMember(one), asMember(two), { now: NOW, ...(endpoints ? { endpoints } : {}) });
    return 'planned';
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    expect(error.code).toBe('Incompatible');
    return error.hint ?? '';
  }
}

function failed(...clusters: ClusterSnapshot[]): Record<string, string | undefined> {
  return failedBy(new Map(), ...clusters);
}

function failedBy(
  observed: MeshCheckInput['observed'],
  ...clusters: ClusterSnapshot[]
): Record<string, string | undefined> {
  const checks = [...COMPATIBILITY_CHECKS, ...PEER_CHECKS];
  const found = runChecksByMesh(checks, { clusters, now: NOW, observed });
  const wanted = ['service-reachable', 'peers-endpoint'];
  const bad = found.filter(({ id, severity }) => wanted.includes(id) && severity === 'fail');
  return Object.fromEntries(bad.map(({ id, hint }) => [id, hint]));
}

const pairs = FAMILIES.flatMap((client) => FAMILIES.map((server) => [client, server] as const));

describe('where one cluster is dialled by another', () => {
  it.each(pairs)('pods of %j, a Service of %j: connect and both checks agree', (client, server) => {
    const service = server.map((family) => ADDRESS[family]);
    const two = cluster(2, { pods: [4, 6], service });
    const isApart = !server.some((family) => client.includes(family));
    expect(connecting(cluster(1, { pods: client }), two)).toEqual(isApart ? DUAL_STACK : 'planned');
    // Before they are connected, and where they were by a former version.
    expect(failed(cluster(1, { pods: client }), two)).toEqual(isApart ? { 'service-reachable': DUAL_STACK } : {});
    expect(failed(cluster(1, { pods: client, dials: service }), two)).toEqual(
      isApart ? { 'service-reachable': DUAL_STACK, 'peers-endpoint': DUAL_STACK } : {},
    );
  });

  it.each(pairs)('agents on nodes of %j, a Service of %j: likewise, whatever pods have', (nodes, server) => {
    const service = server.map((family) => ADDRESS[family]);
    const one = cluster(1, { pods: [4, 6], nodes, kvstoremesh: false, dials: service });
    const two = cluster(2, { pods: [4, 6], service });
    const isApart = !server.some((family) => nodes.includes(family));
    expect(connecting(one, two)).toEqual(isApart ? DUAL_STACK : 'planned');
    expect(Object.keys(failed(one, two))).toEqual(isApart ? ['service-reachable', 'peers-endpoint'] : []);
  });

  it.each([
    [true, 1],
    [true, 0],
    [false, 1],
    [false, 0],
  ])(
    'is dialled all the same where agents are connected, as status has it (KVStoreMesh %s: %i of 1)',
    (kvstoremesh, connected) => {
      const counts = { configured: 1, connected, total: 1 };
      const status = {
        ...{ context: 'one', cluster: { name: 'mesh-1', id: 1 }, enabled: true, serves: [], problems: [], faults: [] },
        ...{ nodes: counts, kvstoremesh: { enabled: kvstoremesh, replicas: 1, connected } },
        peers: [{ name: 'mesh-2', agents: counts, ...(kvstoremesh ? { kvstoremesh: counts } : {}) }],
      } as unknown as StatusReport;
      const observed = new Map([['one', { containers: [], nodes: [], status }]]);
      const service = [ADDRESS[6]];
      const two = cluster(2, { pods: [4, 6], service });
      const one = cluster(1, { pods: [4], nodes: [4], kvstoremesh, dials: service });
      expect(hangsOnConnections([one, two])).toBe(true);
      const wanted = connected ? [] : ['service-reachable', 'peers-endpoint'];
      expect(Object.keys(failedBy(observed, one, two))).toEqual(wanted);
      // That it is not the Service's address is said of one that is connected too.
      const astray = cluster(1, { pods: [4], nodes: [4], kvstoremesh, dials: ['fd00:9::7'] });
      expect(Object.keys(failedBy(observed, astray, two))).toContain('peers-endpoint');
    },
  );

  it('an address that is given is judged like the Service’s, of agents by nobody: nodes may have others', () => {
    const two = cluster(2, { pods: [4, 6], service: [ADDRESS[4]] });
    const one = (kvstoremesh: boolean) => cluster(1, { pods: [4], nodes: [4], kvstoremesh });
    expect(connecting(one(true), two, '[fd00:7::7]:2379')).toMatch(/^meshctl clustermesh connect --context one /);
    expect(connecting(one(false), two, '[fd00:7::7]:2379')).toBe('planned');
    expect(connecting(one(true), two, 'mesh.example.com:2379')).toBe('planned');
    // The Service would not do, and need not.
    const six = cluster(2, { pods: [4, 6], service: [ADDRESS[6]] });
    expect(connecting(one(true), six, '192.0.2.7:2379')).toBe('planned');
  });

  it('a file with an address of the other family is written anew once the Service has one that can be dialled', () => {
    const one = cluster(1, { pods: [4], dials: [ADDRESS[6]] });
    const two = cluster(2, { pods: [4, 6], service: [ADDRESS[6], ADDRESS[4]] });
    const { endpoint } = planDirection(asMember(one), asMember(two), { now: NOW });
    expect(endpoint.addresses.map((address) => familyOf(address.replace(/:\d+$/, '')))).toContain(4);
    expect(failed(one, two)).toEqual({ 'peers-endpoint': expect.stringMatching(`&& ${CONNECT}$`) as string });
  });

  it('a cluster that has no address of the family is told no Service that could get one', () => {
    const hint = connecting(cluster(1, { pods: [4] }), cluster(2, { pods: [6], service: [ADDRESS[6]] }));
    expect(hint).toMatch(/^The pods of mesh-2 have no addresses of IPv4, /);
    // What is typed in another owner's cluster is not known here.
    const theirs = asMember({ ...cluster(2, { pods: [4, 6] }), context: unnamedContext('mesh-2') });
    const invited = { ...theirs, endpoints: [{ host: ADDRESS[6], port: 2379 }] };
    expect(() => planDirection(asMember(cluster(1, { pods: [4] })), invited, { now: NOW })).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^Have the owner of "mesh-2" .* and invite again\.$/) }),
    );
  });
});
