/** What is proved by which tests, and that all pictures of a report agree on it. */
import { describe, expect, it } from 'vitest';
import type { ProbedCluster, ProbePlace } from '../../src/mesh/probe/places.ts';
import { type ProbedMesh, probeReport } from '../../src/mesh/probe/report.ts';
import { type ProbeTest, planTests } from '../../src/mesh/probe/tests.ts';
import { judgeAll } from '../../src/mesh/probe/verdict.ts';
import type { Said, Seen } from '../../src/mesh/probe/words.ts';
import { probeJunit } from '../../src/views/probe/probe-junit.ts';
import { probeText } from '../../src/views/probe/probe-view.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import { apiserverDeployment, loadBalancerService, NOW, snapshotOf } from '../support/snapshots.ts';

interface Network {
  config?: Record<string, string>;
  nodes?: number;
  /** Of mesh-2's apiserver; none: it has no address yet. */
  address?: string | undefined;
  via?: 'pods' | 'agents';
  /** Places, as `mesh-2 node-2-0`, whose watch could not be collected. */
  unseen?: (place: string) => boolean;
  /** Places from which nothing was sent. */
  unsent?: (place: string, kind: ProbePlace['kind']) => boolean;
  /** Nodes on which nothing can be sent or seen. */
  down?: string;
  /** Why the ordinary pod of mesh-1 does not run. */
  podFails?: string;
  /** What gives the right to make pods. */
  grant?: string;
  /** Default: not decided yet, so that it will. */
  kvstoremesh?: false;
  /** Nothing of it arrives. */
  blocked?: (test: ProbeTest) => boolean;
}

const ALL_SEEN: Seen = { atDevice: true, letIn: true, sizes: [1500] };
const NONE_SEEN: Seen = { atDevice: false, letIn: false, sizes: [] };
const keyOf = ({ cluster, node }: ProbePlace) => `${cluster} ${node}`;

function cluster(
  id: number,
  { config = {}, nodes = 1, via = 'pods', grant, kvstoremesh, podFails, down, ...more }: Network,
): ProbedMesh['clusters'][number] {
  const address = 'address' in more && id === 2 ? more.address : `10.0.${id}.100`;
  const places = Array.from({ length: nodes }, (_, index): ProbePlace => {
    const node = `node-${id}-${index}`;
    const failed = node === down ? { failed: `no agent of Cilium runs on node ${node}` } : {};
    return {
      cluster: `mesh-${id}`,
      node,
      kind: 'node',
      addresses: [`10.0.${id}.${index}`],
      deviceMtu: 1500,
      ...failed,
    };
  });
  const pod = { cluster: `mesh-${id}`, node: `node-${id}-0`, kind: 'pod' } as const;
  const snapshot = snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id), ...config },
    live: [
      ...(address === undefined ? [] : [loadBalancerService(address)]),
      ...(kvstoremesh === false ? [apiserverDeployment({ kvstoremesh })] : []),
    ],
  });
  const inPod: ProbePlace =
    via === 'agents'
      ? { ...pod, addresses: [], failed: 'agents are no pods' }
      : podFails !== undefined && id === 1
        ? { ...pod, addresses: [], failed: podFails }
        : { ...pod, addresses: [`10.${id}.0.1`] };
  return { name: `mesh-${id}`, snapshot, via, grant, places: [...places, inPod] };
}

function reportOf(network: Network) {
  const { unseen = () => false, unsent = () => false, blocked = () => false } = network;
  const clusters: readonly (ProbedCluster & { via: 'pods' | 'agents' })[] = [1, 2].map((id) => cluster(id, network));
  const tests = planTests(clusters);
  const places = clusters.flatMap((one) => one.places.filter(({ failed }) => failed === undefined));
  const saidOf = (test: ProbeTest): Said =>
    ['udp', 'esp', 'mtu'].includes(test.via)
      ? { outcome: 'sent' }
      : blocked(test)
        ? { outcome: 'silent' }
        : { outcome: test.via === 'tcp' ? 'open' : 'answered' };
  const results = judgeAll(tests, {
    said: new Map(tests.map((test) => [test.id, saidOf(test)])),
    sightings: new Map(
      places
        .filter((place) => !unseen(keyOf(place)))
        .map((place) => [place, { of: (test) => (blocked(test) ? NONE_SEEN : ALL_SEEN) }]),
    ),
    unseen: new Map(places.filter((place) => unseen(keyOf(place))).map((place) => [place, 'the exec broke off'])),
    unsent: new Map(
      places.filter((place) => unsent(keyOf(place), place.kind)).map((place) => [place, 'nothing was sent']),
    ),
  });
  return probeReport({ clusters, results, unreachable: [], now: NOW });
}

const NATIVE = { 'routing-mode': 'native' };
const of = (name: string) => (place: string) => place.startsWith(name);
const lost = 'nothing is known of what node-2-0 saw: the exec broke off';
const noAddress = 'context "context-2": its clustermesh-apiserver has no address for peers to dial yet';

describe('a network is proved', () => {
  it.each<[string, Network, string[]]>([
    ['where all was tested', {}, []],
    ['where some nodes saw it', { nodes: 2, unseen: of('mesh-2 node-2-0') }, [`tunnel, mtu: ${lost}`]],
    [
      'where echo requests are dropped, by which alone the MTU would be found',
      { config: NATIVE, blocked: ({ via, kind }) => via === 'icmp' || kind === 'mtu' },
      ['mtu: no packet arrives, of whatever size', 'mtu: no packet arrives, of whatever size'],
    ],
    ['where something cannot be known yet', { address: undefined }, [`apiserver: ${noAddress}`]],
    ['where only ping is lost', { blocked: ({ kind }) => kind === 'ping' }, []],
    ['by agents, which dial themselves without KVStoreMesh', { via: 'agents', kvstoremesh: false }, []],
  ])('%s', (_what, network, untested) => {
    const report = reportOf(network);
    expect(report.untested.map(({ kinds, why }) => `${kinds.join(', ')}: ${why}`)).toEqual(untested);
    expect(report.passed).toBe(true);
    expectSame(report, '✅ The network between mesh-1, mesh-2 carries all');
  });

  it.each<[string, Network, string]>([
    ['the tunnel', { unseen: of('mesh-2') }, 'tunnel, mtu from mesh-1 to mesh-2'],
    [
      'WireGuard',
      { config: { 'enable-wireguard': 'true' }, unseen: of('mesh-1') },
      'tunnel, wireguard, mtu from mesh-2 to mesh-1',
    ],
    ['anything from somewhere', { unsent: of('mesh-1') }, 'tunnel, health, apiserver (pod), mtu from mesh-1 to mesh-2'],
    [
      'what KVStoreMesh dials, not even agents in its place',
      { via: 'agents', unsent: of('mesh-1') },
      'tunnel, health, apiserver, mtu from mesh-1 to mesh-2',
    ],
    [
      'what KVStoreMesh dials, from an address that no agent has',
      { via: 'agents', config: { 'enable-ipv4-masquerade': 'false' } },
      'apiserver (pod) from mesh-1 to mesh-2; apiserver (pod) from mesh-2 to mesh-1',
    ],
    [
      'what KVStoreMesh dials, since the pod does not run',
      { podFails: 'ImagePullBackOff' },
      'apiserver (pod) from mesh-1 to mesh-2',
    ],
    [
      'what agents dial without KVStoreMesh',
      { kvstoremesh: false, unsent: (place) => place.startsWith('mesh-1') },
      'tunnel, health, apiserver, mtu from mesh-1 to mesh-2',
    ],
    [
      'the way between pods',
      { config: NATIVE, via: 'agents', kvstoremesh: false },
      'pod-to-pod from mesh-1 to mesh-2; pod-to-pod from mesh-2 to mesh-1',
    ],
    [
      'an apiserver at an address of another IP family',
      { address: 'fd00::100' },
      'apiserver (pod) from mesh-1 to mesh-2',
    ],
  ])('not where nobody saw %s', (_what, network, what) => {
    const report = reportOf(network);
    expect(report.failures.filter(({ required }) => required)).toEqual([]);
    expect(report.passed).toBe(false);
    for (const { why } of report.untested) expect(why).not.toBe('');
    expectSame(report, `⚠️  The network between mesh-1, mesh-2 is not proved; not tested: ${what} → `);
  });

  it('not where something is lost, and then nothing else fails of it', () => {
    const report = reportOf({ blocked: ({ kind }) => kind === 'tunnel' || kind === 'mtu' });
    expect(report.untested).toEqual([]);
    expectSame(report, '❌ The network between mesh-1, mesh-2 does not carry a mesh: 1 failure');
    expect(probeJunit(report).match(/<failure /g)).toHaveLength(2);
  });

  const isOfPod = ({ kind, from }: ProbeTest) =>
    kind === 'apiserver' && from.kind === 'pod' && from.cluster === 'mesh-1';

  it('where only a pod does not get out, whose node does: the network cannot tell them apart', () => {
    const report = reportOf({ blocked: isOfPod });
    expect(report.failures).toMatchObject([{ lostAt: 'pod', required: false, letThrough: [], from: 'mesh-1' }]);
    const [{ likely, hints } = { likely: '', hints: [] }] = report.failures;
    expect(likely).toBe('the nodes of these pods reach it: a policy of mesh-1 does not let these pods out');
    expect(hints).toEqual([
      'The policies of mesh-1: kubectl --context context-1 get networkpolicies,ciliumnetworkpolicies,ciliumclusterwidenetworkpolicies --all-namespaces',
    ]);
    expect(report.passed).toBe(true);
    expectSame(report, '✅ The network between mesh-1, mesh-2 carries all');
    const why = "the pod's node reaches it, so the network carries it";
    expect(textOf(report)).toContain(`⚠️  path-blocked: mesh-1 → mesh-2: apiserver (tcp 2379 at 10.0.2.100); ${why}`);
    expect(probeJunit(report).replaceAll('&apos;', "'").match(new RegExp(why, 'g'))).toHaveLength(1);
  });

  it.each<[string, Record<string, string>]>([
    ['with native routing', NATIVE],
    ['without masquerading', { 'enable-ipv4-masquerade': 'false' }],
    ['with an ip-masq-agent', { 'enable-ip-masq-agent': 'true' }],
    ['with an egress gateway', { 'enable-egress-gateway': 'true' }],
    ['towards the native-routing CIDR, also with a tunnel,', { 'ipv4-native-routing-cidr': '10.0.0.0/8' }],
    ['with one of an older Cilium', { 'enable-ipv4-egress-gateway': 'true' }],
  ])('not where only a pod does not get out %s, under another address than its node', (_what, config) => {
    const report = reportOf({ config, blocked: isOfPod });
    expect(report.failures).toMatchObject([{ lostAt: 'pod', required: true, letThrough: [{ port: 2379 }] }]);
    expect(report.failures[0]?.likely).toMatch(
      /^the nodes of these pods reach it: a policy of mesh-1 .*, or pods' own addresses/,
    );
    expect(report.failures[0]?.hints).toEqual([
      expect.stringContaining('kubectl --context context-1 get networkpolicies'),
      expect.stringContaining('meshctl clustermesh firewall'),
    ]);
    expect(report.passed).toBe(false);
  });

  it('not where its node does not get out either', () => {
    const report = reportOf({ blocked: ({ kind, from }) => kind === 'apiserver' && from.cluster === 'mesh-1' });
    expect(report.failures.map(({ lostAt, required }) => ({ lostAt, required }))).not.toContainEqual({
      lostAt: 'pod',
      required: false,
    });
    expect(report.passed).toBe(false);
  });

  it('not where nothing of pods arrives, which a policy may do as well', () => {
    const report = reportOf({
      config: NATIVE,
      blocked: ({ kind, from }) => kind === 'pod-to-pod' && from.cluster === 'mesh-1',
    });
    expect(report.failures).toMatchObject([
      { required: true, likely: expect.stringMatching(/ a policy of mesh-1 or mesh-2 does$/) },
    ]);
    expect(report.failures[0]?.hints.join(' ')).toMatch(
      /--context context-1 get networkpol.* --context context-2 get networkpol/,
    );
  });

  const byPods = 'meshctl connectivity probe --context context-1,context-2 --via pods -o wide';
  const grant = 'kubectl --context context-1 apply -f roles';
  it.each<[string, Network, string]>([
    ['', { config: NATIVE, kvstoremesh: false }, byPods],
    ['', {}, byPods],
    [
      ', once the user may make them',
      { grant },
      `Have a cluster administrator grant it first: kubectl --context context-1 apply -f roles && ${byPods}`,
    ],
  ])('by pods, where agents could not prove it%s', (_when, network, next) => {
    expect(textOf(reportOf({ ...network, via: 'agents' })).endsWith(` → ${next}`)).toBe(true);
  });

  it('by agents in place of KVStoreMesh, a pod, and says that no pod has tried', () => {
    const report = reportOf({ via: 'agents' });
    expect(report.passed).toBe(true);
    expect(report.untested.map(({ kinds, sender }) => [kinds, sender])).toEqual([
      [['apiserver'], 'pod'],
      [['apiserver'], 'pod'],
    ]);
    expectSame(
      report,
      '⚠️  The network between mesh-1, mesh-2 carries all that the mesh needs, as far as nodes send it',
    );
  });

  it('and says of what was not tested that a pod had to send it', () => {
    const text = textOf(reportOf({ podFails: 'ImagePullBackOff' }));
    expect(text).toContain('⏭️  not tested from mesh-1 to mesh-2: apiserver (pod): ImagePullBackOff\n');
    const { findings } = pictured(
      JSON.stringify({
        apiVersion: 'meshctl.io/v1',
        kind: 'ProbeReport',
        ...reportOf({ podFails: 'ImagePullBackOff' }),
      }),
    );
    expect(findings).toMatchObject([{ says: 'apiserver (pod): ImagePullBackOff' }]);
  });

  it('not where nothing was seen of a node that takes part, however well the others see each other', () => {
    for (const via of ['pods', 'agents'] as const) {
      const report = reportOf({ nodes: 2, down: 'node-1-1', via, kvstoremesh: false });
      const why = 'no agent of Cilium runs on node node-1-1';
      expect(report).toMatchObject({
        passed: false,
        failures: [],
        unseen: [{ cluster: 'mesh-1', node: 'node-1-1', why }],
      });
      expectSame(report, '⚠️  The network between mesh-1, mesh-2 carries all that the mesh needs');
      expect(textOf(report).split('\n').at(-1)).toContain('; nothing was seen from or to node-1-1');
    }
  });

  it('by as many nodes as are told, of all that were tried', () => {
    expect(textOf(reportOf({ nodes: 3, unseen: (place) => /mesh-2 node-2-[01]/.test(place) }))).toMatch(
      /^mesh-1 +mesh-2 +open, 1 of 3 seen +open +open +open +open +1500, 1 of 3 seen +/m,
    );
  });
});

it('what is left of the probe is told in text, JUnit and by the GitHub Action, with what removes it', () => {
  const hint = 'kubectl --context mesh-2 -n meshctl-probe delete pods -l meshctl.io/probe-run=1';
  const message = "could not remove the probe's pods from namespace meshctl-probe: forbidden";
  const report = { ...reportOf({}), passed: false, left: [{ context: 'mesh-2', message, hint }] };
  expect(textOf(report).split('\n').at(-1)).toMatch(
    /^⚠️ {2}The network between .* carries all .*; the probe is not removed from context "mesh-2"$/,
  );
  expect(probeJunit(report)).toContain('classname="probe.removal" name="context mesh-2"');
  const { findings } = pictured(JSON.stringify({ apiVersion: 'meshctl.io/v1', kind: 'ProbeReport', ...report }));
  expect(findings).toEqual([{ level: 'error', where: 'mesh-2', says: message, hint }]);
});

const { reportOf: pictured } = await import(new URL('.ci/action/report.mjs', PACKAGE_ROOT).href);
const textOf = (report: ReturnType<typeof reportOf>) =>
  probeText(report, { bold: String, dim: String, ok: String, warn: String, fail: String });

/** Text, JUnit and what the GitHub Action shows fail together. */
function expectSame(report: ReturnType<typeof reportOf>, lastLine: string): void {
  expect(textOf(report).split('\n').at(-1)?.slice(0, lastLine.length)).toBe(lastLine);
  expect(probeJunit(report).includes('<failure ')).toBe(!report.passed);
  const document = { apiVersion: 'meshctl.io/v1', kind: 'ProbeReport', ...report };
  const { findings, rows } = pictured(JSON.stringify(document));
  expect(findings.some(({ level }: { level: string }) => level === 'error')).toBe(!report.passed);
  expect(rows.some(([mark]: string[]) => mark === '❌')).toBe(!report.passed);
}
