/** Whom the source ranges of a load balancer keep out, and with which they are let in. */
import { describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { hangsOnConnections } from '../../src/mesh/checks/exposure.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { ConnectionCounts, StatusProblem, StatusReport } from '../../src/mesh/status/status.ts';
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
/** Dials at the given addresses, by agents: there is no KVStoreMesh. */
const agentsDial = (...addresses: string[]) => [
  apiserverDeployment({ kvstoremesh: false }),
  secretObject('cilium-clustermesh', { 'mesh-2': remotePeerFile('mesh-2', { addresses }, 'common-') }),
];

const NOBODY_ASKED: StatusReport = {
  ...{ context: 'one', namespace: 'kube-system', cluster: { name: 'mesh-1', id: 1 }, healthy: true, enabled: true },
  ...{ nodes: { total: 0, connected: 0 }, kvstoremesh: { enabled: false, replicas: 0, connected: 0 } },
  ...{ peers: [], serves: [], problems: [], faults: [] },
};

function look(clusters: ClusterSnapshot[], status?: StatusReport) {
  const checks = MESH_CHECKS.filter(({ id }) => id === 'source-ranges');
  const observed = new Map(status ? [['one', { containers: [], nodes: [], status }]] : []);
  return runChecks(checks, { clusters, now: NOW, observed }).filter(({ cluster = 'two' }) => cluster === 'two');
}

const OFFICE = ['203.0.113.0/24'];
const AZURE = 'service.beta.kubernetes.io/azure-allowed-ip-ranges';
const ANY_CLOUD = 'service.beta.kubernetes.io/load-balancer-source-ranges';
/** How each cloud has a range written. */
const WRITTEN: Readonly<Record<string, (range: string) => string>> = {
  [ANY_CLOUD]: (range) => `198.51.100.0/24, ${range}`,
  'service.beta.kubernetes.io/do-loadbalancer-allow-rules': (range) => `ip:198.51.100.1, cidr:${range}`,
};
/** What says of nobody here whether they are let in. */
const NOT_HERE: Readonly<Record<string, string>> = {
  'service.beta.kubernetes.io/aws-load-balancer-security-groups': 'sg-0123',
  'service.beta.kubernetes.io/aws-load-balancer-security-group-prefix-lists': 'pl-0123',
  'service.beta.kubernetes.io/azure-allowed-service-tags': 'AzureCloud',
  'service.beta.kubernetes.io/do-loadbalancer-deny-rules': 'cidr:10.0.0.0/8',
  'service.beta.kubernetes.io/linode-loadbalancer-firewall-acl': JSON.stringify({
    allowList: { ipv4: ['10.0.0.0/8'] },
  }),
  'service.beta.kubernetes.io/linode-loadbalancer-firewall-id': '0123',
  'service.beta.kubernetes.io/vultr-loadbalancer-firewall-rules': '10.0.0.0/8,2379',
  'service.beta.kubernetes.io/alibaba-cloud-loadbalancer-acl-id': 'acl-0123',
  'kubernetes.civo.com/firewall-id': '0123',
};
const [FIRST, SECOND] = snapshotOf().nodes;
const outside = { ...SECOND, addresses: [{ type: 'InternalIP', address: '192.168.0.2' }] };

describe('source-ranges', () => {
  it.each<[string, string, ClusterSnapshot, ClusterSnapshot]>([
    ['no ranges', 'pass', server(service()), client()],
    ['ranges with the nodes of the peer', 'pass', server(service(['10.0.0.0/24'])), client()],
    [
      'one node of the peer, whose pod may come to another one',
      'skip',
      server(service(['10.0.0.1/32'])),
      client({ apiserverPods: [{ name: 'pod', node: 'node-1', ready: true }] }),
    ],
    [
      'one node of the peer, whose pod is on another one',
      'warn',
      server(service(['10.0.0.1/32'])),
      client({ apiserverPods: [{ name: 'pod', node: 'node-2', ready: true }] }),
    ],
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
    ['the nodes by the annotation', 'pass', server(service([], { [AZURE]: '203.0.113.7/32, 10.0.0.0/8' })), client()],
    [
      'the nodes by the annotation, and other ranges in the field, by which the nodes of the server go',
      'warn',
      server(service(OFFICE, { [AZURE]: '10.0.0.0/8' })),
      client(),
    ],
    ...Object.entries(WRITTEN).flatMap(([name, write]): [string, string, ClusterSnapshot, ClusterSnapshot][] => [
      [`the nodes by ${name}`, 'pass', server(service([], { [name]: write('10.0.0.0/8') })), client()],
      [`other ranges by ${name}`, 'warn', server(service([], { [name]: write('203.0.113.0/24') })), client()],
    ]),
    ...Object.entries(NOT_HERE).flatMap(([name, value]): [string, string, ClusterSnapshot, ClusterSnapshot][] => [
      [`a list outside of the cluster, by ${name}`, 'skip', server(service([], { [name]: value })), client()],
      [`a field, beside which ${name} counts`, 'skip', server(service(['10.0.0.0/8'], { [name]: value })), client()],
    ]),
    [
      'ranges to keep out',
      'skip',
      server(service(['10.0.0.0/8'], { 'service.cilium.io/src-ranges-policy': 'Deny' })),
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

  it.each([
    ['fd00:18:3::100', ['10.0.0.0/24'], 'warn'],
    ['fd00:18:3::100', ['10.0.0.0/24', 'fd00:18:2::/64'], 'pass'],
    ['172.18.2.100', ['10.0.0.0/24'], 'pass'],
    ['172.18.2.100', ['fd00:18:2::/64'], 'warn'],
  ])('compares what nodes with addresses of both families send to %s with %j: %s', (dialled, ranges, severity) => {
    const { nodes, ciliumConfig } = client();
    const dual = client({
      ciliumConfig: { ...ciliumConfig, 'enable-ipv6': 'true' },
      nodes: nodes.map((node, index) => ({
        ...node,
        addresses: [...node.addresses, { type: 'InternalIP', address: `fd00:18:2::1${index}` }],
      })),
    });
    const base = loadBalancerService(dialled);
    const two = server({ ...base, spec: { ...(base.spec as object), loadBalancerSourceRanges: ranges } });
    const [finding] = look([dual, two]);
    expect(finding?.severity).toBe(severity);
    if (severity === 'warn') expect(finding?.args.what).toBe(dialled.includes(':') ? 'IPv6 address' : 'IPv4 address');
    // With the ranges of the hint all is well.
    const mended = /--load-balancer-source-ranges (\S+?)[; ]/.exec(finding?.hint ?? '')?.[1]?.split(',') ?? ranges;
    const spec = { ...(base.spec as object), loadBalancerSourceRanges: mended };
    expect(look([dual, server({ ...base, spec })]).map((one) => one.severity)).toEqual(['pass']);
  });

  describe('behind NAT', () => {
    const connected = (counts: Partial<ConnectionCounts>, more: Partial<StatusReport> = {}): StatusReport => ({
      ...NOBODY_ASKED,
      peers: [{ name: 'mesh-2', agents: { configured: 2, connected: 2, total: 2, ...counts } }],
      ...more,
    });
    const failing: StatusProblem = {
      peer: 'mesh-2',
      class: 'timed-out',
      message: '',
      component: 'agent',
      nodes: ['node-1'],
    };
    const at = (...addresses: string[]) => client({ live: agentsDial(...addresses.map((one) => `${one}:2379`)) });
    const security = server(service([], { 'service.beta.kubernetes.io/aws-load-balancer-security-groups': 'sg-1' }));

    it.each<[string, string, ClusterSnapshot, StatusReport, ClusterSnapshot?]>([
      ['all agents are connected', 'pass', at('172.18.2.100'), connected({})],
      ['one is not', 'warn', at('172.18.2.100'), connected({ connected: 1 })],
      ['none was asked', 'warn', at('172.18.2.100'), connected({ connected: 0, total: 0 })],
      ['all are, and one does not get in anew', 'warn', at('172.18.2.100'), connected({}, { problems: [failing] })],
      ['all are connected to somebody else', 'warn', at('172.18.2.100'), connected({}, { peers: [] })],
      ['all are, perhaps through a proxy', 'warn', at('172.18.2.100', '198.51.100.9'), connected({})],
      ['all are, and by a security group', 'pass', at('172.18.2.100'), connected({}), security],
    ])('%s: %s', (_what, severity, one, status, two = server(service(OFFICE))) => {
      const [finding, ...more] = look([one, two], status);
      expect({ severity: finding?.severity, more }).toEqual({ severity, more: [] });
      const samples = severity === 'pass' ? ['two: one connected through it'] : undefined;
      expect(finding?.args.samples).toEqual(samples);
    });

    it.each<[string, boolean, ClusterSnapshot, ClusterSnapshot]>([
      ['there are no ranges', false, at('172.18.2.100'), server(service())],
      ['its nodes are within', false, at('172.18.2.100'), server(service(['10.0.0.0/24']))],
      ['its nodes are not', true, at('172.18.2.100'), server(service(OFFICE))],
      ['its nodes are not, and it may be a proxy', false, at('172.18.2.100', '198.51.100.9'), server(service(OFFICE))],
      ['a security group lets in', true, at('172.18.2.100'), security],
    ])('hangs on who is connected where %s: %s', (_what, is, one, two) => {
      expect(hangsOnConnections([one, two])).toBe(is);
      expect(hangsOnConnections([two])).toBe(false);
    });
  });

  it.each([
    ['kubectl', {}, ' --force-conflicts'],
    ['meshctl', {}, ''],
    ['helm', { 'meta.helm.sh/release-name': 'cilium' }, ''],
  ])(
    'as %s has set them, the command that lets them in takes them over where that lasts',
    (manager, annotations, flag) => {
      const live = service(OFFICE, annotations);
      live.metadata.managedFields = [{ manager, fieldsV1: { 'f:spec': { 'f:loadBalancerSourceRanges': {} } } }];
      expect(look([client(), server(live)])[0]?.hint).toMatch(new RegExp(`10\\.0\\.0\\.0/30${flag}; or where`));
    },
  );

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
