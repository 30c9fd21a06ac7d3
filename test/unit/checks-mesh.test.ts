import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import {
  readBgpPrefixes,
  readBgpSessions,
  readHealth,
  readOwnCluster,
} from '../../src/mesh/checks/shared/agent-answers.ts';
import { type Finding, runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterObservation, MeshCheckInput, NodeObservation } from '../../src/mesh/checks/shared/mesh-input.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const FILE = 'endpoints:\n- https://203.0.113.7:2379\n';

const DIALS_TWO = secretObject('cilium-clustermesh', { 'mesh-2': FILE });

const config = (id: number, more: Record<string, string> = {}) => ({
  'cluster-name': `mesh-${id}`,
  'cluster-id': String(id),
  ...more,
});
const NATIVE = { 'routing-mode': 'native', 'enable-bgp-control-plane': 'true' };

const agents = (ready: number) => ({ image: 'quay.io/cilium/cilium:v1.20.0', desired: ready, ready });

function inputOf(
  observation: Partial<ClusterObservation>,
  first: Parameters<typeof snapshotOf>[0] = {},
): MeshCheckInput {
  const clusters: ClusterSnapshot[] = [
    snapshotOf({
      ...{ context: 'one', ciliumConfig: config(1), ciliumPodCidrs: ['10.1.0.0/24'] },
      // Agents know nodes of whom they dial.
      ...(observation.nodes?.some(({ health }) => health) ? { live: [DIALS_TWO] } : {}),
      ...first,
    }),
    snapshotOf({ context: 'two', ciliumConfig: config(2), ciliumPodCidrs: ['10.2.0.0/24'], agent: agents(1) }),
  ];
  return { clusters, now: NOW, observed: new Map([['one', { containers: [], nodes: [], ...observation }]]) };
}

function findingsOf(id: string, input: MeshCheckInput): Finding[] {
  const check = MESH_CHECKS.filter((one) => one.id === id).map((one) => ({ ...one, needs: undefined }));
  return runChecks(check, input);
}

/** Of the first cluster; what passes names no cluster. */
const severities = (id: string, input: MeshCheckInput) =>
  findingsOf(id, input)
    .filter(({ cluster }) => cluster === undefined || cluster === 'one')
    .map(({ severity }) => severity);

function scaledToZero(): KubeObject {
  const deployment = apiserverDeployment();
  return { ...deployment, spec: { ...(deployment.spec as object), replicas: 0 }, status: { observedGeneration: 1 } };
}

function issuedByCertManager(name = 'clustermesh-apiserver-server-cert'): KubeObject {
  const annotations = { 'cert-manager.io/certificate-name': name };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system', annotations } };
}

const observed = (more: Partial<NodeObservation>): Partial<ClusterObservation> => ({
  nodes: [{ node: 'node-1', ...more }],
});

const advertising = (bgpAdvertised: NodeObservation['bgpAdvertised'], state = 'established') =>
  observed({ bgpSessions: [{ peer: '10.0.0.1', state }], bgpAdvertised });

describe('checks of the network', () => {
  const health = (status: string, ping = '') =>
    readHealth({
      nodes: [
        { name: 'mesh-1/node-1', host: { 'primary-address': { icmp: {}, http: {} } } },
        { name: 'mesh-2/node-1', host: { 'primary-address': { icmp: { status: ping }, http: { status } } } },
      ],
    });

  const unprobed =
    readHealth({
      nodes: [{ name: 'mesh-2/node-2', host: { 'primary-address': { ip: '10.0.9.1' } }, 'health-endpoint': {} }],
    }) ?? [];

  it.each([
    ['node-health', 'pass', observed({ health: health('') }), {}],
    ['node-health', 'fail', observed({ health: health('connection timed out') }), {}],
    ['node-health', 'warn', observed({ health: health('', 'connection timed out') }), {}],
    ['node-health', 'skip', observed({}), {}],
    ['node-health', 'skip', observed({ health: readHealth({ nodes: null }) }), {}],
    ['node-health', 'skip', observed({ health: [...(health('') ?? []), ...unprobed] }), {}],
    ['node-health', 'skip', { nodes: [...(observed({ health: health('') }).nodes ?? []), { node: 'node-2' }] }, {}],
    ['bgp-sessions', 'skip', observed({}), {}],
    ['bgp-sessions', 'skip', observed({ bgpSessions: [] }), NATIVE],
    ['node-health', 'skip', observed({ health: readHealth({ nodes: [{ name: 'mesh-1/node-2' }] }) }), {}],
    ['bgp-sessions', 'skip', observed({}), NATIVE],
    [
      'bgp-sessions',
      'pass',
      observed({ bgpSessions: readBgpSessions([{ 'peer-address': '10.0.0.1', 'session-state': 'established' }]) }),
      NATIVE,
    ],
    [
      'bgp-sessions',
      'fail',
      observed({ bgpSessions: readBgpSessions([{ 'peer-address': '10.0.0.1', 'session-state': 'active' }]) }),
      NATIVE,
    ],
    ['bgp-pod-cidrs', 'pass', advertising({ 4: readBgpPrefixes([{ prefix: '10.1.0.0/24' }]) }), NATIVE],
    ['bgp-pod-cidrs', 'pass', advertising({ 4: readBgpPrefixes([{ prefix: '10.0.0.0/8' }]) }), NATIVE],
    ['bgp-pod-cidrs', 'warn', advertising({ 4: readBgpPrefixes([{ prefix: '203.0.113.7/32' }]) }), NATIVE],
    ['bgp-pod-cidrs', 'warn', advertising({ 4: readBgpPrefixes(null) }), NATIVE],
    ['bgp-pod-cidrs', 'skip', advertising({}), NATIVE],
    ['bgp-pod-cidrs', 'skip', observed({ bgpSessions: [], bgpAdvertised: { 4: [] } }), NATIVE],
    ['bgp-pod-cidrs', 'skip', advertising({ 4: [] }, 'active'), NATIVE],
    ['bgp-pod-cidrs', 'skip', advertising({ 4: [] }), { ...NATIVE, 'routing-mode': 'tunnel' }],
    ['bgp-pod-cidrs', 'skip', advertising({ 4: [] }), { ...NATIVE, ipam: 'eni' }],
    ['native-routes', 'pass', observed({ routes: { 4: [{ destination: '10.2.0.0/24', via: '10.0.0.9' }] } }), NATIVE],
    ['native-routes', 'pass', observed({ routes: { 4: [{ destination: 'default', via: '10.0.0.1' }] } }), NATIVE],
    ['native-routes', 'fail', observed({ routes: { 4: [{ destination: '10.1.0.0/24' }] } }), NATIVE],
    [
      'native-routes',
      'fail',
      observed({ routes: { 4: [{ destination: '10.2.0.0/16', drops: 'blackhole' }, { destination: 'default' }] } }),
      NATIVE,
    ],
    ['native-routes', 'fail', observed({ routes: { 4: [{ destination: 'default', drops: 'unreachable' }] } }), NATIVE],
    ['native-routes', 'skip', observed({ routes: { 4: [] } }), {}],
  ])('%s: %s', (id, severity, observation, more) => {
    expect(severities(id, inputOf(observation, { ciliumConfig: config(1, more) }))).toEqual([severity]);
  });

  it('judges no routes to pods of a cluster whose CiliumNodes could not be read', () => {
    const input = inputOf(observed({ routes: { 4: [] } }), { ciliumConfig: config(1, NATIVE) });
    const [one, two] = input.clusters;
    const pools = { ...two?.ciliumConfig, 'cluster-pool-ipv4-cidr': '10.0.0.0/8' };
    const unread = { ...two, ciliumPodCidrs: undefined, ciliumConfig: pools } as ClusterSnapshot;
    expect(severities('native-routes', { ...input, clusters: [one as ClusterSnapshot, unread] })).toEqual(['skip']);
    // Beside one that is known it is named, and what is known is judged all the same.
    const known = snapshotOf({ context: 'three', ciliumConfig: config(3), ciliumPodCidrs: ['10.3.0.0/24'] });
    const three = { ...input, clusters: [one as ClusterSnapshot, unread, known] };
    const reason = expect.stringContaining('no pod ranges of two are known');
    expect(severities('native-routes', three)).toEqual(['fail', 'skip']);
    expect(findingsOf('native-routes', three)).toContainEqual(
      expect.objectContaining({ severity: 'skip', cluster: 'one', args: expect.objectContaining({ reason }) }),
    );
  });

  it('says nothing of what is advertised of ranges that could not be read', () => {
    const unread = { ciliumConfig: config(1, NATIVE), ciliumPodCidrs: undefined };
    const found = findingsOf('bgp-pod-cidrs', inputOf(advertising({ 4: [] }), unread));
    const reason = expect.stringContaining('its CiliumNodes could not be read');
    expect(found).toContainEqual(
      expect.objectContaining({ severity: 'skip', cluster: 'one', args: expect.objectContaining({ reason }) }),
    );
  });

  it.each([
    ['a default route of the other family is none', { 4: [{ destination: 'default' }], 6: [] }, ['fail']],
    ['its own default route is one', { 4: [], 6: [{ destination: 'default' }] }, ['pass']],
    ['its own route is one', { 4: [], 6: [{ destination: 'fd00:2::/48' }] }, ['pass']],
    ['routes that nobody told are not judged', { 4: [{ destination: 'default' }] }, ['skip']],
  ] as const)('routes to pods with IPv6: %s', (_what, routes, expected) => {
    const input = inputOf(observed({ routes }), { ciliumConfig: config(1, { ...NATIVE, 'enable-ipv6': 'true' }) });
    const [one, two] = input.clusters as [ClusterSnapshot, ClusterSnapshot];
    const six = { ...two, ciliumConfig: config(2, { 'enable-ipv6': 'true' }), ciliumPodCidrs: ['fd00:2::/64'] };
    expect(severities('native-routes', { ...input, clusters: [one, six] })).toEqual(expected);
  });

  it.each([
    ['each of its own', { 4: ['10.1.0.0/24'], 6: ['fd00:1::/64'] }, ['pass']],
    ['one family alone', { 4: ['10.1.0.0/24'], 6: [] }, ['warn']],
    ['one family, and of the other nobody told', { 4: ['10.1.0.0/24'] }, ['skip']],
  ] as const)('what a node of two families advertises: %s', (_what, advertised, expected) => {
    const six = { 'enable-ipv6': 'true' };
    const ciliumPodCidrs = ['10.1.0.0/24', 'fd00:1::/64'];
    const input = inputOf(advertising(advertised), { ciliumConfig: config(1, { ...NATIVE, ...six }), ciliumPodCidrs });
    const [one, two] = input.clusters as [ClusterSnapshot, ClusterSnapshot];
    const other = { ...two, ciliumConfig: config(2, six) };
    expect(severities('bgp-pod-cidrs', { ...input, clusters: [one, other] })).toEqual(expected);
  });

  it('need not tell of a family that no other cluster has', () => {
    const own = { 'enable-ipv6': 'true', ...NATIVE };
    const ciliumPodCidrs = ['10.1.0.0/24', 'fd00:1::/64'];
    const input = inputOf(advertising({ 4: ['10.1.0.0/24'], 6: [] }), { ciliumConfig: config(1, own), ciliumPodCidrs });
    expect(severities('bgp-pod-cidrs', input)).toEqual(['pass']);
  });

  it.each([
    ['none of a cluster that it is to reach', ['mesh-2', 'mesh-3'], 0, 'the agent of node-1 knows no node of three'],
    ['a part of its nodes', ['mesh-2', 'mesh-3'], 2, 'the agent of node-1 knows 2 of 3 nodes of three'],
    ['all of them', ['mesh-2', 'mesh-3'], 3, undefined],
    ['none of one that it is not to reach', ['mesh-2'], 0, undefined],
    ['none of one that was not read', ['mesh-2', 'mesh-4'], 0, 'the agent of node-1 knows no node of mesh-4'],
  ])('is not taken for healthy where an agent knows %s', (_what, dialled, known, reason) => {
    const of = (cluster: string, count: number) =>
      Array.from({ length: count }, (_, index) => ({
        ...{ node: `${cluster}/node-${index}`, probed: true, unprobed: [], problems: [] },
      }));
    const live = [secretObject('cilium-clustermesh', Object.fromEntries(dialled.map((peer) => [peer, FILE])))];
    const input = inputOf(observed({ health: [...of('mesh-2', 1), ...of('mesh-3', known)] }), { live });
    // It knows nobody: it is yet to be connected.
    const three = snapshotOf({ context: 'three', ciliumConfig: config(3), agent: agents(3) });
    const found = findingsOf('node-health', { ...input, clusters: [...input.clusters, three] });
    expect(found.find(({ cluster }) => cluster === 'one')?.args.reason).toBe(reason);
  });

  it('does not miss nodes of a cluster that has been left, of which its agents still know', () => {
    const said = [...(health('') ?? []), ...(health('connection timed out') ?? [])];
    const left = said.map((one) => ({ ...one, node: one.problems.length > 0 ? 'mesh-3/node-1' : one.node }));
    const input = inputOf(observed({ health: left }));
    const three = snapshotOf({ context: 'three', ciliumConfig: config(3), agent: agents(1) });
    expect(severities('node-health', { ...input, clusters: [...input.clusters, three] })).toEqual(['pass']);
  });

  it.each([
    ['dials others', {}, 'fail'],
    ['has left, and its agents do not know it yet', { live: [] }, 'skip'],
  ])('of a cluster that %s: %j, %s', (_what, first, severity) => {
    const input = inputOf(observed({ health: health('connection timed out') }), first);
    expect(severities('node-health', input)).toContain(severity);
  });

  it('names the node that is not reached and why', () => {
    const input = inputOf(observed({ health: health('connection timed out') }));
    const [entry] = describeFindings(MESH_CHECKS, findingsOf('node-health', input));
    expect(entry?.message).toBe('context "one": node-1 to mesh-2/node-1 (node http: connection timed out)');
    expect(entry?.hint).toContain('TCP 4240');
    expect(entry?.hint).toMatch(/: meshctl connectivity probe --context one,two$/);
  });

  it('shows the BGP peers of the agent that has lost one', () => {
    const told = (node: string, state: string): NodeObservation => ({
      ...{ node, pod: `cilium-of-${node}`, bgpSessions: [{ peer: '10.0.0.1', state }] },
    });
    const nodes = [told('node-1', 'established'), told('node-17', 'active')];
    const [entry] = findingsOf('bgp-sessions', inputOf({ nodes }, { ciliumConfig: config(1, NATIVE) }));
    expect(entry?.args.cases).toEqual(['node-17 to 10.0.0.1 (active)']);
    expect(entry?.hint).toBe(
      'kubectl --context one -n kube-system exec cilium-of-node-17 -c cilium-agent -- cilium-dbg bgp peers',
    );
  });

  it('names both ends to a probe, also where the other cluster is not among those that were read', () => {
    const input = inputOf(observed({ health: health('connection timed out') }));
    const three = snapshotOf({ context: 'three', ciliumConfig: config(3), agent: agents(1) });
    const hintBeside = (...others: ClusterSnapshot[]) => {
      const clusters = [...input.clusters.slice(0, 1), ...others];
      const [found] = findingsOf('node-health', { ...input, clusters }).filter(({ severity }) => severity === 'fail');
      return found?.hint;
    };
    const probe = "meshctl connectivity probe --context 'one,<context of mesh-2>'";
    expect(hintBeside()?.endsWith(probe)).toBe(true);
    expect(hintBeside(three)?.endsWith(probe)).toBe(true);
  });

  it('judges all addresses of a node and of its endpoint, and names the one that fails with its family', () => {
    const well = { icmp: {}, http: {} };
    const lost = { icmp: { status: 'timed out' }, http: { status: 'timed out' } };
    const seen = (host: object, endpoint: object, more: Record<string, string> = {}) => {
      const path = (primary: string, six: string, more: object) => ({
        'primary-address': { ip: primary, ...well },
        'secondary-addresses': [{ ip: six, ...more }],
      });
      const of = {
        host: path('10.0.2.1', 'fd00::2:1', host),
        'health-endpoint': path('10.2.0.2', 'fd00:2::2', endpoint),
      };
      const health = readHealth({ nodes: [{ name: 'mesh-2/node-1', ...of }] });
      const input = inputOf(observed({ health }), { ciliumConfig: config(1, { 'enable-ipv6': 'true', ...more }) });
      const clusters = input.clusters.map((one) => ({
        ...one,
        ciliumConfig: { ...one.ciliumConfig, 'enable-ipv6': 'true' },
      }));
      const found = findingsOf('node-health', { ...input, clusters });
      return describeFindings(
        MESH_CHECKS,
        found.filter(({ cluster }) => cluster === 'one'),
      );
    };
    const of = 'context "one": node-1 to mesh-2/node-1';
    expect(seen(well, well)).toEqual([]);
    // The tunnel is over IPv4, unless it is told otherwise; routed natively, packets have the family that they have.
    expect(seen(lost, well, { 'underlay-protocol': 'ipv6' })).toMatchObject([{ severity: 'fail' }]);
    expect(seen(lost, well, { 'routing-mode': 'native' })).toMatchObject([{ severity: 'fail' }]);
    expect(seen(lost, well)).toMatchObject([
      {
        severity: 'warn',
        message: `${of} (node icmp over IPv6 to fd00::2:1: timed out; node http over IPv6 to fd00::2:1: timed out)`,
      },
    ]);
    expect(seen({ ...well, icmp: lost.icmp }, well)).toMatchObject([{ severity: 'warn' }]);
    expect(seen(well, lost)).toMatchObject([
      { severity: 'fail', message: expect.stringContaining('endpoint http over IPv6 to fd00:2::2: timed out') },
    ]);
    expect(seen({}, well)).toMatchObject([
      { severity: 'skip', message: expect.stringContaining('mesh-2/node-1 at fd00::2:1') },
    ]);
  });

  describe('of a node that refuses what is sent to it', () => {
    const REFUSED = 'Get "http://10.0.2.1:4240/hello": dial tcp 10.0.2.1:4240: connect: connection refused';
    const seconds = (ago: number) => new Date(NOW.getTime() - ago * 1000).toISOString();
    const probed = (status: string, ago: number) => ({ status, lastProbed: seconds(ago) });
    const told = (pings: string, ago: number, endpoint = '') => ({
      probeInterval: '1m5.916737334s',
      nodes: [
        {
          name: 'mesh-2/node-1',
          host: { 'primary-address': { ip: '10.0.2.1', icmp: probed(pings, ago), http: probed(REFUSED, ago) } },
          'health-endpoint': {
            'primary-address': { ip: '10.2.0.2', icmp: probed(endpoint, ago), http: probed(endpoint, ago) },
          },
        },
      ],
    });
    const seen = (document: object, startedAt?: Date) => {
      const input = inputOf(observed({ health: readHealth(document, NOW) }));
      const there = { containers: [], nodes: [{ node: 'node-1', startedAt }] };
      const found = findingsOf('node-health', { ...input, observed: new Map([...input.observed, ['two', there]]) });
      return describeFindings(
        MESH_CHECKS,
        found.filter(({ cluster }) => cluster === 'one'),
      )[0];
    };

    it('blames no network, as pings come back from there, and says how long ago that was', () => {
      const entry = seen(told('', 70));
      expect(entry).toMatchObject({
        severity: 'warn',
        message: expect.stringContaining('connection refused, 70 s ago)'),
      });
      expect(entry?.hint).not.toMatch(/VPN/);
      expect(entry?.hint).toContain('kubectl --context two -n kube-system get pods -l k8s-app=cilium -o wide; or');
      expect(entry?.hint).toMatch(/: meshctl connectivity probe --context one,two$/);
    });

    it('does where they do not, or where its endpoint is lost besides', () => {
      expect(seen(told('timed out', 5))).toMatchObject({ severity: 'fail', hint: expect.stringMatching(/VPN/) });
      expect(seen(told('', 5, 'timed out'))?.severity).toBe('fail');
    });

    it('waits for the next probe where its agent has started since', () => {
      const since = (ago: number) => new Date(NOW.getTime() - ago * 1000);
      expect(seen(told('', 70, 'timed out'), since(20))).toMatchObject({
        severity: 'skip',
        message: expect.stringContaining('have not probed mesh-2/node-1 of late'),
      });
      expect(seen(told('', 70), since(90))?.severity).toBe('warn');
      // That pings are lost has nothing to do with it.
      expect(seen(told('timed out', 70), since(20))?.severity).toBe('fail');
    });

    it.each([
      ['the newest of the answer', 200, 0, 'warn'],
      ['the newest of the answer', 300, 0, 'skip'],
      ['the cluster, but for a clock that is off', 300, 300, 'warn'],
      ['the cluster', 1200, 1200, 'skip'],
    ])('goes by nothing that is several intervals old by %s: %d s, and %d s', (_what, ago, newest, severity) => {
      const document = { ...told('', ago), timestamp: seconds(newest) };
      expect(seen(document)?.severity).toBe(severity);
      const { nodes, ...rest } = document;
      const well = JSON.parse(JSON.stringify(nodes).replaceAll(/Get .*? refused/g, ''));
      expect(seen({ ...rest, nodes: well })?.severity).toBe(severity === 'warn' ? undefined : 'skip');
      const timeless = JSON.parse(JSON.stringify(nodes).replaceAll(/,"lastProbed":"[^"]*"/g, ''));
      expect(seen({ ...rest, nodes: timeless })?.severity).toBe('warn');
    });
  });

  it('tells a tunnel that is blocked from nodes that are not reached', () => {
    const well = { icmp: { status: '' }, http: { status: '' } };
    const lost = { icmp: { status: 'timed out' }, http: { status: 'timed out' } };
    const node = { name: 'mesh-2/node-1', host: { 'primary-address': well } };
    const tunnel = readHealth({ nodes: [{ ...node, 'health-endpoint': { 'primary-address': lost } }] });
    const input = inputOf(observed({ health: tunnel }));
    // It dials back: else its pods could not answer.
    const back = snapshotOf({
      ...{ context: 'two', ciliumConfig: config(2), agent: agents(1) },
      live: [secretObject('cilium-clustermesh', { 'mesh-1': FILE })],
    });
    const clusters = [...input.clusters.slice(0, 1), back];
    const [entry] = describeFindings(MESH_CHECKS, findingsOf('node-health', { ...input, clusters }));
    expect(entry).toMatchObject({ severity: 'fail', hint: expect.stringContaining('UDP 8472') });
    expect(entry?.hint).not.toContain('4240');
  });
});

describe('checks of addresses with IPv6', () => {
  const SIX = { 'enable-ipv4': 'false', 'enable-ipv6': 'true' };
  const DUAL = { 'enable-ipv6': 'true' };
  const MASKED = { ...NATIVE, 'ipv4-native-routing-cidr': '10.1.0.0/16', 'ipv6-native-routing-cidr': 'fd00:1::/48' };
  const found = (id: string, one: Record<string, string>, two: Record<string, string>, cidrs: string[]) => {
    const input = inputOf({}, { ciliumConfig: config(1, one), ciliumPodCidrs: ['fd00:1::/64'] });
    const other = { ...input.clusters[1], ciliumConfig: config(2, two), ciliumPodCidrs: cidrs } as ClusterSnapshot;
    const clusters = [input.clusters[0] as ClusterSnapshot, other];
    const findings = findingsOf(id, { ...input, clusters });
    return findings.filter(({ severity }) => severity !== 'skip' && severity !== 'pass').map(({ args }) => args);
  };

  it.each([
    ['IPv6 alone masks no IPv4', SIX, {}, ['10.2.0.0/24'], []],
    ['the range of IPv6 is looked at', DUAL, DUAL, ['fd00:2::/64'], ['ipv6-native-routing-cidr']],
    ['unless it does not masquerade it', { ...DUAL, 'enable-ipv6-masquerade': 'false' }, DUAL, ['fd00:2::/64'], []],
    [
      'each by itself',
      DUAL,
      DUAL,
      ['10.2.0.0/24', 'fd00:2::/64'],
      ['ipv4-native-routing-cidr', 'ipv6-native-routing-cidr'],
    ],
    ['IPv6 that is off is not', {}, {}, ['10.2.0.0/24', 'fd00:2::/64'], ['ipv4-native-routing-cidr']],
  ] as const)('native-routing-cidr: %s', (_what, one, two, cidrs, options) => {
    const args = found('native-routing-cidr', { ...MASKED, ...one }, { ...NATIVE, ...two }, [...cidrs]);
    expect(args.map(({ option }) => option)).toEqual(options);
  });

  it.each([
    ['a pool of IPv4 that is off', { ...SIX, 'cluster-pool-ipv4-cidr': '10.0.0.0/8' }, 0],
    ['one that is on', { 'cluster-pool-ipv4-cidr': '10.0.0.0/8' }, 1],
  ])('pod-cidr-overlap: %s', (_what, settings, count) => {
    expect(found('pod-cidr-overlap', settings, settings, ['fd00:2::/64'])).toHaveLength(count);
  });
});

const balanced = (...ingress: object[]) =>
  serviceObject({ type: 'LoadBalancer', ports: [{ port: 2379 }] }, { loadBalancer: { ingress } });

describe('checks of the clustermesh-apiserver', () => {
  const ready = [{ pod: 'p', container: 'etcd', ready: true, restarts: 0 }];

  it.each([
    ['apiserver-deployed', 'pass', [apiserverDeployment()]],
    ['apiserver-deployed', 'fail', []],
    ['apiserver-ready', 'pass', [apiserverDeployment()]],
    ['apiserver-ready', 'fail', [{ ...apiserverDeployment(), status: {} }]],
    ['apiserver-ready', 'fail', [scaledToZero()]],
    ['apiserver-private', 'skip', [apiserverDeployment()]],
    ['apiserver-private', 'skip', [loadBalancerService()]],
    ['apiserver-address', 'pass', [apiserverDeployment(), loadBalancerService('10.0.0.1')]],
    ['apiserver-address', 'fail', [apiserverDeployment(), loadBalancerService()]],
    ['apiserver-private', 'pass', [loadBalancerService('10.0.0.1', 'fd00::1')]],
    ['apiserver-private', 'warn', [loadBalancerService('203.0.113.7')]],
    ['apiserver-private', 'skip', [balanced({ hostname: 'lb.example' })]],
    ['apiserver-private', 'skip', [balanced({ ip: '10.0.0.1' }, { hostname: 'lb.example' })]],
    ['apiserver-private', 'skip', [balanced({ ip: '10.0.0.1', hostname: 'lb.example' })]],
  ])('%s: %s', (id, severity, live) => {
    const input = inputOf({ containers: ready }, { live });
    expect(severities(id, { ...input, clusters: input.clusters.slice(0, 1) })).toEqual([severity]);
  });

  it('apiserver-ready tells what refuses new pods, of which there are none to look at', () => {
    const message = 'pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3';
    const conditions = [{ type: 'ReplicaFailure', status: 'True', message }];
    const input = inputOf({ containers: ready }, { live: [{ ...apiserverDeployment(), status: { conditions } }] });
    const findings = runChecks(MESH_CHECKS, { ...input, clusters: input.clusters.slice(0, 1) });
    expect(findings.find(({ id }) => id === 'apiserver-ready')).toMatchObject({
      args: { stall: `its pods are refused: ${message}` },
      hint: expect.stringMatching(/make room in it: kubectl .* describe resourcequota\/small$/),
    });
  });

  it('apiserver-private warns of a public address beside a name that cannot be judged', () => {
    const live = [balanced({ ip: '203.0.113.7' }, { hostname: 'lb.example' })];
    const input = inputOf({}, { live });
    expect(severities('apiserver-private', { ...input, clusters: input.clusters.slice(0, 1) })).toEqual([
      'warn',
      'skip',
    ]);
  });

  it('apiserver-private looks at every node that serves a NodePort, not only at those that peers dial', () => {
    const node = (index: number, address: string) => ({
      ...{ name: `node-${index}`, ready: true, labels: {}, podCidrs: [] },
      addresses: [{ type: 'InternalIP', address }],
    });
    const nodes = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '203.0.113.4'].map((address, index) => node(index, address));
    const live = [serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] })];
    const input = inputOf({}, { live, nodes });
    const [found] = findingsOf('apiserver-private', { ...input, clusters: input.clusters.slice(0, 1) });
    expect(found).toMatchObject({ severity: 'warn', args: { addresses: ['203.0.113.4'] } });
  });

  it.each([
    [
      'gce://project/zone/node',
      /: meshctl clustermesh enable --context \S+ --service-annotation networking\.gke\.io\/load-balancer-type=Internal --service-annotation networking\.gke\.io\/internal-load-balancer-allow-global-access=true$/,
    ],
    [
      'linode://1',
      /: meshctl clustermesh enable --context \S+ --service-annotation 'service\.beta\.kubernetes\.io\/linode-loadbalancer-firewall-acl=\{"allowList":\{"ipv4":\["<range>"\]\}\}'$/,
    ],
    [
      'vultr://1',
      /: meshctl clustermesh enable --context \S+ --service-annotation 'service\.beta\.kubernetes\.io\/vultr-loadbalancer-firewall-rules=<range>,2379'$/,
    ],
    [undefined, /^[^<]*\(enable --service-annotation\), or let only [^<]*\.$/],
  ])('apiserver-private on %s names what is known to make it private', (providerId, hint) => {
    const nodes = [{ name: 'node-1', ready: true, labels: {}, addresses: [], podCidrs: [], providerId }];
    const input = inputOf({}, { live: [loadBalancerService('203.0.113.7')], nodes });
    const [found] = findingsOf('apiserver-private', { ...input, clusters: input.clusters.slice(0, 1) });
    expect(found?.hint).toMatch(hint);
  });

  it.each([
    ['pass', { ready: true, restarts: 1 }],
    ['warn', { ready: true, restarts: 9 }],
    ['fail', { ready: false, restarts: 0 }],
  ])('apiserver-etcd: %s', (severity, facts) => {
    const input = inputOf({ containers: [{ pod: 'p', container: 'etcd', ...facts }] });
    expect(severities('apiserver-etcd', input)).toEqual([severity]);
  });
});

describe('checks of CAs and ownership', () => {
  const caSecret = (data: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cilium-ca', namespace: 'kube-system' },
    data,
  });
  const signed = { tlsSecrets: new Map([['clustermesh-apiserver-server-cert', tlsFacts('ca-one', {})]]) };

  it.each([
    ['is there', 'pass', { ...signed, live: [caSecret({ 'ca.crt': 'x' })] }],
    ['has its key elsewhere', 'pass', { ...signed, ca: { ...caFacts('ca-one'), hasKey: false, keyMatches: false } }],
    ['is not there yet', 'skip', { ca: undefined }],
    ['is gone', 'fail', { ...signed, ca: undefined }],
    ['is empty', 'fail', { ca: undefined, live: [caSecret({})] }],
    ['cannot be read', 'fail', { ca: undefined, live: [caSecret({ 'ca.crt': 'x' })] }],
    ["has another one's key", 'fail', { ...signed, ca: { ...caFacts('ca-one'), keyMatches: false } }],
    ["is cert-manager's", 'skip', { ...signed, ca: undefined, live: [issuedByCertManager()] }],
    [
      "is gone, and signed one certificate beside cert-manager's",
      'fail',
      {
        ...signed,
        ca: undefined,
        live: [
          issuedByCertManager('clustermesh-apiserver-admin-cert'),
          {
            ...caSecret({ 'tls.crt': 'x' }),
            metadata: { name: 'clustermesh-apiserver-server-cert', namespace: 'kube-system' },
          },
        ],
      },
    ],
  ])('a CA that %s: %s', (_when, severity, first) => {
    const findings = findingsOf('tls-ca', inputOf({}, first));
    expect(findings.find(({ cluster = 'one' }) => cluster === 'one')?.severity).toBe(severity);
    if (severity !== 'fail') return;
    expect(findings[0]?.hint).toMatch(
      /restore Secret kube-system\/cilium-ca from backup; or .+: meshctl clustermesh enable --context one --replace-ca$/,
    );
  });

  it('a CA that signed none of the certificates is said once, with what mends it', () => {
    const input = inputOf({}, { ...signed, ca: caFacts('ca-else'), live: [apiserverDeployment()] });
    const [finding] = findingsOf('tls-ca', input);
    expect(finding).toMatchObject({
      severity: 'fail',
      args: { reason: 'Secret cilium-ca holds a CA that signed none of the certificates in use' },
      hint: 'reissue the certificates: meshctl clustermesh enable --context one',
    });
    expect(severities('tls-chain', input)).not.toContain('fail');
  });

  it.each([
    ['which cert-manager issues', [issuedByCertManager()], false],
    ['which it does not issue', [], true],
    ['beside one that it issues', [issuedByCertManager('clustermesh-apiserver-admin-cert')], true],
  ])('a certificate of another CA than the one in Secret cilium-ca, %s', (_which, live, isFault) => {
    const cluster = { ...signed, ca: caFacts('ca-of-hubble'), live: [apiserverDeployment(), ...live] };
    const input = inputOf(
      {},
      {
        ...cluster,
        tlsSecrets: new Map([...signed.tlsSecrets, ['clustermesh-apiserver-admin-cert', tlsFacts('ca-of-hubble', {})]]),
      },
    );
    const secrets = findingsOf('tls-chain', input).flatMap(({ severity, args }) =>
      severity === 'fail' ? [args.secret] : [],
    );
    expect(secrets.includes('clustermesh-apiserver-server-cert')).toBe(isFault);
  });

  it.each([
    ['that was not read', ['remote-mesh-9'], [], 'skip'],
    ['that was read, and is no peer', ['remote-mesh-2'], [], 'warn'],
    ['that was read, and may be invited', ['remote-mesh-2'], undefined, 'skip'],
    ['that is a user of its own kind', ['remote', 'admin-mesh-2'], [], 'skip'],
  ])('a user of a cluster %s: %s', (_when, names, invited, severity) => {
    const remoteUsers = names.map((name) => ({ name, role: 'remote' }));
    const [first] = findingsOf('tls-orphaned-users', inputOf({ invited }, { remoteUsers }));
    expect(first).toMatchObject({ severity, cluster: 'one' });
  });

  const served = (name: string, ...users: string[]) => ({
    live: [apiserverDeployment(), ...(name === '' ? [] : [secretObject('cilium-clustermesh', { [name]: FILE })])],
    remoteUsers: users.map((user) => ({ name: user, role: 'remote' })),
  });
  const BOTH_WAYS =
    /connect them again: .* connect --context one --destination-context two; or (?:lock it out|part one and two, .*): /;
  const OUT_ONLY = /^Anyone with its certificate is still let in\. To lock it out: .+ --destination-context two$/;

  it.each([
    ['let in, and lets in, and none of them dials anyone', ['', ''], true, 'skip', undefined],
    ['let in, and lets in, and one of them dials others', ['mesh-3', ''], true, 'skip', undefined],
    ['let in, and lets in, and both dial others', ['mesh-3', 'mesh-3'], true, 'fail', BOTH_WAYS],
    ['let in alone, and this cluster dials nobody', ['', 'mesh-3'], false, 'warn', BOTH_WAYS],
    ['let in alone, and dials nobody', ['mesh-3', ''], false, 'warn', BOTH_WAYS],
    ['let in alone, and both dial others', ['mesh-3', 'mesh-3'], false, 'warn', OUT_ONLY],
  ])('what is said of a cluster that is %s, is not the opposite of peers-connected', (...row) => {
    const [, [own = '', its = ''], isMutual, severity, hint] = row;
    const input = inputOf({ invited: [] }, served(own, 'remote-mesh-2'));
    const two = snapshotOf({
      context: 'two',
      ciliumConfig: config(2),
      ...served(its, ...(isMutual ? ['remote-mesh-1'] : [])),
    });
    const clusters = [...input.clusters.slice(0, 1), two];
    const [first] = findingsOf('tls-orphaned-users', { ...input, clusters });
    expect(first).toMatchObject({ severity, cluster: 'one' });
    if (hint) expect(first?.hint).toMatch(hint);
  });

  it('a user of a cluster that was let in by choice is no orphan, also when that cluster has lost its files', () => {
    const marked = secretObject('cilium-clustermesh', {});
    marked.metadata.annotations = { 'meshctl.io/mode.mesh-2': 'served' };
    const input = inputOf(
      { invited: [] },
      { live: [apiserverDeployment(), marked], remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }] },
    );
    expect(severities('tls-orphaned-users', input)).not.toContain('warn');
  });

  it.each([
    ['of a peer of the same owner', {}, /connect --context one --destination-context '<context of mesh-3>'$/],
    ['of a peer of another owner', { 'meshctl.io/joined.mesh-3': 'invitation' }, /invite --context one --peer mesh-3$/],
  ])(
    'a client certificate that ends soon is told, also where its peer is not among the clusters: %s',
    (_who, annotations, hint) => {
      const ends = new Date(NOW.getTime() + 3 * 24 * 60 * 60 * 1000);
      const file = secretObject('cilium-kvstoremesh', { 'mesh-3': 'endpoints:\n- https://203.0.113.7:2379\n' });
      const agents = secretObject('cilium-clustermesh', { 'mesh-3': cachedPeerFile('kube-system') });
      agents.metadata.annotations = annotations;
      const peerCertificates = new Map([
        ['mesh-3', tlsFacts('ca-three', { commonName: 'remote-mesh-1', notAfter: ends })],
      ]);
      const input = inputOf({}, { live: [apiserverDeployment(), file, agents], peerCertificates });
      const alone = { ...input, clusters: input.clusters.slice(0, 1) };
      const [finding] = findingsOf('peers-certificate', alone);
      expect(finding).toMatchObject({ severity: 'warn', args: { peer: 'mesh-3' }, hint: expect.stringMatching(hint) });
    },
  );

  it('a user of nobody beside that of a peer is no pass: it may be of a cluster that was not read', () => {
    const file = secretObject('cilium-kvstoremesh', { 'mesh-2': 'endpoints:\n- https://203.0.113.7:2379\n' });
    const agents = secretObject('cilium-clustermesh', { 'mesh-2': cachedPeerFile('kube-system') });
    const live = [apiserverDeployment(), file, agents];
    const users = (...names: string[]) => names.map((name) => ({ name, role: 'remote' }));
    const of = (...names: string[]) =>
      findingsOf('tls-orphaned-users', inputOf({}, { live, remoteUsers: users(...names) })).filter(
        ({ cluster = 'one' }) => cluster === 'one',
      );
    expect(of('remote-mesh-2')).toMatchObject([{ severity: 'pass' }]);
    expect(of('remote-mesh-2', 'remote-ghost')).toMatchObject([
      { severity: 'skip', args: { reason: 'remote-ghost may belong to clusters outside this check' } },
    ]);
  });

  it.each([
    ['pass', '2029-01-01'],
    ['warn', '2026-06-20'],
    ['fail', '2026-05-01'],
  ])('tls-ca-expiry: %s', (severity, day) => {
    const ca = caFacts('ca-one');
    const dated = { ...ca, certificate: { ...ca.certificate, notAfter: new Date(day) } };
    expect(severities('tls-ca-expiry', inputOf({}, { ca: dated }))).toEqual([severity]);
  });

  it.each([
    ['pass', []],
    ['warn', ['update Deployment clustermesh-apiserver']],
    ['skip', undefined],
  ])('ownership-drift: %s', (severity, drift) => {
    const input = inputOf({ drift }, { live: [apiserverDeployment()] });
    const [first] = findingsOf('ownership-drift', { ...input, clusters: input.clusters.slice(0, 1) });
    expect(first?.severity).toBe(severity);
  });
});

describe('a peer that agents read from the own cache', () => {
  const secret = (name: string, file: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'kube-system' },
    data: { 'mesh-2': Buffer.from(file).toString('base64') },
  });
  const cached = secret('cilium-clustermesh', cachedPeerFile('kube-system'));
  const dialled = secret('cilium-kvstoremesh', 'endpoints:\n- https://10.0.0.2:2379\n');

  it.each([
    ['passes with the file of KVStoreMesh', [apiserverDeployment(), dialled], 'pass'],
    ['passes with the file of a KVStoreMesh that is gone', [dialled], 'pass'],
    ['fails where KVStoreMesh was turned off', [apiserverDeployment({ kvstoremesh: false }), dialled], 'fail'],
  ])('%s', (_case, live, severity) => {
    const [one] = inputOf({}, { live: [cached, ...live] }).clusters;
    const two = snapshotOf({ context: 'two', ciliumConfig: config(2), live: [loadBalancerService('10.0.0.2')] });
    const input = { clusters: one ? [one, two] : [], now: NOW, observed: new Map() };
    expect(severities('peers-endpoint', input)).toEqual([severity]);
  });
});

describe('programs that were started before cilium-config was changed', () => {
  const running = (published: [string, number][], cluster?: string) =>
    inputOf({ published: new Map(published), nodes: cluster === undefined ? [] : [{ node: 'node-1', cluster }] });

  it.each([
    ['all have it', 'pass', running([['mesh-1', 1]], 'mesh-1')],
    [
      'etcd has the former description too',
      'pass',
      running([
        ['prod', 1],
        ['mesh-1', 1],
      ]),
    ],
    ['the apiserver has the former name', 'fail', running([['prod', 1]])],
    ['the apiserver has the former id', 'fail', running([['mesh-1', 9]])],
    ['an agent has the former name', 'fail', running([['mesh-1', 1]], 'prod')],
    ['nobody could be asked', 'skip', inputOf({})],
  ])('%s: %s', (_when, severity, input) => {
    expect(severities('identity-running', input)).toEqual([severity]);
  });

  const at = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);
  const agent = (cluster: string, minutes: number) => ({ node: 'node-1', cluster, startedAt: at(minutes) });

  it.each<[string, string, Partial<ClusterObservation>, { identitySetAt?: Date }]>([
    ['was started with the agents', 'pass', { operators: [at(0)], nodes: [agent('mesh-1', 0)] }, {}],
    [
      'was started after the name was set',
      'pass',
      { operators: [at(9)], nodes: [agent('mesh-1', 20)] },
      { identitySetAt: at(5) },
    ],
    [
      'is as old as an agent that has the name',
      'pass',
      { operators: [at(0)], nodes: [agent('mesh-1', 0)] },
      { identitySetAt: at(99) },
    ],
    [
      'was not restarted with the agents',
      'warn',
      { operators: [at(0)], nodes: [agent('mesh-1', 9)] },
      { identitySetAt: at(5) },
    ],
    [
      'is older than agents that were restarted, and nothing tells when the name was set',
      'skip',
      { operators: [at(0)], nodes: [agent('mesh-1', 9)] },
      {},
    ],
    [
      'is older than agents that were restarted before cilium-config was written',
      'skip',
      { operators: [at(0)], nodes: [agent('mesh-1', 9)] },
      { identitySetAt: at(20) },
    ],
    [
      'is older than agents that were restarted long after the name was set',
      'pass',
      { operators: [at(5)], nodes: [agent('mesh-1', 9)] },
      { identitySetAt: at(0) },
    ],
    [
      'is as old as an agent that has the name and another id',
      'warn',
      { operators: [at(0)], nodes: [{ ...agent('mesh-1', 0), clusterId: 9 }, agent('mesh-1', 9)] },
      { identitySetAt: at(5) },
    ],
    [
      'was started after the name was set, whatever agents tell',
      'pass',
      { operators: [at(9)], nodes: [] },
      { identitySetAt: at(5) },
    ],
    [
      'has one replica that was not',
      'warn',
      { operators: [at(9), at(0)], nodes: [agent('mesh-1', 9)] },
      { identitySetAt: at(5) },
    ],
    [
      'may be old, but no agent tells',
      'skip',
      { operators: [at(0)], nodes: [agent('prod', 9)] },
      { identitySetAt: at(5) },
    ],
    ['is not there', 'skip', { operators: [], nodes: [agent('mesh-1', 9)] }, { identitySetAt: at(5) }],
  ])('the operator %s: %s', (_when, severity, seen, more) => {
    expect(severities('operator-running', inputOf(seen, more))).toEqual([severity]);
  });

  const sized = (wanted: string | undefined, ...sizes: (number | 'none' | 'silent')[]) => {
    const nodes = sizes.map((size, index) => ({
      node: `node-${index + 1}`,
      ...(size === 'silent' ? {} : { clusterId: 1 }),
      ...(typeof size === 'number' ? { maxConnectedClusters: size } : {}),
    }));
    const own = { 'cluster-name': 'mesh-1', 'cluster-id': '1' };
    const ciliumConfig = wanted === undefined ? own : { ...own, 'max-connected-clusters': wanted };
    return inputOf({ nodes }, { ciliumConfig });
  };

  it.each([
    ['agents have what cilium-config says', ['pass'], sized('511', 511, 511)],
    ['cilium-config was changed, whatever the clustermesh-apiserver got', ['fail'], sized('511', 255, 255)],
    ['some agents were restarted since', ['fail'], sized('511', 255, 511)],
    ['cilium-config has none, and none had the agents', ['pass'], sized(undefined, 'none')],
    ['cilium-config has none, and agents had one', ['fail'], sized(undefined, 511)],
    ['cilium-config has one by now, and none had the agents', ['fail'], sized('511', 'none', 511)],
    ['cilium-config has by now what is usual, and none had the agents', ['pass'], sized('255', 'none')],
    ['an agent does not tell', ['skip'], sized('255', 255, 'silent')],
    ['no agent tells', ['skip'], sized('255', 'silent')],
  ])('of max-connected-clusters: %s', (_when, severity, input) => {
    expect(severities('max-connected-clusters-agents', input)).toEqual(severity);
  });

  it('go on with another max-connected-clusters, which is told with both ways out', () => {
    const [said] = describeFindings(
      MESH_CHECKS,
      findingsOf('max-connected-clusters-agents', sized('511', 255, 511, 255)),
    );
    const restart = 'kubectl --context one -n kube-system rollout restart daemonset/cilium deployment/cilium-operator';
    expect(said).toMatchObject({
      message: 'context "one": cilium-config says max-connected-clusters 511, but agents run with 255 (node-1, node-3)',
      hint: `If the cluster was installed with 511, restart the agents: ${restart}; or if with 255, restore that: kubectl --context one -n kube-system patch configmap cilium-config --type merge --patch '{"data":{"max-connected-clusters":"255"}}' && ${restart}`,
    });
  });

  it('are named, with the command that replaces them', () => {
    const said = (input: MeshCheckInput) => describeFindings(MESH_CHECKS, findingsOf('identity-running', input))[0];
    expect(said(running([['prod', 1]]))).toMatchObject({
      message: 'context "one": cilium-config says mesh-1, id 1, but the clustermesh-apiserver runs as prod, id 1',
      hint: expect.stringMatching(/meshctl clustermesh enable --context one$/),
    });
    expect(said(running([['prod', 1]], 'prod'))?.hint).toMatch(
      /kubectl --context one -n kube-system rollout restart daemonset\/cilium deployment\/cilium-operator$/,
    );
  });

  it('are told by the answer of cilium-health', () => {
    expect(readOwnCluster({ local: { name: 'prod/node-1' } })).toBe('prod');
    expect([readOwnCluster(null), readOwnCluster({ local: { name: 'node-1' } })]).toEqual([undefined, undefined]);
  });
});

describe('a load balancer without an address', () => {
  it.each([
    ['is warned of where all who dial it have chosen others', '203.0.113.9:2379', 'warn'],
    ['fails where one goes by it', undefined, 'fail'],
  ])('%s', (_what, endpoint, severity) => {
    const dials = secretObject('cilium-clustermesh', { 'mesh-1': FILE });
    if (endpoint) dials.metadata.annotations = { 'meshctl.io/endpoint.mesh-1': endpoint };
    const pending = serviceObject({ type: 'LoadBalancer', ports: [{ port: 2379 }] });
    const { clusters, ...input } = inputOf({}, { live: [apiserverDeployment(), pending] });
    const two = snapshotOf({ context: 'two', ciliumConfig: config(2), live: [dials] });
    const found = findingsOf('apiserver-address', { ...input, clusters: [...clusters.slice(0, 1), two] });
    expect(found.find(({ cluster }) => cluster === 'one')?.severity).toBe(severity);
  });
});

describe('tls-ca-trust', () => {
  const held = (...cas: string[]) => {
    const authorities = cas.map((key) => certificateFacts({ publicKeySha256: key }));
    return new Map([['mesh-2', { ...tlsFacts('ca-former', {}), authorities }]]);
  };

  it.each([
    ['the CA of the peer', 'pass', ['ca-one']],
    ['both CAs, while one takes the other’s place', 'pass', ['ca-former', 'ca-one']],
    ['both CAs, the other way round', 'pass', ['ca-one', 'ca-former']],
    ['a different CA', 'fail', ['ca-former']],
  ])('a cluster that trusts %s for its peer: %s', (_name, severity, cas) => {
    expect(severities('tls-ca-trust', inputOf({}, { peerCertificates: held(...cas) }))).toEqual([severity]);
  });

  it.each([
    ['Cilium CA', 'a different CA ("Cilium CA", sha256:f0f0f0f0f0f0) for mesh-2 than'],
    ['Company CA', 'a different CA ("Company CA") for mesh-2 than'],
  ])('a former CA by the name %s is told from the present one', (commonName, says) => {
    const [facts] = held('ca-former').values();
    const ca = { ...caFacts('ca-former').certificate, sha256: 'f0'.repeat(32), commonName };
    const peerCertificates = new Map(facts ? [['mesh-2', { ...facts, ca, authorities: [ca] }]] : []);
    const findings = findingsOf('tls-ca-trust', inputOf({}, { peerCertificates }));
    expect(describeFindings(MESH_CHECKS, findings)[0]?.message).toContain(says);
  });

  // By what its etcd shows: Secret cilium-ca may be Hubble's alone, or no more than a new one that nothing is from yet.
  it.each<[string, string | undefined, boolean, string]>([
    ['from that CA', 'ca-former', true, 'pass'],
    ['from another CA', 'ca-issuer', true, 'fail'],
    ['from that CA, whose Secret has another', 'ca-former', false, 'pass'],
    ['that cannot be read, of cert-manager', undefined, true, 'skip'],
  ])('a cluster whose peer serves with a certificate %s: %s', (_what, shown, isManaged, severity) => {
    const input = inputOf({}, { peerCertificates: held('ca-former') });
    const [one, two] = input.clusters as [ClusterSnapshot, ClusterSnapshot];
    const tlsSecrets = new Map(shown ? [['clustermesh-apiserver-server-cert', tlsFacts(shown, {})]] : []);
    const live = [isManaged ? issuedByCertManager() : secretObject('clustermesh-apiserver-server-cert', {})];
    const peer = { ...two, tlsSecrets, objects: snapshotOf({ live }).objects };
    const found = findingsOf('tls-ca-trust', { ...input, clusters: [one, peer] });
    expect(found.find(({ cluster = 'one' }) => cluster === 'one')?.severity).toBe(severity);
  });

  const REMOTE = 'clustermesh-apiserver-remote-cert';
  const common = (peer: string) => [
    secretObject('cilium-clustermesh', { [peer]: remotePeerFile(peer, { addresses: ['10.9.0.2:2379'] }, 'common-') }),
  ];
  it.each([
    ['has the CA of the peer that it dials', 'pass', ['ca-one', 'ca-two'], true],
    ['lacks the CA of the peer that it dials', 'fail', ['ca-two'], true],
    ['has the CA of the peer that dials it', 'pass', ['ca-one', 'ca-two'], false],
    ['lacks the CA of the peer that dials it', 'fail', ['ca-two'], false],
    ['may not be read', 'skip', undefined, true],
  ])('a cluster whose bundle %s: %s', (_name, severity, cas, dials) => {
    const authorities = cas?.map((key) => certificateFacts({ publicKeySha256: key, isCa: true }));
    const bundle = { object: 'ConfigMap kube-system/cas', pem: '', authorities };
    const own = { ...tlsFacts('ca-two', {}), bundle };
    const holder = {
      tlsSecrets: new Map([
        [REMOTE, own],
        ['clustermesh-apiserver-server-cert', own],
      ]),
      live: dials ? common('mesh-2') : [],
    };
    const { clusters, ...input } = inputOf({}, holder);
    const [one, two] = clusters as [ClusterSnapshot, ClusterSnapshot];
    const dialling = snapshotOf({ live: common('mesh-1') }).objects;
    const peer = dials ? two : { ...two, objects: dialling, tlsSecrets: new Map([[REMOTE, tlsFacts('ca-one', {})]]) };
    const found = runChecks(MESH_CHECKS, { ...input, clusters: [one, peer] }).filter(({ id }) => id === 'tls-ca-trust');
    const ofHolder = found.filter(({ cluster }) => cluster === 'one' || cluster === undefined);
    expect(ofHolder.map((finding) => finding.severity)).toEqual([severity]);
    if (severity === 'fail')
      expect(ofHolder[0]?.hint).toMatch(
        /^Add the CA of Secret cilium-ca of context "two" to ConfigMap kube-system\/cas of context "one", .* restart /,
      );
  });
});

describe('a cluster that is not enabled', () => {
  const ofApiserver = ['apiserver-ready', 'apiserver-address', 'apiserver-etcd', 'tls-present', 'tls-chain'];

  it('passes nothing that is about its clustermesh-apiserver; what holds for others is still looked at', () => {
    const ready = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
    const live = [{ ...apiserverDeployment(), status: ready }];
    const findings = runChecks(MESH_CHECKS, inputOf({ drift: [] }, { live }));
    const of = (id: string) => findings.filter((finding) => finding.id === id);
    for (const id of ofApiserver) {
      expect(of(id).find(({ cluster }) => cluster === 'two')).toMatchObject({
        severity: 'skip',
        args: { needs: 'apiserver-deployed' },
      });
    }
    expect(of('tls-orphaned-users').every((finding) => finding.severity === 'skip')).toBe(true);
    expect(of('apiserver-address').map(({ cluster, severity }) => [cluster, severity])).toEqual([
      ['one', 'fail'],
      ['two', 'skip'],
    ]);
    const [, drift] = describeFindings(MESH_CHECKS, of('ownership-drift'));
    expect(drift).toMatchObject({ severity: 'skip', message: 'context "two": Cluster Mesh is not enabled yet' });
    const [skipped] = describeFindings(
      MESH_CHECKS,
      of('tls-present').filter(({ cluster }) => cluster === 'two'),
    );
    expect(skipped?.message).toBe('context "two": skipped, because apiserver-deployed did not pass');
  });
});

describe('the catalogue', () => {
  it('has each id once', () => {
    const ids = MESH_CHECKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('needs only checks that come before', () => {
    MESH_CHECKS.forEach(({ needs = [] }, index) => {
      const before = MESH_CHECKS.slice(0, index).map(({ id }) => id);
      expect(before).toEqual(expect.arrayContaining([...needs]));
    });
  });
});

describe('a name that a clustermesh-apiserver does not tell', () => {
  it.each<[string, Partial<ClusterObservation>, RegExp]>([
    ['because its etcd could not be read', {}, /could not be read from its etcd, .*KVStoreMesh$/],
    ['although its etcd could be read', { published: new Map() }, /did not report the name .* rollout restart /],
  ])('%s', (_what, observation, reason) => {
    const live = [apiserverDeployment()];
    const findings = findingsOf('identity-running', inputOf(observation, { live }));
    const [own] = findings.filter(({ cluster }) => cluster === 'one');
    expect(own).toMatchObject({ severity: 'skip', args: { reason: expect.stringMatching(reason) } });
  });
});

describe('a record of the peers that is not there', () => {
  const files: KubeObject[] = [secretObject('cilium-clustermesh', { 'mesh-2': 'endpoints: []\n' })];
  it.each<[string, KubeObject[], string]>([
    ['is not missed where no cluster is dialled', [], 'it dials no cluster'],
    ['could not be read', files, 'could not be read from its etcd'],
  ])('%s', (_what, live, reason) => {
    const [own] = findingsOf('peer-identity', inputOf({}, { live })).filter(({ cluster }) => cluster === 'one');
    expect(own).toMatchObject({ severity: 'skip', args: { reason: expect.stringContaining(reason) } });
  });
});

describe('what a cluster has for dialling itself', () => {
  const seen = (key: string, annotations: Record<string, string> = {}) => {
    const metadata = { name: 'cilium-kvstoremesh', namespace: 'kube-system', annotations };
    const live: KubeObject[] = [{ apiVersion: 'v1', kind: 'Secret', metadata, data: { [key]: '' } }];
    return findingsOf('peers-itself', inputOf({}, { live })).filter(({ cluster }) => cluster === 'one');
  };

  it.each(['mesh-1', 'mesh-1.etcd-client.key'])('is told, with what takes it out: %s', (key) => {
    expect(seen(key)).toMatchObject([
      {
        severity: 'warn',
        args: { secrets: ['cilium-kvstoremesh'], keys: [key] },
        hint: 'meshctl clustermesh disconnect --context one --peer mesh-1',
      },
    ]);
  });

  it('is not what it has for a peer, nor what a tool makes that has one list for all clusters', () => {
    expect(seen('mesh-2')).toEqual([]);
    expect(seen('mesh-1', { 'meta.helm.sh/release-name': 'cilium' })).toEqual([]);
  });
});

describe('keys of a Secret of peers that are for nobody', () => {
  it.each<[string, Record<string, string>, string[]]>([
    ['a word, and nothing', { foo: 'bar', 'notes.txt': '' }, ['foo', 'notes.txt']],
    [
      'no peering file, nor what one names',
      { 'mesh-2': 'endpoints: [a:1]\ncert-file: /x/own-cert', 'own-cert': '' },
      [],
    ],
    ['no certificate that no peer has', { 'mesh-9.etcd-client.key': 'a file', 'old-ca.pem': 'a file' }, []],
    ['not what is for itself', { 'mesh-1': '' }, []],
  ])('are %s', (_what, texts, keys) => {
    const live = [secretObject('cilium-kvstoremesh', texts)];
    const found = findingsOf('peers-unused-keys', inputOf({}, { live })).filter(({ cluster }) => cluster === 'one');
    const hint = `meshctl clustermesh disconnect --context one --peer ${keys.join(',')}`;
    const args = { secrets: ['cilium-kvstoremesh'], keys };
    expect(found).toMatchObject(keys.length === 0 ? [] : [{ severity: 'warn', args, hint }]);
  });

  it.each([
    ['that was read', 'mesh-2'],
    ['that another one knows', 'mesh-3'],
  ])('are not to be told where they have the name of a cluster %s', (_what, name) => {
    const live = [secretObject('cilium-kvstoremesh', { [name]: 'endpoint: https://a:2379', foo: '' })];
    const input = inputOf({}, { live });
    const two = { ...(input.clusters[1] as ClusterSnapshot), remoteUsers: [{ name: 'remote-mesh-3', role: 'remote' }] };
    const clusters = [input.clusters[0] as ClusterSnapshot, two];
    const found = findingsOf('peers-unused-keys', { ...input, clusters }).filter(({ cluster }) => cluster === 'one');
    const reason = expect.stringContaining(name);
    expect(found).toMatchObject([
      { severity: 'warn', args: { keys: ['foo'] } },
      { severity: 'skip', args: { reason } },
    ]);
  });
});

describe('a peer that is dialled by its name in the mesh', () => {
  const alias = 'mesh-2.mesh.cilium.io';
  const file = (...ips: string[]) => {
    const aliases = ips.length > 0 ? `cilium-host-aliases:\n- hostname: ${alias}\n  ips: [${ips.join(', ')}]\n` : '';
    return secretObject('cilium-kvstoremesh', { 'mesh-2': `endpoints:\n- https://${alias}:2379\n${aliases}` });
  };
  const pods = (...ips: string[]): KubeObject => {
    const deployment = apiserverDeployment();
    const { template, ...spec } = deployment.spec as { template: { spec: object } };
    const hostAliases = ips.map((ip) => ({ ip, hostnames: [alias] }));
    return { ...deployment, spec: { ...spec, template: { ...template, spec: { ...template.spec, hostAliases } } } };
  };
  const chosen = (secret: KubeObject, host: string) => {
    secret.metadata.annotations = marksFor('mesh-2', { endpoints: [{ host, port: 2379 }] }) as Record<string, string>;
    return secret;
  };
  const agents = () => secretObject('cilium-clustermesh', { 'mesh-2': cachedPeerFile('kube-system') });
  const service = loadBalancerService('10.0.0.2');
  const named = { ...service, status: { loadBalancer: { ingress: [{ hostname: 'eks.elb.amazonaws.com' }] } } };

  it.each<[string, KubeObject[], KubeObject, string]>([
    ['that means its address by the file', [agents(), pods(), file('10.0.0.2')], service, 'pass'],
    ['that means another address by the file', [agents(), pods(), file('172.99.9.9')], service, 'fail'],
    ['that means its address and another one', [agents(), pods(), file('10.0.0.2', '172.99.9.9')], service, 'warn'],
    ['that means its address in the pods', [agents(), pods('10.0.0.2'), file()], service, 'pass'],
    ['that means another address in the pods', [agents(), pods('172.99.9.9'), file()], service, 'fail'],
    ['that nobody here knows', [agents(), pods(), file()], service, 'skip'],
    ['of a Service that has a host name', [agents(), pods(), file('10.0.0.2')], named, 'skip'],
    ['that means what was chosen', [chosen(agents(), '10.9.9.9'), pods(), file('10.9.9.9')], service, 'pass'],
    ['that was chosen itself', [chosen(agents(), alias), pods(), file()], service, 'pass'],
  ])('%s', (_what, live, other, severity) => {
    const [one] = inputOf({}, { live }).clusters;
    const two = snapshotOf({ context: 'two', ciliumConfig: config(2), live: [other] });
    const input = { clusters: one ? [one, two] : [], now: NOW, observed: new Map() };
    expect(severities('peers-endpoint', input)).toEqual([severity]);
  });
});

describe('a peer that is dialled at a node of its own', () => {
  const LOCAL = { externalTrafficPolicy: 'Local' };
  const BY_NODES = { type: 'NodePort' };
  const SECOND = { name: 'node-2', addresses: [{ type: 'InternalIP', address: '172.18.2.12' }] };
  const node = (more: Partial<ClusterSnapshot['nodes'][number]> = {}): ClusterSnapshot['nodes'][number] => ({
    ...{ name: 'node-1', ready: true, labels: {}, addresses: [{ type: 'InternalIP', address: '172.18.2.11' }] },
    ...{ podCidrs: [], ...more },
  });
  const servedBy = (spec: object): KubeObject => {
    const service = loadBalancerService('10.0.0.2');
    const ports = [{ port: 2379, nodePort: 32379 }];
    return { ...service, spec: { ...(service.spec as object), ports, ...spec } };
  };

  it.each<[what: string, spec: object, nodes: ClusterSnapshot['nodes'], severity: string]>([
    ['at the node port of a load balancer', {}, [node()], 'pass'],
    ['at a port that is none of its', { ports: [{ port: 2379, nodePort: 31999 }] }, [node()], 'fail'],
    ['at a node that is not there any more', {}, [node({ addresses: [] })], 'fail'],
    ['at a node without a pod that serves, of externalTrafficPolicy: Local', LOCAL, [node({ name: 'other' })], 'fail'],
    ['where no node may be read', {}, [], 'skip'],
    ['at a node of a NodePort that is cordoned', BY_NODES, [node({ unschedulable: true }), node(SECOND)], 'pass'],
  ])('%s', (_what, spec, nodes, severity) => {
    const text = 'endpoints:\n- https://172.18.2.11:32379\n';
    const [one] = inputOf({}, { live: [secretObject('cilium-clustermesh', { 'mesh-2': text })] }).clusters;
    const apiserverPods = [{ name: 'pod-1', node: 'node-1', ready: true }];
    const two = snapshotOf({ context: 'two', ciliumConfig: config(2), live: [servedBy(spec)], nodes, apiserverPods });
    const input = { clusters: one ? [one, two] : [], now: NOW, observed: new Map() };
    expect(severities('peers-endpoint', input)).toEqual([severity]);
  });
});
