import { describe, expect, it } from 'vitest';
import { CERTIFICATE_SECRETS } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { mendOf } from '../../src/mesh/faults/fault-advice.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import type { PollResult, StatusReport } from '../../src/mesh/status/status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const secret = (name: string, texts: Record<string, string>, minutesOld = 0) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name,
    namespace: 'kube-system',
    creationTimestamp: new Date(NOW.getTime() - minutesOld * 60_000).toISOString(),
  },
  data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)])),
});
const SERVICE = serviceObject({ ports: [{ port: 2379 }] });
const GOOD = { 'mesh-2': 'endpoints:\n- https://203.0.113.7:2379\n' };

/** A Service of which somebody has changed the type by hand. */
function madeInternal(): KubeObject {
  const service = serviceObject({ type: 'ClusterIP', clusterIP: '10.96.0.9', ports: [{ port: 2379 }] });
  const managedFields: ManagedFieldsEntry[] = [
    { manager: 'meshctl', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:ports': {} } } },
    { manager: 'kubectl-patch', operation: 'Update', fieldsV1: { 'f:spec': { 'f:type': {} } } },
  ];
  return { ...service, metadata: { ...service.metadata, managedFields } };
}

function judged(
  peers: string[],
  agent: PollResult,
  live: readonly KubeObject[],
  replica: PollResult['clusters'] = peers.length > 0 ? [{ name: 'mesh-2', ready: true, connected: true }] : [],
  authority: Partial<Pick<ClusterSnapshot, 'ca' | 'tlsFiles' | 'ciliumConfig'>> = {},
): StatusReport {
  const tally = createTally({
    context: 'one',
    namespace: 'kube-system',
    clusterName: 'mesh-1',
    clusterId: 1,
    peers,
    enabled: true,
    kvstoremesh: true,
  });
  tally.add('agent', agent);
  tally.add('kvstoremesh', { name: 'pod-1', clusters: replica });
  const snapshot = snapshotOf({ live: [apiserverDeployment({ users: false }), SERVICE, ...live], ...authority });
  const [report] = judgeStanding([{ report: tally.report(), snapshot }], NOW);
  if (!report) throw new Error('no report');
  return report;
}

const silent: PollResult = { name: 'node-1', pod: 'cilium-1', clusters: [] };
const agents = (minutesOld: number) =>
  secret('cilium-clustermesh', { 'mesh-2': cachedPeerFile('kube-system') }, minutesOld);
const replicas = (files: Record<string, string> = GOOD) => secret('cilium-kvstoremesh', files);

describe('a peer that a node does not know', () => {
  it.each([
    ['is on its way for two minutes', [agents(1), replicas()], 'not-configured', 'has not reached the node yet'],
    ['is not taken up after that', [agents(3), replicas()], 'not-taken-up', 'for minutes'],
    [
      'is explained by a file that cannot be read',
      [secret('cilium-clustermesh', { 'mesh-2': 'garbage' }, 3), replicas()],
      'config-invalid',
      'the peering file cannot be read: it is not a mapping of settings (Secret cilium-clustermesh, key mesh-2)',
    ],
    [
      'is explained by a Secret that is missing',
      [replicas()],
      'config-invalid',
      'the peering files are missing (Secret cilium-clustermesh)',
    ],
  ])('%s', (_what, live, kind, says) => {
    const report = judged(['mesh-2'], silent, live);
    expect(report.healthy).toBe(false);
    expect(report.problems.map((problem) => problem.class)).toEqual([kind]);
    const [reason, ...more] = reasonsOf({ clusters: [report] }, new Map([['mesh-2', 'two']]));
    expect(more).toEqual([]);
    expect(reason?.says).toContain(says);
    expect(reason?.hint).toMatch(/^(meshctl|kubectl) /);
    expect(reason?.hint).not.toContain('<');
  });
});

describe('a peer that KVStoreMesh does not know', () => {
  const connected: PollResult = { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] };
  const files = (minutesOld: number) => [agents(9), secret('cilium-kvstoremesh', GOOD, minutesOld)];

  it.each([
    ['may have been disconnected three minutes ago', files(4), 'not-configured', 'only three minutes later'],
    ['is not taken up after that', files(6), 'not-taken-up', 'for minutes'],
  ])('%s', (_what, live, kind, says) => {
    const report = judged(['mesh-2'], connected, live, []);
    expect(report.problems.map((problem) => [problem.component, problem.class])).toEqual([['kvstoremesh', kind]]);
    const [reason] = reasonsOf({ clusters: [report] }, new Map([['mesh-2', 'two']]));
    expect(reason?.says).toContain(says);
  });
});

it.each([
  [true, undefined, 'connected, but not after a restart'],
  [true, '15m', 'connected, but not after a restart, and once it breaks, its services are used for 15m only'],
  [false, undefined, 'would not reconnect'],
])('a peer that would not be let in again is called connected where it is: %j', (connected, keptFor, lead) => {
  const agent: PollResult = { name: 'node-1', clusters: [{ name: 'mesh-2', ready: connected, connected }] };
  const judgedClient = judged(['mesh-2'], agent, [agents(9), replicas()]);
  const client = { ...judgedClient, problems: [], faults: [], ...(keptFor && { keptFor }) };
  const fault: Fault = {
    ...{ id: 'peer-user-missing', context: 'two', namespace: 'kube-system', peer: 'mesh-1', component: 'apiserver' },
    ...{ object: 'ConfigMap clustermesh-remote-users', outage: true, says: 'there is no such user' },
  };
  const server = { ...client, context: 'two', cluster: { name: 'mesh-2', id: 2 }, peers: [], faults: [fault] };
  expect(reasonsOf({ clusters: [client, { ...server, nodes: { total: 1, connected: 1 } }] })).toMatchObject([{ lead }]);
});

it.each([
  ['15m', '15m'],
  ['0s', undefined],
])('what a lost peer has published is used for as long as clustermesh-cache-ttl says: %s', (ttl, kept) => {
  const ciliumConfig = { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'clustermesh-cache-ttl': ttl };
  const agent: PollResult = { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] };
  const dialling = apiserverDeployment({ kvstoremesh: false, users: false });
  expect(judged(['mesh-2'], agent, [dialling], undefined, { ciliumConfig }).keptFor).toBe(kept);
});

it('a cluster that nobody is connected with has nothing that would not come back', () => {
  const alone = judged([], { name: 'node-1', clusters: [] }, [agents(9)]);
  const place = { context: 'one', namespace: 'kube-system', component: 'apiserver', object: 'Secret x' } as const;
  const fault: Fault = { id: 'certificate-missing', ...place, outage: true, says: 'the server certificate is missing' };
  const [reason] = reasonsOf({ clusters: [{ ...alone, faults: [fault] }] });
  expect(reason).toMatchObject({ lead: undefined, says: expect.stringContaining('the server certificate is missing') });
  const text = meshStatusText(evaluateMesh([{ ...alone, enabled: true, faults: [fault] }], []), PLAIN);
  expect(text).not.toMatch(/come back|after a restart|would not reconnect/);
});

describe('a peer that agents have and no Secret names', () => {
  it('is shown, and would not come back', () => {
    const agent = { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] };
    const report = judged([], agent, []);
    expect(report).toMatchObject({ healthy: false, peers: [{ name: 'mesh-2', agents: { connected: 1, total: 1 } }] });
    expect(report.faults.map(({ id, peer }) => [id, peer])).toEqual([['peer-unconfigured', 'mesh-2']]);
    expect(report.faults.map((fault) => mendOf(fault, new Map()))).toEqual([
      "it goes within a minute, when kubelets refresh the Secret; to keep it: meshctl clustermesh connect --context one --destination-context '<context of mesh-2>'",
    ]);
    expect(evaluateMesh([report], []).matrix[1]).toMatchObject({ to: 'mesh-2', state: 'at-risk' });
  });
});

describe('an agent that still says what was before', () => {
  const status = 'failed to load CA cert: open /var/lib/cilium/clustermesh/ca.crt: no such file or directory';
  const stale: PollResult = { name: 'node-1', clusters: [{ name: 'mesh-2', ready: false, connected: false, status }] };

  it.each([
    [
      'where the CA is lost too, has the way back',
      undefined,
      /^restore Secret .+ enable --context one --replace-ca && meshctl clustermesh connect /,
    ],
    [
      'else has what renews it',
      caFacts('ca-one'),
      /^meshctl clustermesh enable --context one && meshctl clustermesh connect --context one /,
    ],
  ])('%s', (_what, ca, hint) => {
    const tlsFiles = new Map();
    const report = judged(['mesh-2'], stale, [agents(9), replicas()], undefined, { ca, tlsFiles });
    // Of what is missing now, nothing is what the agent speaks of.
    const told = { ...report, problems: report.problems.map((problem) => ({ ...problem, cause: undefined })) };
    const reason = reasonsOf({ clusters: [told] }).find(({ places }) => places.length > 0);
    expect(reason).toMatchObject({ id: 'config-invalid', hint: expect.stringMatching(hint) });
  });
});

describe('a peer that is dialled where its Service is not', () => {
  const CHOSEN = { 'meshctl.io/endpoint.mesh-2': '203.0.113.7:2379' };
  const RESET =
    'meshctl clustermesh connect --context one --destination-context two --destination-endpoint mesh-2=service';

  it.each([
    ['it was chosen', CHOSEN, '10.0.0.9', 'peer-address-chosen', 'as it was chosen', RESET],
    ['it was chosen, and the peer was not read', CHOSEN, undefined, 'peer-address-chosen', 'as it was chosen', RESET],
    [
      'the Service has got another one',
      {},
      '10.0.0.9',
      'peer-address-gone',
      'mesh-2 is dialled at 203.0.113.7:2379, but the Service of mesh-2 has 10.0.0.9:2379',
      'meshctl clustermesh connect --context one --destination-context two',
    ],
    [
      'somebody has made its Service one of addresses inside its cluster',
      {},
      'ClusterIP',
      'peer-address-gone',
      'but the Service of mesh-2 has 10.96.0.9:2379',
      // The type that is there would be kept, and is not meshctl's: the node of no cloud tells which one.
      'meshctl clustermesh enable --context two --service-type NodePort --force-conflicts',
    ],
    ['it is the right one', CHOSEN, '203.0.113.7', undefined, 'cannot be reached', undefined],
    ['nobody read the peer', {}, undefined, undefined, 'cannot be reached', undefined],
  ])('%s', (_what, annotations, ip, id, says, hint) => {
    const tally = createTally({
      ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
    const lost = { name: 'mesh-2', status: 'dial tcp 203.0.113.7:2379: i/o timeout' };
    tally.add('kvstoremesh', { name: 'pod-1', clusters: [lost] });
    const chosen = agents(1);
    Object.assign(chosen.metadata, { annotations });
    const snapshot = snapshotOf({
      context: 'one',
      live: [apiserverDeployment({ users: false }), SERVICE, chosen, replicas()],
    });
    const other = createTally({
      ...{ context: 'two', namespace: 'kube-system', clusterName: 'mesh-2', clusterId: 2 },
      ...{ peers: [], enabled: true, kvstoremesh: false },
    });
    const two = ip && {
      report: other.report(),
      snapshot: snapshotOf({
        context: 'two',
        ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
        live: [apiserverDeployment({ users: false }), ip === 'ClusterIP' ? madeInternal() : loadBalancerService(ip)],
      }),
    };
    const [report] = judgeStanding([{ report: tally.report(), snapshot }, ...(two ? [two] : [])], NOW);
    if (!report) throw new Error('no report');
    const [problem] = report.problems;
    expect(problem?.cause?.id).toBe(id);
    expect(report.faults.map((fault) => fault.id)).not.toContain(id);
    const [reason] = reasonsOf({ clusters: [report] }, new Map([['mesh-2', 'two']])).filter(
      ({ places }) => places.length,
    );
    expect(reason?.says).toContain(says);
    if (hint) expect(reason?.hint).toBe(hint);
  });
});

/** The second of them is cordoned. */
const NODES = snapshotOf().nodes.map((node, index) => (index === 1 ? { ...node, unschedulable: true } : node));

function balancerAt(nodePort: number): KubeObject {
  const service = loadBalancerService('203.0.113.7');
  return { ...service, spec: { ...(service.spec as object), ports: [{ port: 2379, nodePort }] } };
}

it.each<[what: string, host: string, ids: string[], nodes?: ClusterSnapshot['nodes'], balancer?: KubeObject]>([
  ['an IP address that its Service has not', '203.0.113.8', ['peer-address-gone']],
  // Of which its settings say that it cannot be dialled there, which nodes may well.
  ['one of an IP family that Cilium has off', 'fd00::8', ['peer-address-gone']],
  ["its Service's, of an IP family that Cilium has off", 'fd00::7', []],
  // It may well lead there: only a name server tells.
  ['a DNS name', 'mesh-2.example.org', []],
  ['a node of a NodePort', '10.0.0.1', [], NODES],
  ['a node that is cordoned, and Ready', '10.0.0.2', [], NODES],
  ['a node that is not there any more', '10.0.0.3', ['peer-address-gone'], NODES],
  ['a node, where no node may be read', '10.0.0.3', [], []],
  ['the node port of a load balancer', '10.0.0.1', [], NODES, balancerAt(2379)],
  ['that of a node that is not there any more', '10.0.0.3', ['peer-address-gone'], NODES, balancerAt(2379)],
  ['a node port that it has no more', '10.0.0.1', ['peer-address-gone'], NODES, balancerAt(31999)],
  ['the node port of a load balancer, where no node may be read', '10.0.0.1', [], [], balancerAt(2379)],
])('of a connected peer that is dialled at %s, status tells what is known', (_what, host, ids, nodes, balancer) => {
  const polled = (context: string, number: number, peer: string, live: readonly KubeObject[]) => {
    const own = { 'cluster-name': `mesh-${number}`, 'cluster-id': String(number) };
    const tally = createTally({
      ...{ context, namespace: 'kube-system', clusterName: `mesh-${number}`, clusterId: number, peers: [peer] },
      ...{ enabled: true, kvstoremesh: false },
    });
    tally.add('agent', { name: 'node-1', clusters: [{ name: peer, ready: true, connected: true }] });
    return { report: tally.report(), snapshot: snapshotOf({ context, ciliumConfig: own, live: [...live] }) };
  };
  const at = host.includes(':') ? `[${host}]` : host;
  const dials = secret('cilium-clustermesh', { 'mesh-2': `endpoints:\n- https://${at}:2379\n` });
  const server = apiserverDeployment({ users: false, kvstoremesh: false });
  const balanced = loadBalancerService('203.0.113.7', 'fd00::7');
  const one = polled('one', 1, 'mesh-2', [server, loadBalancerService('203.0.113.6'), dials]);
  const nodePort = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 2379 }] });
  const two = polled('two', 2, 'mesh-1', [server, balancer ?? (nodes ? nodePort : balanced)]);
  const [report] = judgeStanding([one, nodes ? { ...two, snapshot: { ...two.snapshot, nodes } } : two], NOW);
  expect(report?.faults.map(({ id }) => id).filter((id) => id.startsWith('peer-address'))).toEqual(ids);
});

describe('what is about one cluster, and not about a peer of it', () => {
  const told = (problemPod: PollResult, deployment: KubeObject) => {
    const tally = createTally({
      ...{ context: 'two', namespace: 'kube-system', clusterName: 'mesh-2', clusterId: 2 },
      ...{ peers: ['mesh-1'], enabled: true, kvstoremesh: true },
    });
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-1' }] });
    tally.add('kvstoremesh', problemPod);
    const files = [
      secret('cilium-clustermesh', { 'mesh-1': cachedPeerFile('kube-system') }),
      secret('cilium-kvstoremesh', { 'mesh-1': GOOD['mesh-2'] }),
    ];
    const snapshot = snapshotOf({
      context: 'two',
      ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
      live: [deployment, SERVICE, ...files],
    });
    return reasonsOf(
      { clusters: judgeStanding([{ report: tally.report(), snapshot }], NOW) },
      new Map([['mesh-1', 'one']]),
    );
  };
  const unreachable: PollResult = { name: 'pod-1', error: 'container kvstoremesh is not there' };

  it('is told of that cluster: a KVStoreMesh that is on and has no container', () => {
    const deployment = apiserverDeployment({ users: false, kvstoremesh: false });
    const template = {
      spec: { containers: [{ name: 'etcd' }, { name: 'apiserver' }], volumes: [{ name: 'kvstoremesh-secrets' }] },
    };
    const reasons = told(unreachable, { ...deployment, spec: { ...(deployment.spec as object), template } });
    const reason = reasons.find(({ says }) => says.includes('no container kvstoremesh'));
    expect(reason?.about).toEqual(['mesh-2']);
  });

  it('is told of that cluster: a replica that cannot be asked', () => {
    const reason = told(unreachable, apiserverDeployment({ users: false })).find(({ says }) =>
      says.includes('KVStoreMesh replica'),
    );
    expect(reason?.about).toEqual(['mesh-2']);
  });
});

describe('a peer that cannot be reached, of which nobody knows why', () => {
  it('is looked for by check first, which reads policies and taints; check itself says how to look by hand', () => {
    const timedOut = { name: 'mesh-2', status: 'dial tcp 203.0.113.7:2379: i/o timeout' };
    const tally = createTally({
      ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    tally.add('kvstoremesh', { name: 'pod-1', clusters: [timedOut] });
    const clusters = [tally.report()];
    const of = (isCheck: boolean, contexts = new Map([['mesh-2', 'two']])) =>
      reasonsOf({ clusters }, contexts, { isCheck }).map(({ hint }) => hint);
    expect(of(false)).toEqual([
      expect.stringMatching(
        /^Find the cause: meshctl clustermesh check --context one,two; or check routes.*: meshctl connectivity probe --context one,two && kubectl /,
      ),
    ]);
    expect(of(true)).toEqual([expect.stringMatching(/^check routes/)]);
    // Nobody is told to check a cluster by a placeholder.
    expect(of(false, new Map())).toEqual([expect.stringMatching(/^check routes/)]);
  });
});

describe('another server than the peer that answers at a dialled address', () => {
  const ADDRESS = '203.0.113.7';
  const CHOSEN = { 'meshctl.io/endpoint.mesh-2': `${ADDRESS}:2379` };
  const CONNECT = 'meshctl clustermesh connect --context one --destination-context two';
  const RESET = `${CONNECT} --destination-endpoint mesh-2=service`;
  const LOOK = 'meshctl clustermesh status --context one,two';
  const UNKNOWN_CA = 'x509: certificate signed by unknown authority';
  const NAME = 'x509: certificate is valid for 198.51.100.1, not 203.0.113.7';
  const elsewhere = (ips: string[] = []) => ({ ip: '10.0.0.9', ips });

  it.each([
    ['chosen', UNKNOWN_CA, CHOSEN, elsewhere(), 'peer-address-chosen', RESET],
    [
      'chosen, and it lacks the user',
      'etcdserver: permission denied',
      CHOSEN,
      elsewhere(),
      'peer-address-chosen',
      RESET,
    ],
    ['chosen, and the peer was not read', UNKNOWN_CA, CHOSEN, undefined, 'peer-address-doubtful', LOOK],
    ['of a Service that has another one now', UNKNOWN_CA, {}, elsewhere(), 'peer-address-gone', CONNECT],
    ['for which the peer has a certificate', NAME, CHOSEN, elsewhere([ADDRESS]), 'peer-address-chosen', RESET],
    ['for which the peer has none', NAME, CHOSEN, elsewhere(), undefined, CONNECT],
    ['that is right', UNKNOWN_CA, CHOSEN, { ip: ADDRESS, ips: [] }, undefined, undefined],
  ])('%s', (_what, status, annotations, two, id, hint) => {
    const tally = createTally({
      ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
    tally.add('kvstoremesh', { name: 'pod-1', clusters: [{ name: 'mesh-2', status }] });
    const chosen = agents(1);
    Object.assign(chosen.metadata, { annotations });
    const live = [apiserverDeployment({ users: false }), SERVICE, chosen, replicas()];
    const other = createTally({
      ...{ context: 'two', namespace: 'kube-system', clusterName: 'mesh-2', clusterId: 2 },
      ...{ peers: [], enabled: true, kvstoremesh: false },
    });
    const peer = two && {
      report: other.report(),
      snapshot: snapshotOf({
        context: 'two',
        ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
        live: [apiserverDeployment({ users: false }), loadBalancerService(two.ip)],
        tlsSecrets: new Map([
          ['clustermesh-apiserver-server-cert', tlsFacts('ca', { commonName: 'server', ipAddresses: two.ips })],
        ]),
      }),
    };
    const own = { report: tally.report(), snapshot: snapshotOf({ context: 'one', live }) };
    const [report] = judgeStanding([own, ...(peer ? [peer] : [])], NOW);
    if (!report) throw new Error('no report');
    expect(report.problems.map(({ cause }) => cause?.id)).toEqual([id]);
    const reasons = reasonsOf({ clusters: [report] }, new Map([['mesh-2', 'two']]));
    if (hint) expect(reasons.find(({ places }) => places.length > 0)?.hint).toBe(hint);
  });
});

describe('a peer whose certificate is for another name than the one that is dialled', () => {
  const RENEW = 'meshctl clustermesh enable --context two';
  const CONNECT = 'meshctl clustermesh connect --context one --destination-context two';

  it.each([
    ['its server certificate is from elsewhere', 'clustermesh-apiserver-server-cert', 'certificate-issuer', RENEW],
    ['another one of its certificates is', 'clustermesh-apiserver-admin-cert', undefined, CONNECT],
  ])('%s', (_what, foreign, id, hint) => {
    const tally = createTally({
      ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    const status = 'x509: certificate is valid for 198.51.100.1, not 203.0.113.7';
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
    tally.add('kvstoremesh', { name: 'pod-1', clusters: [{ name: 'mesh-2', status }] });
    const other = createTally({
      ...{ context: 'two', namespace: 'kube-system', clusterName: 'mesh-2', clusterId: 2 },
      ...{ peers: [], enabled: true, kvstoremesh: true },
    });
    const files = CERTIFICATE_SECRETS.map((name) => {
      const { certificate, ca = certificate } = tlsFacts(name === foreign ? 'ca-else' : 'ca-two', {});
      return [name, { certificate, privateKey: 'matches', ca, signedByCa: true, authorities: [ca] }] as const;
    });
    const [report] = judgeStanding(
      [
        {
          report: tally.report(),
          snapshot: snapshotOf({
            context: 'one',
            live: [apiserverDeployment({ users: false }), SERVICE, agents(1), replicas()],
          }),
        },
        {
          report: other.report(),
          snapshot: snapshotOf({
            context: 'two',
            ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
            live: [apiserverDeployment({ users: false }), loadBalancerService('203.0.113.7')],
            tlsFiles: new Map(files),
          }),
        },
      ],
      NOW,
    );
    if (!report) throw new Error('no report');
    expect(report.problems.map(({ cause }) => cause?.id)).toEqual([id]);
    const reasons = reasonsOf({ clusters: [report] }, new Map([['mesh-2', 'two']]));
    expect(reasons.find(({ places }) => places.length > 0)?.hint).toBe(hint);
  });
});

describe('a peer that left the mesh', () => {
  const dialling = (name: string, live: ReturnType<typeof secret>[]) =>
    snapshotOf({ context: name, live: [apiserverDeployment({ users: false }), SERVICE, ...live] });

  it('is the reason, and what mends is that the others forget it', () => {
    const tally = createTally({
      ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    const lost = { name: 'mesh-2', status: 'dial tcp 203.0.113.7:2379: i/o timeout' };
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
    tally.add('kvstoremesh', { name: 'pod-1', clusters: [lost] });
    const left = createTally({
      ...{ context: 'two', namespace: 'kube-system', clusterName: 'mesh-2', clusterId: 2 },
      ...{ peers: [], enabled: false, kvstoremesh: false },
    });
    left.add('agent', { name: 'node-2', clusters: [] });
    const reports = judgeStanding(
      [
        { report: tally.report(), snapshot: dialling('one', [agents(1), replicas()]) },
        {
          report: left.report(),
          snapshot: snapshotOf({
            context: 'two',
            ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
            live: [],
          }),
        },
      ],
      NOW,
    );
    const mesh = evaluateMesh(reports, []);
    const reason = reasonsOf(mesh).find(({ about }) => about.includes('mesh-2'));
    expect(reason?.says).toContain('Cluster Mesh is not enabled there, and mesh-1 dials it');
    expect(reason?.hint).toBe(
      'forget it: meshctl clustermesh disconnect --context one --peer mesh-2; or join it again: ' +
        'meshctl clustermesh enable --context two && meshctl clustermesh connect --context two --destination-context one',
    );
    const text = meshStatusText(mesh, PLAIN);
    expect(text).not.toContain('firewalls');
    expect(text).toContain('\n         meshctl clustermesh disconnect --context one --peer mesh-2\n');
    expect(text.match(/not enabled/g)).toHaveLength(1);
  });
});

describe('a next step for several peers', () => {
  const reportOf = (id: number, more: Partial<StatusReport> = {}): StatusReport => ({
    ...{
      context: `c${id}`,
      namespace: 'kube-system',
      cluster: { name: `mesh-${id}`, id },
      healthy: false,
      enabled: true,
    },
    ...{ nodes: { total: 1, connected: 0 }, kvstoremesh: { enabled: true, replicas: 1, connected: 0 } },
    ...{ peers: [], serves: [], problems: [], faults: [], ...more },
  });
  const faultIn = (id: number, fault: Fault['id'], more: Partial<Fault> = {}): Fault => ({
    ...{
      id: fault,
      context: `c${id}`,
      namespace: 'kube-system',
      component: 'apiserver',
      outage: true,
      says: 'is lost',
    },
    object: 'Secret clustermesh-apiserver-server-cert',
    ...more,
  });
  const lost = faultIn(1, 'peering-secret-missing', { component: 'kvstoremesh', peers: ['mesh-2', 'mesh-3'] });
  const refused = (component: 'kvstoremesh' = 'kvstoremesh') => [
    { peer: 'mesh-2', component, class: 'tls-client-rejected' as const, message: 'remote error: tls', nodes: ['n'] },
  ];
  const hintsOf = (...clusters: StatusReport[]) =>
    reasonsOf({ clusters }).flatMap(({ hint }) => (hint.includes('meshctl clustermesh connect') ? [hint] : []));

  it.each<[what: string, third: Partial<StatusReport>]>([
    ['is not enabled', { enabled: false }],
    ['has no list of users', { faults: [faultIn(3, 'users-missing')] }],
    ['has no server certificate', { faults: [faultIn(3, 'certificate-missing')] }],
  ])('leaves out one that %s: it has a hint of its own', (_what, third) => {
    const dialling = hintsOf(reportOf(1, { faults: [lost] }), reportOf(2), reportOf(3, third));
    expect(dialling).toEqual(['meshctl clustermesh connect --context c1 --destination-context c2']);
    const dialled = hintsOf(
      reportOf(3, { ...third, problems: refused() }),
      reportOf(1, { problems: refused() }),
      reportOf(2),
    );
    expect(dialled).toEqual(['meshctl clustermesh connect --context c1 --destination-context c2']);
  });

  it('names all that are well, and those that are not where nobody else is', () => {
    const both = 'meshctl clustermesh connect --context c1 --destination-context c2,c3';
    expect(hintsOf(reportOf(1, { faults: [lost] }), reportOf(2), reportOf(3))).toEqual([both]);
    const off = { enabled: false };
    expect(hintsOf(reportOf(1, { faults: [lost] }), reportOf(2, off), reportOf(3, off))).toEqual([
      `meshctl clustermesh enable --context c2,c3 && ${both}`,
    ]);
  });
});
