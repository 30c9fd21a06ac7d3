import { describe, expect, test } from 'vitest';
import type { Flow } from '../../src/flows/flow.ts';
import { readLinks } from '../../src/flows/services/read-links.ts';
import { lookAtClusters, withContested } from '../../src/flows/status/look-at-clusters.ts';
import { pollStatus } from '../../src/flows/status/poll-status.ts';
import { waitForHealth } from '../../src/flows/status/wait-for-health.ts';
import { watchStatus } from '../../src/flows/status/watch-status.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { ExecOptions, ExecResult } from '../../src/kube/exec.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { InvitationStanding } from '../../src/mesh/invitation/record.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { hearsOf } from '../../src/mesh/status/links.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { CHECKOUT } from '../support/schemas.ts';
import { apiserverDeployment, NOW, secretObject, serviceObject } from '../support/snapshots.ts';

const silent = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
const flow: Flow = {
  progress: { start: () => silent, warn() {}, info() {} },
  now: () => NOW,
  clock: briskClock(),
  signal: new AbortController().signal,
  installation: CHECKOUT,
};
const options = { parallel: 50, nodeTimeoutMs: 10_000, redial: true };

const config: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'cilium-config', namespace: 'kube-system' },
  data: { 'cluster-name': 'mesh-1', 'cluster-id': '1' },
};
const file = (host: string) => `endpoints:\n- https://${host}:2379\n`;
const KVSTOREMESH_ON = [
  ...[config, apiserverDeployment()],
  secretObject('cilium-kvstoremesh', { 'mesh-2': file('192.0.2.2') }),
  secretObject('cilium-clustermesh', { 'mesh-2': file('clustermesh-apiserver.kube-system.svc') }),
];
const KVSTOREMESH_OFF = [
  ...[config, apiserverDeployment({ kvstoremesh: false })],
  secretObject('cilium-clustermesh', { 'mesh-2': file('192.0.2.2') }),
];

/** What a pod says of mesh-2. Cilium's words: pkg/kvstore/etcd.go. */
const connected = { name: 'mesh-2', ready: true, connected: true, status: 'endpoint status checks are disabled' };
const AGENT = 'cilium status -o json';
const REPLICA = '/usr/bin/clustermesh-apiserver kvstoremesh-dbg status -o json';
const AGENT_DIALS = 'cilium-dbg troubleshoot clustermesh';
const REPLICA_DIALS = '/usr/bin/clustermesh-apiserver kvstoremesh-dbg troubleshoot';
const DIALLED: ExecResult = {
  stdout: 'Cluster "mesh-2":\n\n⚙️ Etcd client:\n   ✅ Etcd connection successfully established\n',
  ...{ stderr: '', exitCode: 0 },
};

interface Cluster {
  objects: readonly KubeObject[];
  /** Of the clustermesh-apiserver's pod. */
  containers?: readonly string[];
  /** What each pod says of its peers. */
  peers?: readonly object[];
  /** How many agents there are; default: 1. The last one of several says that it is not connected. */
  agents?: number;
  /** Ends before an object is read. */
  reading?: (asked: readonly string[]) => Promise<void>;
  /** Ends before a program does. */
  running?: (options: ExecOptions, asked: readonly string[]) => Promise<void>;
  /** What came of a new connection, instead of that there is one; rejects where that cannot be heard. */
  dialling?: (command: string) => Partial<ExecResult> | Promise<never> | undefined;
  /** The uid that the pod has by now which was listed. */
  uidOf?: (pod: string) => string | undefined;
  /** There is another pod of the clustermesh-apiserver, as one is in a rollout, that no node has room for. */
  pending?: boolean;
}

/** A cluster of agents and one clustermesh-apiserver, and what is run in them. */
function clusterOf({
  objects,
  containers = ['kvstoremesh'],
  peers = [connected],
  agents = 1,
  reading,
  running,
  dialling,
  uidOf = String,
  pending = false,
}: Cluster) {
  const asked: string[] = [];
  const pod = (name: string, ...of: string[]) => ({
    metadata: { name, namespace: 'kube-system', uid: name },
    spec: { nodeName: 'node-1', containers: of.map((container) => ({ name: container })) },
    status: { phase: 'Running' },
  });
  const client = {
    context: 'one',
    async get({ kind, name }: ObjectRef) {
      await reading?.(asked);
      const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
      if (kind === 'DaemonSet') return found ?? wanting(1);
      if (kind !== 'Pod') return found;
      const uid = uidOf(name);
      return uid === undefined ? undefined : { ...pod(name), metadata: { ...pod(name).metadata, uid } };
    },
    listAll: async () => [],
    collect: async () => [],
    // What an enable would change may not be planned.
    version: () => Promise.reject(new MeshctlError('Forbidden', 'no')),
    apiGroups: () => Promise.reject(new MeshctlError('Forbidden', 'no')),
    async *listPages({ labelSelector }: { labelSelector: string }) {
      const isAgents = labelSelector.endsWith('=cilium');
      const named = Array.from({ length: agents }, (_, index) => (index === 0 ? 'cilium' : `cilium-${index + 1}`));
      const waiting = { ...pod('apiserver-2', ...containers), status: { phase: 'Pending' } };
      const replicas = [pod('apiserver', ...containers), ...(pending ? [waiting] : [])];
      yield { items: isAgents ? named.map((name) => pod(name, 'cilium-agent')) : replicas };
    },
    async exec(run: ExecOptions) {
      const command = run.command.join(' ');
      asked.push(command);
      await running?.(run, asked);
      if (command.includes('troubleshoot')) return { ...DIALLED, ...(await dialling?.(command)) };
      const said = run.pod === `cilium-${agents}` ? [{ name: 'mesh-2' }] : peers;
      const answer = command === AGENT ? { 'cluster-mesh': { clusters: said } } : peers;
      return { stdout: JSON.stringify(answer), stderr: '', exitCode: 0 };
    },
  };
  return { asked, target: { client: client as unknown as ClusterClient, namespace: 'kube-system' } };
}

/** Waits, without a time, until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('nobody waits for a new connection that a rule of the API server refuses to try', async () => {
  const why = `pods "apiserver" is forbidden: ValidatingAdmissionPolicy 'deny' with binding 'all' denied request: no`;
  const dialling = () => Promise.reject(new MeshctlError('Rejected', why));
  const { target } = clusterOf({ objects: KVSTOREMESH_ON, dialling });
  const { reports } = await waitForHealth(flow, [target], options, 86_400_000);
  expect(reports[0]?.problems).toMatchObject([{ class: 'agent-unreachable', heldOver: true, message: why }]);
});

describe('a wait for clusters that are connected to none', () => {
  const users = (...names: string[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
    data: { 'users.yaml': `users:\n${names.map((name) => `- name: ${name}\n  role: remote\n`).join('')}` },
  });
  /** What is broken besides may mend by itself. */
  const COMING = [
    config,
    { ...apiserverDeployment(), status: { observedGeneration: 1, replicas: 1, readyReplicas: 0 } },
  ];
  const LONG_MS = 300_000;

  const invitation: InvitationStanding = {
    ...{ id: 'abc', role: 'inviter', peer: 'mesh-2', state: 'invited' },
    ...{ waitsFor: 'the reply of the owner of "mesh-2"', next: 'meshctl clustermesh accept --context one reply.yaml' },
  };

  async function waited(objects: readonly KubeObject[], invitations?: 'unread' | 'open', waitMs = LONG_MS) {
    const warned: string[] = [];
    const clock = briskClock();
    const { target } = clusterOf({ objects, peers: [] });
    const progress = { ...flow.progress, warn: (words: string) => void warned.push(words) };
    const before = clock.ms();
    const withInvitations = async (report: StatusReport) =>
      invitations === 'open'
        ? { ...report, invitations: [invitation] }
        : invitations
          ? { ...report, invitationsUnread: true as const }
          : report;
    const look = await waitForHealth({ ...flow, clock, progress }, [target], { ...options, withInvitations }, waitMs);
    return { look, warned, ms: clock.ms() - before };
  }

  test.each([
    [
      'enabled, and not wholly',
      COMING,
      /^context "one": it is connected to no cluster.* → Name the context of the cluster .*: meshctl clustermesh enable --context one && meshctl clustermesh invite /,
    ],
    [
      'not even enabled',
      [config],
      /^context "one": Cluster Mesh is not enabled; .* → meshctl clustermesh enable --context one$/,
    ],
  ])('says at once what connects them, and ends: %s', async (_what, objects, says) => {
    const { look, warned, ms } = await waited(objects);
    expect(
      warned.filter((words) => says.test(words)),
      warned.join('\n'),
    ).toHaveLength(1);
    expect(ms).toBeLessThan(60_000);
    expect(look.reports).toMatchObject([{ healthy: false }]);
  });

  // What the other owner sends is a message: that this one accepts it is no matter of waiting.
  test.each<[string, readonly KubeObject[]]>([
    ['nobody is let in yet', COMING],
    ['the one who is invited is let in', [...COMING, users('remote-mesh-2')]],
  ])('says at once for which message an open invitation waits, and ends: %s', async (_what, objects) => {
    const { look, warned, ms } = await waited(objects, 'open');
    expect(
      warned.filter((words) => /invitation abc waits for the reply .* → meshctl clustermesh accept /.test(words)),
    ).toHaveLength(1);
    expect(ms).toBeLessThan(60_000);
    expect(look.reports).toMatchObject([{ healthy: false }]);
  });

  test.each<[string, readonly KubeObject[], ('unread' | 'open')?]>([
    ['somebody else than who is invited has been let in', [...COMING, users('remote-mesh-3')], 'open'],
    ['somebody has been let in', [...COMING, users('remote-mesh-2')]],
    ['it is being enabled', [config, serviceObject({})]],
    ['somebody may be invited', COMING, 'unread'],
  ])('goes on where %s', async (_what, objects, invitations) => {
    const { warned, ms } = await waited(objects, invitations, 20_000);
    expect(warned.join()).not.toMatch(/connected to no cluster|not enabled/);
    expect(ms).toBeGreaterThan(15_000);
  });
});

test('agents and KVStoreMesh are asked while it is still being read whom they are to be connected to', async () => {
  const reading = (asked: readonly string[]) => until(() => asked.includes(AGENT) && asked.includes(REPLICA));
  const { asked, target } = clusterOf({ objects: KVSTOREMESH_ON, reading });
  const { report } = await pollStatus(flow, target, options);
  expect(report).toMatchObject({ healthy: true, nodes: { total: 1 }, kvstoremesh: { replicas: 1 } });
  expect(asked.sort()).toEqual([REPLICA, REPLICA_DIALS, AGENT].sort());
});

test('KVStoreMesh makes new connections while it says which it has', async () => {
  const running = async ({ command }: ExecOptions, asked: readonly string[]) => {
    if (command.join(' ') === REPLICA) await until(() => asked.includes(REPLICA_DIALS));
  };
  const { target } = clusterOf({ objects: KVSTOREMESH_ON, running });
  const { report } = await pollStatus(flow, target, options);
  expect(report.healthy).toBe(true);
});

test.each([
  ['one that gives no answer by itself either is not connected', [REPLICA_DIALS, `${REPLICA_DIALS} mesh-2`], false],
  ['one that answers is', [REPLICA_DIALS], true],
])('where new connections to all take too long, each peer is dialled by itself: %s', async (_what, late, healthy) => {
  const running = async ({ command }: ExecOptions) => {
    if (late.includes(command.join(' '))) throw new MeshctlError('Timeout', 'it did not end within 10 s');
  };
  const { asked, target } = clusterOf({ objects: KVSTOREMESH_ON, running });
  const { report } = await pollStatus(flow, target, options);
  expect(asked).toContain(`${REPLICA_DIALS} mesh-2`);
  expect(report.healthy).toBe(healthy);
  expect(report.problems.map((problem) => problem.class)).toEqual(healthy ? [] : ['timed-out']);
});

test('of what a look at all has said by the time that it takes too long nobody is dialled anew', async () => {
  const names = ['mesh-2', 'mesh-3', 'mesh-4'];
  const section = (name: string) => DIALLED.stdout.replace('mesh-2', name);
  // At mesh-3, whose packets are lost, it hung, and what it was about to say of it is cut off.
  const written = `${section('mesh-2')}\nCluster "mesh-3":\n\n⚙️ Etcd client:\n   ❌ Fai`;
  const running = async ({ command, onLate }: ExecOptions) => {
    if (command.join(' ') !== REPLICA_DIALS) return;
    onLate?.(written);
    throw new MeshctlError('Timeout', 'it did not end within 10 s');
  };
  const { asked, target } = clusterOf({
    objects: [
      ...KVSTOREMESH_ON.slice(0, 2),
      secretObject('cilium-kvstoremesh', Object.fromEntries(names.map((name) => [name, file('192.0.2.2')]))),
    ],
    peers: names.map((name) => ({ ...connected, name })),
    running,
    dialling: (command) => ({ stdout: section(command.split(' ').at(-1) ?? '') }),
  });
  const { report } = await pollStatus(flow, target, options);
  expect(report.problems.filter(({ component }) => component === 'kvstoremesh')).toEqual([]);
  expect(asked.filter((command) => command.startsWith(`${REPLICA_DIALS} `))).toEqual(
    ['mesh-3', 'mesh-4'].map((name) => `${REPLICA_DIALS} ${name}`),
  );
});

const broken = (code: MeshctlError['code']) => () => Promise.reject(new MeshctlError(code, 'it broke off'));

test.each<[string, Cluster['dialling'], string | undefined]>([
  ['breaks off', broken('ExecFailed'), 'it broke off'],
  ['is refused by the API server', broken('ApiFailure'), 'it broke off'],
  ['is forbidden', broken('Forbidden'), 'it broke off'],
  ['finds no container', broken('NotFound'), 'it broke off'],
  ['fails', () => ({ stdout: 'no client', exitCode: 1 }), 'DIALS mesh-2 ended with 1: no client'],
  ['says nothing', () => ({ stdout: '' }), 'DIALS mesh-2 says nothing of "mesh-2": '],
  [
    'ends half-way',
    () => ({ stdout: DIALLED.stdout.split('⚙️')[0] ?? '' }),
    'says nothing of "mesh-2": Cluster "mesh-2":',
  ],
  ['is of other peers', () => ({ stdout: DIALLED.stdout.replace('2', '3') }), 'says nothing of "mesh-2"'],
  [
    'is only not of a peer in a look at all',
    (command) => (command.endsWith('mesh-2') ? undefined : { stdout: '' }),
    undefined,
  ],
  ['is not known to a program so old', () => ({ stdout: '', stderr: 'unknown command', exitCode: 1 }), undefined],
])('a new connection is not taken to be there where the look at it %s', async (_what, dialling, says) => {
  for (const [objects, command] of [
    [KVSTOREMESH_ON, REPLICA_DIALS],
    [KVSTOREMESH_OFF, AGENT_DIALS],
  ] as const) {
    const { report } = await pollStatus(
      flow,
      clusterOf({ objects, dialling: dialling ?? (() => undefined) }).target,
      options,
    );
    expect(report.healthy).toBe(says === undefined);
    expect(report.problems.map(({ class: kind, heldOver, message }) => ({ kind, heldOver, message }))).toEqual(
      says === undefined
        ? []
        : [
            {
              ...{ kind: 'agent-unreachable', heldOver: true },
              message: expect.stringContaining(says.replace('DIALS', command)),
            },
          ],
    );
  }
});

test('a replica that does not run is a problem, and the cluster hears of its peers by the other one', async () => {
  const { report } = await pollStatus(flow, clusterOf({ objects: KVSTOREMESH_ON, pending: true }).target, options);
  expect(report.problems).toMatchObject([{ class: 'agent-unreachable', message: 'pod apiserver-2 is not running' }]);
  expect(hearsOf(report, 'mesh-2')).toBe(true);
});

test('a replica that goes away while it makes new connections is no problem of those that are there', async () => {
  let isGone = false;
  const { target, asked } = clusterOf({
    objects: KVSTOREMESH_ON,
    dialling: () => {
      isGone = true;
      return broken('NotFound')();
    },
    uidOf: (pod) => (isGone && pod === 'apiserver' ? undefined : pod),
  });
  const { report } = await pollStatus(flow, target, options);
  expect(report).toMatchObject({ problems: [], kvstoremesh: { replicas: 0 } });
  expect(asked).toContain(REPLICA_DIALS);
});

test('what is in the way of one new connection is not tried for each of hundreds', async () => {
  const many = Array.from({ length: 400 }, (_, index) => `mesh-${index + 2}`);
  const { target, asked } = clusterOf({
    objects: [
      ...KVSTOREMESH_ON.slice(0, 2),
      secretObject('cilium-kvstoremesh', Object.fromEntries(many.map((name) => [name, file('192.0.2.2')]))),
    ],
    peers: many.map((name) => ({ ...connected, name })),
    dialling: broken('ApiFailure'),
  });
  const { report } = await pollStatus(flow, target, options);
  expect(report.problems.filter(({ heldOver }) => heldOver)).toHaveLength(many.length);
  expect(asked.filter((command) => command.includes('troubleshoot')).length).toBeLessThan(20);
});

test.each<[string, Pick<Cluster, 'objects' | 'peers'>]>([
  ['where there is none', { objects: KVSTOREMESH_ON, peers: [{ name: 'mesh-2' }] }],
  ['to whom nobody is to be connected', { objects: [config, apiserverDeployment()], peers: [connected] }],
])('nobody waits for new connections %s, and they are broken off', async (_what, cluster) => {
  let brokenOff = false;
  const running = async ({ command, signal }: ExecOptions) => {
    if (command.join(' ') !== REPLICA_DIALS) return;
    await until(() => signal?.aborted === true);
    brokenOff = true;
    throw new MeshctlError('Interrupted', 'interrupted');
  };
  const { target } = clusterOf({ ...cluster, running });
  const { report } = await pollStatus(flow, target, options);
  expect(report.healthy).toBe(false);
  await until(() => brokenOff);
});

test.each([
  ['is not asked, where it has no KVStoreMesh', ['apiserver']],
  ['is not counted, where it still has a KVStoreMesh that nobody dials through', ['apiserver', 'kvstoremesh']],
  ['is no problem, where a KVStoreMesh that nobody dials through does not answer', ['kvstoremesh']],
])('without KVStoreMesh, the clustermesh-apiserver %s', async (_what, containers) => {
  const running = async ({ container }: ExecOptions) => {
    if (container === containers[0]) throw new MeshctlError('ExecFailed', 'broke off');
  };
  const { asked, target } = clusterOf({ objects: KVSTOREMESH_OFF, containers, running });
  const { report } = await pollStatus(flow, target, options);
  expect(report).toMatchObject({ healthy: true, nodes: { total: 1 }, kvstoremesh: { replicas: 0 }, problems: [] });
  expect(asked.includes(REPLICA)).toBe(containers.includes('kvstoremesh'));
});

test('a pod from before KVStoreMesh was switched on is a problem that is called so', async () => {
  const { asked, target } = clusterOf({ objects: KVSTOREMESH_ON, containers: ['apiserver'] });
  const { report } = await pollStatus(flow, target, options);
  expect(report.problems).toMatchObject([{ message: 'pod apiserver has no container kvstoremesh' }]);
  expect(asked).toEqual([AGENT]);
});

test('what keeps the cluster from being judged is said at once, and breaks off what is being asked', async () => {
  const refused = new MeshctlError('Forbidden', 'may not read');
  const signals: AbortSignal[] = [];
  const reading = async (asked: readonly string[]) => {
    await until(() => asked.includes(AGENT));
    throw refused;
  };
  const running = async ({ signal }: ExecOptions) => {
    if (signal) signals.push(signal);
    await new Promise(() => undefined);
  };
  const { target } = clusterOf({ objects: KVSTOREMESH_ON, reading, running });
  await expect(pollStatus(flow, target, options)).rejects.toBe(refused);
  expect(signals.length).toBeGreaterThan(0);
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
});

/** The agents' DaemonSet. */
function wanting(desiredNumberScheduled: number): KubeObject {
  const metadata = { name: 'cilium', namespace: 'kube-system' };
  const spec = { template: { spec: { tolerations: [{ operator: 'Exists' }] } } };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec, status: { desiredNumberScheduled } };
}

function nodesNamed(...names: readonly string[]) {
  const nodes = names.map((name): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } }));
  return async (_kind: unknown, keep: (one: KubeObject) => unknown[]) => nodes.flatMap(keep);
}

test('a node on which the DaemonSet wants an agent, and has no pod, counts, and is named; not where only a sample is asked', async () => {
  const { target } = clusterOf({ objects: [...KVSTOREMESH_ON, wanting(2)] });
  const client = { ...target.client, collect: nodesNamed('node-1', 'node-2') };
  const { report } = await pollStatus(flow, { ...target, client: client as unknown as ClusterClient }, options);
  expect(report).toMatchObject({ healthy: false, nodes: { total: 2, connected: 1 } });
  expect(report.problems).toMatchObject([{ class: 'agent-unreachable', nodes: ['node-2'] }]);
  const sampled = await pollStatus(flow, target, { ...options, mostNodes: 1 });
  expect(sampled.report).toMatchObject({ healthy: true, nodes: { total: 1 } });
});

describe('the nodes of agents that are silent', () => {
  const NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } };
  const unready = { ...NODE, status: { conditions: [{ type: 'Ready', status: 'False' }] } };
  const running = () => Promise.reject(new MeshctlError('ExecFailed', 'no answer'));
  const UNREADY = {
    ...apiserverDeployment({ kvstoremesh: false }),
    status: { observedGeneration: 1, replicas: 1, readyReplicas: 0 },
  };

  /** @param getNode how one is got by its name @returns what is lacked, and how often all nodes were listed */
  async function polled(objects: readonly KubeObject[], getNode?: () => Promise<KubeObject | undefined>) {
    const { target } = clusterOf({ objects, running });
    let listed = 0;
    const collect = async (_selection: unknown, keep: (node: KubeObject) => unknown[]) => {
      listed += 1;
      return keep(unready);
    };
    const get = (ref: ObjectRef) => (ref.kind === 'Node' && getNode ? getNode() : target.client.get(ref));
    const client = { ...target.client, get, collect } as unknown as ClusterClient;
    const { report } = await pollStatus(flow, { ...target, client }, options);
    return { messages: report.problems.map(({ message }) => message), total: report.nodes.total, listed };
  }

  const SAYS_UNREADY = expect.stringContaining('node node-1 is not ready: ');

  test('are read by their names', async () => {
    const seen = await polled([...KVSTOREMESH_OFF, unready]);
    expect(seen).toEqual({ messages: [SAYS_UNREADY], total: 1, listed: 0 });
  });

  test('do not count where they are gone', async () => {
    expect(await polled(KVSTOREMESH_OFF)).toEqual({ messages: [], total: 0, listed: 0 });
  });

  test('are those that were read already', async () => {
    const objects = [UNREADY, ...KVSTOREMESH_OFF.filter(({ kind }) => kind !== 'Deployment')];
    const getNode = () => Promise.reject(new MeshctlError('Bug', 'it was read once more'));
    expect(await polled(objects, getNode)).toEqual({ messages: [SAYS_UNREADY], total: 1, listed: 1 });
  });

  test('are listed by whoever may list them and not read a single one', async () => {
    const getNode = () => Promise.reject(new MeshctlError('Forbidden', 'not allowed'));
    expect(await polled(KVSTOREMESH_OFF, getNode)).toEqual({ messages: [SAYS_UNREADY], total: 1, listed: 1 });
  });
});

test.each([
  ['a hundred of them, which is told', 150, false, { nodes: 100, of: 150 }, undefined],
  ['all but one of them, which is told', 101, false, { nodes: 100, of: 101 }, undefined],
  ['all of them, where these are a hundred', 100, false, undefined, 'disconnected'],
  ['all of them, where that is asked for', 150, true, undefined, 'disconnected'],
])('links are those that agents have: %s', async (_what, agents, everyNode, asked, state) => {
  const { target } = clusterOf({ objects: KVSTOREMESH_ON, agents });
  const links = (await readLinks(flow, [target], everyNode)).get('one');
  expect(links?.asked).toEqual(asked);
  // The last one is not connected.
  expect(links?.broken[0]?.state).toBe(state);
});

test('an enable that is a next step is planned only for who prints it', async () => {
  const planned: string[] = [];
  const { target } = clusterOf({ objects: KVSTOREMESH_ON });
  const version = () => {
    planned.push('enable');
    return target.client.version();
  };
  const targets = [{ ...target, client: { ...target.client, version } as unknown as ClusterClient }];
  await readLinks(flow, targets, false);
  const look = await lookAtClusters(flow, targets, options);
  expect(planned).toEqual([]);
  await withContested(flow, targets, look);
  expect(planned).not.toEqual([]);
});

test('agents whose DaemonSet is gone run until they are ended, and one that may not be read is told', async () => {
  const look = async (get: (ref: ObjectRef) => Promise<KubeObject | undefined>) => {
    const { target } = clusterOf({ objects: KVSTOREMESH_ON });
    const byRef = (ref: ObjectRef) => (ref.kind === 'DaemonSet' ? get(ref) : target.client.get(ref));
    const client = { ...target.client, get: byRef } as unknown as ClusterClient;
    const [report] = judgeStanding([await pollStatus(flow, { ...target, client }, options)], NOW);
    return report;
  };
  const gone = await look(async () => undefined);
  expect(gone).toMatchObject({ healthy: false, nodes: { total: 1, connected: 1 } });
  expect(gone?.faults).toContainEqual(
    expect.objectContaining({ id: 'agents-missing', says: expect.stringContaining('there is no DaemonSet cilium') }),
  );
  const forbidden = await look(async () => {
    throw new MeshctlError('Forbidden', 'not allowed');
  });
  expect(forbidden?.faults.map(({ id }) => id)).not.toContain('agents-missing');
  expect(forbidden?.unread).toContain('its DaemonSet cilium, by which nodes may lack an agent');
});

test('a node counts whose agent goes while it is asked, and has no successor, as long as the DaemonSet wants one there', async () => {
  const { target } = clusterOf({ objects: [...KVSTOREMESH_ON, wanting(2)] });
  const gone = async (run: ExecOptions) => {
    if (run.pod === 'gone') throw new MeshctlError('ExecFailed', 'pod "gone" not found');
    return target.client.exec(run);
  };
  const listPages = async function* (selection: { labelSelector: string }) {
    for await (const { items } of target.client.listPages(selection as never)) {
      const [first] = items as KubeObject[];
      const second = { ...first, metadata: { ...first?.metadata, name: 'gone', uid: 'gone' } };
      const spec = { ...(first?.spec as object), nodeName: 'node-2' };
      yield { items: selection.labelSelector.endsWith('=cilium') ? [first, { ...second, spec }] : items };
    }
  };
  const get = async (ref: ObjectRef) => (ref.name === 'gone' ? undefined : target.client.get(ref));
  const client = { ...target.client, listPages, get, exec: gone, collect: nodesNamed('node-1', 'node-2') };
  const { report } = await pollStatus(flow, { ...target, client: client as unknown as ClusterClient }, options);
  expect(report).toMatchObject({ healthy: false, nodes: { total: 2, connected: 1 } });
  expect(report.problems).toMatchObject([{ class: 'agent-unreachable', nodes: ['node-2'] }]);
});

const DOWN = new MeshctlError('ClusterUnreachable', 'no answer');

test('a cluster that goes down after its agents were asked takes no report with it', async () => {
  const nodePort = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
  const own = { ...config, data: { 'cluster-name': 'mesh-2', 'cluster-id': '2' } };
  const peers = [{ ...connected, name: 'mesh-1' }];
  const peering = [
    secretObject('cilium-kvstoremesh', { 'mesh-1': file('192.0.2.1') }),
    secretObject('cilium-clustermesh', { 'mesh-1': file('clustermesh-apiserver.kube-system.svc') }),
  ];
  const other = clusterOf({ objects: [own, apiserverDeployment(), nodePort, ...peering], peers }).target;
  const collecting = (client: ClusterClient, context: string, collect: () => Promise<unknown[]>) =>
    ({ ...client, context, collect }) as unknown as ClusterClient;
  const lost = [{ ...connected, ready: false, connected: false }];
  const { client } = clusterOf({ objects: KVSTOREMESH_ON, peers: lost }).target;
  const targets = [
    { ...other, client: collecting(client, 'one', async () => []) },
    { ...other, client: collecting(other.client, 'two', () => Promise.reject(DOWN)) },
  ];
  const { reports, unreachable } = await lookAtClusters(flow, targets, options);
  expect(reports.map(({ context }) => context)).toEqual(['one', 'two']);
  expect(unreachable).toEqual([]);
});

test('a watch of one cluster outlasts a look at which it does not answer', async () => {
  const looks = [true, false];
  const { target } = clusterOf({
    objects: KVSTOREMESH_ON,
    reading: async () => {
      if (looks[0] === false) throw DOWN;
    },
  });
  const abort = new AbortController();
  const seen: number[] = [];
  await watchStatus({ ...flow, signal: abort.signal }, [target], options, async ({ reports }) => {
    seen.push(reports.length);
    looks.push(looks.shift() ?? true);
    if (seen.length === 3) abort.abort();
  });
  expect(seen).toEqual([1, 0, 1]);
});

test('a watch shows those that answer while another one hangs, and that one once it answers', async () => {
  const clock = briskClock();
  const { client } = clusterOf({ objects: KVSTOREMESH_ON }).target;
  const named = (context: string, more: object = {}) => ({
    client: { ...client, context, ...more } as unknown as ClusterClient,
    namespace: 'kube-system',
  });
  let come = () => {};
  const hanging = new Promise<void>((resolve) => {
    come = resolve;
  });
  const get = async (ref: ObjectRef) => hanging.then(() => client.get(ref));
  const targets = [named('one'), named('two'), named('late', { get })];
  const abort = new AbortController();
  const begun = clock.ms();
  const frames: { atMs: number; seen: string[]; lost: string[] }[] = [];
  await watchStatus({ ...flow, clock, signal: abort.signal }, targets, options, async ({ reports, unreachable }) => {
    const [seen, lost] = [reports, unreachable].map((all) => all.map(({ context }) => context));
    frames.push({ atMs: clock.ms() - begun, seen: seen ?? [], lost: lost ?? [] });
    if (frames.length === 2) come();
    if (frames.length === 8 || lost?.length === 0) abort.abort();
  });
  expect(frames[0]).toMatchObject({ seen: ['one', 'two'], lost: ['late'] });
  expect(frames[0]?.atMs).toBeLessThan(6000);
  expect(frames.at(-1)).toMatchObject({ seen: ['one', 'two', 'late'], lost: [] });
});
