/** Whom the source ranges of a load balancer keep out, and with which they are let in. */
import { describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import {
  apiserverDeployment,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
} from '../support/snapshots.ts';

type Overrides = Parameters<typeof snapshotOf>[0];

function service(ranges?: string[], annotations: Record<string, string> = {}): KubeObject {
  const base = loadBalancerService('172.18.2.100');
  const spec = { ...(base.spec as object), ...(ranges ? { loadBalancerSourceRanges: ranges } : {}) };
  return { ...base, metadata: { ...base.metadata, annotations }, spec };
}

const server = (live: KubeObject, overrides: Overrides = {}) =>
  snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    live: [live],
    nodes: [],
    ...overrides,
  });

const client = (overrides: Overrides = {}) => snapshotOf(overrides);

const native = { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'routing-mode': 'native', ipam: 'kubernetes' };
/** Dials at the given address, by agents: there is no KVStoreMesh. */
const agentsDial = (address: string) => [
  apiserverDeployment({ kvstoremesh: false }),
  secretObject('cilium-clustermesh', { 'mesh-2': remotePeerFile('mesh-2', { addresses: [address] }, 'common-') }),
];

function look(clusters: ClusterSnapshot[]) {
  const checks = MESH_CHECKS.filter(({ id }) => id === 'source-ranges');
  return runChecks(checks, { clusters, now: NOW, observed: new Map() }).filter(
    ({ cluster = 'two' }) => cluster === 'two',
  );
}

const OFFICE = ['203.0.113.0/24'];
const AZURE = 'service.beta.kubernetes.io/azure-allowed-ip-ranges';
const ANY_CLOUD = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const [FIRST, SECOND] = snapshotOf().nodes;
const outside = { ...SECOND, addresses: [{ type: 'InternalIP', address: '192.168.0.2' }] };

describe('source-ranges', () => {
  it.each<[string, string, ClusterSnapshot, ClusterSnapshot]>([
    ['no ranges', 'pass', server(service()), client()],
    ['ranges with the nodes of the peer', 'pass', server(service(['10.0.0.0/24'])), client()],
    ['one node of the peer, which dials by a pod', 'pass', server(service(['10.0.0.1/32'])), client()],
    [
      'one node of the peer, whose agents dial',
      'warn',
      server(service(['10.0.0.1/32'])),
      client({ live: agentsDial('172.18.2.100:2379') }),
    ],
    ['other ranges', 'warn', server(service(OFFICE)), client()],
    ['ranges of the other family', 'warn', server(service(['fd00::/8'])), client()],
    [
      'other ranges, by the annotation',
      'warn',
      server(service(undefined, { [ANY_CLOUD]: '203.0.113.0/24' })),
      client(),
    ],
    [
      'other ranges on Azure',
      'warn',
      server(service(undefined, { [AZURE]: '203.0.113.0/24, 198.51.100.1/32' })),
      client(),
    ],
    [
      'the nodes by the annotation',
      'pass',
      server(service(OFFICE, { [AZURE]: '203.0.113.7/32, 10.0.0.0/8' })),
      client(),
    ],
    [
      'other ranges and a node port, which is open',
      'pass',
      server(
        serviceObject({ type: 'NodePort', loadBalancerSourceRanges: OFFICE, ports: [{ port: 2379, nodePort: 30001 }] }),
      ),
      client(),
    ],
    [
      'other ranges, and a proxy is dialled',
      'skip',
      server(service(OFFICE)),
      client({ live: agentsDial('198.51.100.9:2379') }),
    ],
    [
      'external addresses of the nodes',
      'pass',
      server(service(OFFICE)),
      client({
        nodes: [{ ...(FIRST as object), addresses: [{ type: 'ExternalIP', address: '203.0.113.9' }] } as never],
      }),
    ],
    [
      'the pods of the peer, which may send as themselves',
      'skip',
      server(service(['10.1.0.0/16'])),
      client({ ciliumConfig: native, ciliumPodCidrs: ['10.1.0.0/24'] }),
    ],
    ['nodes that are not known', 'skip', server(service(OFFICE)), client({ nodes: [] })],
  ])('%s: %s', (_what, severity, two, one) => {
    expect(look([one, two]).map((finding) => finding.severity)).toEqual([severity]);
  });

  it('does not speak of clusters that are not to dial it, as two spokes of a hub', () => {
    const knows = (peer: string) => [
      secretObject('cilium-clustermesh', { [peer]: remotePeerFile(peer, { addresses: ['10.9.9.9:2379'] }, 'common-') }),
    ];
    const spokes = [client({ live: knows('mesh-3') }), server(service(OFFICE))];
    expect(look(spokes).map(({ severity }) => severity)).toEqual(['warn']);
    const [one, two] = [
      client({ live: knows('mesh-3') }),
      server(service(OFFICE), { live: [service(OFFICE), ...knows('mesh-3')] }),
    ];
    expect(look([one, two]).map(({ severity }) => severity)).toEqual(['skip']);
  });

  it('names each cluster, and the ranges with which all of them get in, besides those that do', () => {
    const third = client({
      context: 'three',
      ciliumConfig: { 'cluster-name': 'mesh-3', 'cluster-id': '3' },
      nodes: [outside as never],
    });
    const [finding] = look([client(), server(service(OFFICE)), third]);
    expect(finding?.args).toMatchObject({ ranges: OFFICE, nodes: 'node-1, node-2 of one, nor of node-2 of three' });
    expect(finding?.hint).toMatch(
      /: meshctl clustermesh enable --context two --load-balancer-source-ranges 203\.0\.113\.0\/24,10\.0\.0\.0\/30,192\.168\.0\.2\/32; or where NAT gives them an address within: meshctl clustermesh check --context one,two,three --suppress source-ranges$/,
    );
  });
});
