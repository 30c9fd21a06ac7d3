import { describe, expect, it } from 'vitest';
import { unconnected } from '../../src/mesh/checks/shared/unconnected.ts';
import { ADVICE, classifyFailure } from '../../src/mesh/status/failure-reason.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import type { RemoteClusterReport } from '../../src/mesh/status/remote-cluster-report.ts';
import type { PollResult, StatusExpectation, StatusReport } from '../../src/mesh/status/status.ts';
import { adviseMesh, reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
import { statusText } from '../../src/views/status/status-view.ts';

const plain = { bold: String, dim: String, ok: String, warn: String, fail: String };
const ready = (name: string): RemoteClusterReport => ({ name, ready: true, connected: true });
const answers = (...names: string[]): PollResult[] => names.map((name) => ({ name, clusters: [ready('mesh-2')] }));

/** Of somebody who knows no other cluster. */
const NOTHING: PollResult[] = [{ name: 'node-1', clusters: [] }];

interface StatusInput extends StatusExpectation {
  agents: PollResult[];
  replicas: PollResult[];
}

function input(overrides: Partial<StatusInput> = {}): StatusInput {
  return {
    context: 'one',
    namespace: 'kube-system',
    clusterName: 'mesh-1',
    clusterId: 1,
    peers: ['mesh-2'],
    enabled: true,
    agents: answers('node-1', 'node-2'),
    kvstoremesh: true,
    replicas: answers('pod-1'),
    ...overrides,
  };
}

function evaluateStatus({ agents, replicas, ...expected }: StatusInput): StatusReport {
  const tally = createTally(expected);
  for (const agent of agents) tally.add('agent', agent);
  for (const replica of replicas) tally.add('kvstoremesh', replica);
  return tally.report();
}

const text = (overrides: Partial<StatusInput> = {}) => statusText(evaluateStatus(input(overrides)), plain);

const meshText = (reports: StatusReport[]) => meshStatusText(evaluateMesh(reports, []), plain);
const junit = (reports: StatusReport[]) => statusJunit(adviseMesh(evaluateMesh(reports, [])).clusters);

describe('status', () => {
  it('prints the three lines of the article when all is well', () => {
    expect(evaluateStatus(input()).healthy).toBe(true);
    expect(text()).toMatchInlineSnapshot(`
      "✅ All 2 nodes are connected to all clusters
      🔌 Cluster Connections:
        • mesh-2: 2/2 configured, 2/2 connected"
    `);
  });

  it('says a reason once with its nodes and the next command', () => {
    const lost: RemoteClusterReport = { name: 'mesh-2', status: 'dial tcp 10.0.0.1:2379: connect: connection refused' };
    const agents = [...answers('node-1'), { name: 'node-2', clusters: [lost] }, { name: 'node-3', clusters: [] }];
    const report = evaluateStatus(input({ agents }));
    expect(report.healthy).toBe(false);
    expect(report.problems.map((problem) => [problem.class, problem.nodes])).toEqual([
      ['refused', ['node-2']],
      ['not-configured', ['node-3']],
    ]);
    expect(text({ agents })).toMatchInlineSnapshot(`
      "❌ 2 of 3 nodes are not connected to all clusters
      🔌 Cluster Connections:
        • mesh-2: 2/3 configured, 1/3 connected
      ⚠️  mesh-2: this cluster's clustermesh-apiserver refuses connections — node-2 (refused)
           dial tcp 10.0.0.1:2379: connect: connection refused
         → kubectl --context one -n kube-system describe deployment/clustermesh-apiserver
      ⚠️  mesh-2: the peering file has not reached the node yet: kubelets refresh mounted Secrets about every minute — node-3 (not-configured)
           the peer is not among its remote clusters
         → meshctl clustermesh status --context one --wait
      More: meshctl explain refused,not-configured"
    `);
  });

  it('says once what one dialler has lost by, and another one still holds', () => {
    const says = 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    const lost = [{ name: 'pod-1', clusters: [{ name: 'mesh-3', status: says }] }];
    const failing = { class: classifyFailure(says), message: says };
    const held = [{ name: 'pod-2', clusters: [ready('mesh-3')], failingDials: new Map([['mesh-3', failing]]) }];
    const of = (context: string, clusterName: string, replicas: PollResult[]) =>
      evaluateStatus(input({ context, clusterName, peers: ['mesh-3'], agents: [], replicas }));
    const both = (...replicas: [PollResult[], PollResult[]]) =>
      reasonsOf({ clusters: [of('one', 'mesh-1', replicas[0]), of('two', 'mesh-2', replicas[1])] });
    const mixed = both(lost, held);
    expect(mixed.map(({ id, about, lead, places }) => [id, about, lead, places.map(({ cluster }) => cluster)])).toEqual(
      [[failing.class, ['mesh-3'], undefined, ['mesh-1', 'mesh-2']]],
    );
    expect(both(held, held).map(({ lead }) => lead)).toEqual(['a new connection fails']);
  });

  it('speaks of the own clustermesh-apiserver where agents read the cache of one that is gone', () => {
    const lost: RemoteClusterReport = { name: 'mesh-2', status: 'dial tcp 10.0.0.1:2379: connect: connection refused' };
    const agents = [{ name: 'node-1', clusters: [lost] }];
    expect(text({ agents, enabled: false, replicas: [] })).toMatchInlineSnapshot(`
      "❌ The only node is not connected to all clusters
      ⚠️  mesh-1: no KVStoreMesh replica runs, so changes in other clusters go unnoticed
      🔌 Cluster Connections:
        • mesh-2: 1/1 configured, 0/1 connected
      ⚠️  mesh-2: this cluster's clustermesh-apiserver, from which agents read the state of peers, is missing — node-1 (own-apiserver-missing)
           dial tcp 10.0.0.1:2379: connect: connection refused
         → meshctl clustermesh enable --context one
      More: meshctl explain own-apiserver-missing"
    `);
  });

  it.each<[string, Partial<StatusInput>, string]>([
    ['node', { agents: [...NOTHING, { name: 'node-2', error: 'no answer within 10 s' }], replicas: NOTHING }, 'agent'],
    [
      'replica',
      { agents: NOTHING, replicas: [{ name: 'pod-1', error: 'no answer within 10 s' }] },
      'KVStoreMesh replica',
    ],
  ])('names a %s that does not answer in a cluster that only serves, in every format', (_what, more, who) => {
    const overrides = { peers: [], serves: ['mesh-2'], ...more };
    const report = evaluateStatus(input(overrides));
    expect(report).toMatchObject({ healthy: false, problems: [{ class: 'agent-unreachable' }] });
    const says = `the ${who} could not be queried`;
    const hint = '→ kubectl --context one -n kube-system get pods -l k8s-app=';
    for (const shown of [text(overrides), meshText([report]), junit([report])]) {
      expect(shown).toContain(says);
      expect(shown).toContain('no answer within 10 s');
      expect(shown).toContain(hint);
    }
    expect(junit([report])).toContain('<failure type="agent-unreachable"');
    expect(unconnected([report])).toMatchObject([{ severity: 'fail', hint: expect.stringContaining(hint.slice(2)) }]);
    const well = evaluateStatus(input({ ...overrides, agents: NOTHING, replicas: NOTHING }));
    expect(junit([well])).not.toContain('<failure');
    expect(unconnected([well])).toEqual([]);
  });

  it('groups nodes whose messages differ only in numbers', () => {
    const agents = [1, 2, 3, 4, 5].map((number) => ({
      name: `node-${number}`,
      clusters: [{ name: 'mesh-2', status: `read tcp 10.0.0.${number}:4${number}: i/o timeout` }],
    }));
    const { problems } = evaluateStatus(input({ agents }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      class: 'timed-out',
      nodes: ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'],
    });
    expect(text({ agents })).toContain('node-1, node-2, node-3 and 2 more');
  });

  it('and in the names of their pods', () => {
    const agents = ['fcf5k', 'nczjv', 'ndlwl'].map((one, index) => ({
      name: `node-${index + 1}`,
      pod: `cilium-${one}`,
      error: `pod cilium-${one} is not running`,
    }));
    const { problems } = evaluateStatus(input({ agents }));
    expect(problems.map(({ nodes }) => nodes)).toEqual([['node-1', 'node-2', 'node-3']]);
  });

  it.each<[string, Partial<StatusInput>, string]>([
    ['no peer', { peers: [], agents: NOTHING, replicas: NOTHING }, 'is connected to no cluster'],
    ['no clustermesh-apiserver', { peers: [], enabled: false, agents: NOTHING, replicas: [] }, 'is not enabled'],
    ['no agent', { agents: [] }, 'No Cilium agent runs'],
    ['no KVStoreMesh replica', { replicas: [] }, 'no KVStoreMesh replica runs'],
    [
      'a KVStoreMesh that lacks the peer',
      { replicas: [{ name: 'pod-1', clusters: [] }] },
      '❌ The only KVStoreMesh replica is not connected to all clusters; all 2 nodes are\n',
    ],
    [
      'an agent that does not answer',
      { agents: [{ name: 'node-1', error: 'no answer within 10 s' }] },
      'no answer within 10 s',
    ],
  ])('is not healthy with %s', (_case, overrides, says) => {
    expect(evaluateStatus(input(overrides)).healthy).toBe(false);
    expect(text(overrides)).toContain(says);
  });

  it('does not trust a connection that could not be made anew', () => {
    const dials = new Map([['mesh-2', { class: 'refused' as const, message: 'connect: connection refused' }]]);
    const replicas = [{ name: 'pod-1', clusters: [ready('mesh-2')], failingDials: dials }];
    const report = evaluateStatus(input({ replicas }));
    expect(report.healthy).toBe(false);
    expect(report.peers[0]?.kvstoremesh).toEqual({ configured: 1, connected: 1, total: 1 });
    expect(evaluateMesh([report], []).matrix[1]).toMatchObject({ to: 'mesh-2', state: 'at-risk', connected: 2 });
    expect(statusJunit(adviseMesh(evaluateMesh([report], [])).clusters)).toContain('type="refused"');
    expect(text({ replicas })).toMatchInlineSnapshot(`
      "❌ New connections fail; all 2 nodes are still connected to all clusters
      🔌 Cluster Connections:
        • mesh-2: 2/2 configured, 2/2 connected
      ⚠️  mesh-2: a new connection fails: the peer's clustermesh-apiserver refuses connections — KVStoreMesh (pod-1) (refused)
           connect: connection refused
         →     meshctl clustermesh status --context 'one,<context of mesh-2>'
           or once mesh-2 is gone for good, as a cluster that is silent is still sent its share of
           requests, which are lost:
               meshctl clustermesh disconnect --context one --peer mesh-2
      More: meshctl explain refused"
    `);
  });

  it.each(
    (['agent', 'kvstoremesh', 'apiserver'] as const).flatMap((component) =>
      [{}, { peer: 'mesh-2' }, { peer: 'mesh-3' }, { peers: ['mesh-2', 'mesh-3'] }, { peers: ['mesh-3'] }].map(
        (about) => ({ component, ...about }),
      ),
    ),
  )('is a failure for CI, too, where a fault alone keeps it from being healthy: %o', (where) => {
    const told = { id: 'users-missing', object: 'ConfigMap x', says: 'it is not there', hint: 'mend it' } as const;
    const fault = { ...told, ...where, context: 'one', namespace: 'kube-system', outage: true };
    const broken = { ...evaluateStatus(input()), healthy: false, faults: [fault] };
    expect(statusJunit([broken])).toContain('<failure type="users-missing"');
    const harmless = statusJunit([{ ...broken, healthy: true, faults: [{ ...fault, outage: false }] }]);
    expect(harmless).not.toContain('<failure');
    expect(harmless).toContain('<system-out>it is not there (ConfigMap x)\n→ mend it</system-out>');
  });

  it('does not trust a connection that nobody could try anew, and does not say that it fails', () => {
    const dials = new Map([['mesh-2', { class: 'agent-unreachable' as const, message: 'it broke off' }]]);
    const replicas = [{ name: 'pod-1', clusters: [ready('mesh-2')], failingDials: dials }];
    expect(evaluateMesh([evaluateStatus(input({ replicas }))], []).matrix[1]).toMatchObject({ state: 'at-risk' });
    expect(text({ replicas })).toMatchInlineSnapshot(`
      "⚠️  New connections could not be tried; all 2 nodes are still connected to all clusters
      🔌 Cluster Connections:
        • mesh-2: 2/2 configured, 2/2 connected
      ⚠️  mesh-1: a new connection could not be tried: the KVStoreMesh replica could not be asked to make one — KVStoreMesh (pod-1) (agent-unreachable)
           it broke off
         → kubectl --context one -n kube-system get pods -l k8s-app=clustermesh-apiserver -o wide
      More: meshctl explain agent-unreachable"
    `);
  });

  it.each([
    [
      "pods \"c\" is forbidden: ValidatingAdmissionPolicy 'deny-exec' with binding 'deny-exec' denied request: no",
      /→ See what that policy asks for:\n +kubectl --context one get validatingadmissionpolicy deny-exec -o yaml\n/,
    ],
    [
      'context "one": cannot run x in y: admission webhook "no-exec.example.com" denies it: no',
      /→ Whoever runs that webhook can tell, .*:\n +kubectl --context one get validatingwebhookconfigurations,/,
    ],
    [
      'cannot run x in y: Internal error occurred: failed calling webhook "exec.example.com": failed to call webhook: Post "https://x": connection refused',
      /→ Bring back the Service that answers for that webhook; .*:\n +kubectl --context one get validatingwebhookconfigurations,/,
    ],
  ])('leads to the rule that refuses to look into pods, which are well: %s', (message, hint) => {
    const dials = new Map([['mesh-2', { class: 'agent-unreachable' as const, message }]]);
    const replicas = [{ name: 'pod-1', clusters: [ready('mesh-2')], failingDials: dials }];
    expect(text({ replicas })).toMatch(hint);
  });

  it('takes a cluster that does not answer for the peer that nobody has asked', () => {
    const dials = new Map([['mesh-2', { class: 'refused' as const, message: 'connect: connection refused' }]]);
    const report = evaluateStatus(
      input({ replicas: [{ name: 'pod-1', clusters: [ready('mesh-2')], failingDials: dials }] }),
    );
    const silent = {
      context: 'two',
      code: 'ClusterUnreachable' as const,
      message: 'context "two": cannot reach the API server',
    };
    const [reason] = reasonsOf(evaluateMesh([report], [silent]));
    expect(reason?.hint).toBe(
      'A cluster that is silent is still sent its share of requests, which are lost. "mesh-2" may be the cluster of context "two", which does not answer. If it is gone for good, forget it: meshctl clustermesh disconnect --context one --peer mesh-2',
    );
    expect(reasonsOf(evaluateMesh([report], []))[0]?.hint).toBe(
      "meshctl clustermesh status --context 'one,<context of mesh-2>'; or once mesh-2 is gone for good, as a cluster that is silent is still sent its share of requests, which are lost: meshctl clustermesh disconnect --context one --peer mesh-2",
    );
  });

  it('names what a lone cluster can be connected to, where that is no question', () => {
    const report = evaluateStatus(input({ peers: [], agents: NOTHING, replicas: NOTHING }));
    const of = (others: string[], known = report) => statusText(known, plain, new Map(), others);
    expect(of(['two'])).toContain('connect --context one --destination-context two');
    expect(of([])).toContain('meshctl clustermesh invite --context one');
    expect(of([])).not.toContain('<context');
    // Without an address nobody can be connected to it: enable waits for one.
    const waiting = of(['two'], { ...report, unaddressed: true });
    expect(waiting).toContain('enable --context one && meshctl clustermesh connect --context one');
    expect(waiting).toContain('one: its Service has no address for peers to dial yet');
    const two = { ...report, context: 'two', cluster: { ...report.cluster, name: 'mesh-2' }, unaddressed: true };
    expect(meshStatusText(evaluateMesh([report, two], []), plain)).toContain(
      'meshctl clustermesh enable --context two && meshctl clustermesh connect --context one --destination-context two',
    );
    // Whom it lets in is whom it was connected to.
    expect(of(['two'], { ...report, onRecord: ['mesh-3'] })).toContain("--destination-context '<context of mesh-3>'");
  });

  it('has an id, a next step and more to read for a Service without an address, and for a run that is at work', () => {
    const run = {
      ...({ command: 'certs rotate', host: 'jumphost' } as const),
      ...{ since: '2026-01-01T00:00:00Z', until: '2026-01-01T00:01:00Z' },
    };
    const report: StatusReport = { ...evaluateStatus(input()), runs: [run] };
    const two = { ...report, context: 'two', cluster: { ...report.cluster, name: 'mesh-2' }, runs: [] };
    const waiting = { ...two, unaddressed: true };
    const enable = '→ Wait for it, or hear why it has none: meshctl clustermesh enable --context';
    for (const said of [
      meshStatusText(evaluateMesh([report, waiting], []), plain),
      statusText({ ...report, unaddressed: true, runs: [{ ...run, stale: true }] }, plain),
    ]) {
      expect(said).toMatch(/another run, certs rotate on jumphost, .* \(run-at-work\)\n/);
      expect(said).toMatch(/its Service has no address for peers to dial yet \(apiserver-address\)\n/);
      expect(said).toContain(enable);
      expect(said.match(/^More: .*$/gm)).toEqual(['More: meshctl explain run-at-work,apiserver-address']);
    }
    // Where a run is at work, it is waited for.
    expect(statusText({ ...report, unaddressed: true }, plain)).not.toContain(enable);
    expect(statusText(two, plain)).not.toContain('More:');
  });

  it('looks at each cluster no more often to know who can be connected to, however many reasons there are', () => {
    let looks = 0;
    const reports = Array.from({ length: 20 }, (_, index) => {
      const place = {
        context: `context-${index}`,
        namespace: 'kube-system',
        component: 'agent',
        outage: true,
      } as const;
      const fault = {
        ...place,
        id: 'peering-secret-missing',
        object: 'Secret cilium-clustermesh',
        says: 'gone',
      } as const;
      const report = { ...evaluateStatus(input({ ...place, clusterName: `mesh-${index}` })), faults: [fault] };
      return Object.defineProperty(report, 'enabled', { get: () => ++looks > 0 });
    });
    expect(reasonsOf({ clusters: reports })).toHaveLength(reports.length);
    expect(looks).toBe(2 * reports.length);
  });

  it('says that no KVStoreMesh replica runs, and where to look', () => {
    expect(evaluateStatus(input({ replicas: [] })).healthy).toBe(false);
    expect(text({ replicas: [] })).toContain('describe deployment/clustermesh-apiserver');
  });

  it('keeps each etcd of a peer once, however many nodes are connected to it', () => {
    const tally = createTally({ ...input(), kvstoremesh: false });
    for (let node = 0; node < 100; node += 1) {
      const status = `endpoint status checks are disabled, ID: ${node % 2 === 0 ? 'a1' : 'b2'}`;
      tally.add('agent', { name: `node-${node}`, clusters: [{ ...ready('mesh-2'), status }] });
    }
    expect([...(tally.seen().etcds.get('mesh-2') ?? [])]).toEqual(['a1', 'b2']);
  });

  it('is healthy without KVStoreMesh', () => {
    expect(evaluateStatus(input({ kvstoremesh: false, replicas: [] })).healthy).toBe(true);
  });

  it('tells what is still being read', () => {
    const report: RemoteClusterReport = {
      name: 'mesh-2',
      connected: true,
      status: 'etcd: 1/1 connected',
      config: { required: true, retrieved: true },
      synced: { nodes: true, endpoints: true, identities: true },
    };
    const { problems } = evaluateStatus(input({ agents: [{ name: 'node-1', clusters: [report] }] }));
    expect(problems[0]).toMatchObject({ class: 'syncing', message: 'etcd: 1/1 connected (waiting for services)' });
  });
});

describe('classifyFailure', () => {
  it.each([
    ['x509: certificate has expired or is not yet valid: current time 2026', 'tls-expired'],
    ['x509: certificate signed by unknown authority', 'tls-unknown-ca'],
    ['x509: certificate is valid for 127.0.0.1, not 10.0.0.1', 'tls-name'],
    ["x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs", 'tls-name'],
    ['x509: certificate specifies an incompatible key usage', 'tls-usage'],
    ['remote error: tls: bad certificate', 'tls-client-rejected'],
    ['remote error: tls: unknown certificate authority', 'tls-client-rejected'],
    ['etcdserver: permission denied', 'permission-denied'],
    ['lookup mesh-2.mesh.cilium.io: no such host', 'cannot-resolve'],
    ['dial tcp 10.0.0.1:2379: connect: connection refused', 'refused'],
    ['read tcp 10.0.0.9:40318->10.0.0.1:2379: read: connection reset by peer', 'refused'],
    ['dial tcp 10.0.0.1:2379: i/o timeout', 'timed-out'],
    ['context deadline exceeded', 'timed-out'],
    ['Waiting for initial connection to be established', 'starting'],
    ['something new', 'unknown'],
  ])('takes "%s" for %s', (message, expected) => {
    expect(classifyFailure(message)).toBe(expected);
  });

  it('has words and a next step for every class', () => {
    for (const { says, hint } of Object.values(ADVICE)) {
      const place = { context: 'one', namespace: 'kube-system', peer: 'mesh-2' };
      expect(says({ apiserver: 'it', who: 'it' }, place)).toBeTruthy();
      expect(hint(place)).toBeTruthy();
    }
  });
});
