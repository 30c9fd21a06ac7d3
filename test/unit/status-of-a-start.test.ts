import { describe, expect, it } from 'vitest';
import type { Flow } from '../../src/flows/flow.ts';
import { pollStatus } from '../../src/flows/status/poll-status.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
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
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();

/** How long ago, in minutes, something of a cluster began. */
interface Ages {
  agent?: number;
  server?: number;
  files?: number;
  broke?: number;
}

/** A cluster that dials mesh-2, seen by its agent alone or by its KVStoreMesh too; `says`: what who dials says of mesh-2. */
function cluster({ agent = 60, server = 60, files = 60, broke }: Ages, kvstoremesh: boolean, says: object) {
  const remote = { name: 'mesh-2', ...says, ...(broke === undefined ? {} : { 'last-failure': ago(broke) }) };
  const pod = (name: string, container: string, minutes: number) => ({
    metadata: { name, namespace: 'kube-system', uid: name },
    spec: { nodeName: 'node-1', containers: [{ name: container }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: container, state: { running: { startedAt: ago(minutes) } } }],
    },
  });
  const written = (name: string, file = 'endpoints:\n- https://192.0.2.2:2379\n') => {
    const secret = secretObject(name, { 'mesh-2': file });
    return { ...secret, metadata: { ...secret.metadata, creationTimestamp: ago(files) } };
  };
  const objects = [
    { kind: 'ConfigMap', metadata: { name: 'cilium-config' }, data: { 'cluster-name': 'mesh-1', 'cluster-id': '1' } },
    ...[apiserverDeployment({ kvstoremesh, users: false }), serviceObject({ ports: [{ port: 2379 }] })],
    ...(kvstoremesh
      ? [written('cilium-clustermesh', cachedPeerFile('kube-system')), written('cilium-kvstoremesh')]
      : [written('cilium-clustermesh')]),
    { kind: 'DaemonSet', metadata: { name: 'cilium' }, status: { desiredNumberScheduled: 1 } },
  ];
  const client = {
    context: 'one',
    async get({ kind, name }: ObjectRef) {
      const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
      // Whether what else it has is well is no matter here.
      if (!found) throw new MeshctlError('Forbidden', 'may not be read');
      return found;
    },
    listAll: () => Promise.reject(new MeshctlError('Forbidden', 'may not be read')),
    collect: () => Promise.reject(new MeshctlError('Forbidden', 'may not be read')),
    version: async () => undefined,
    apiGroups: async () => [],
    async *listPages({ labelSelector }: { labelSelector: string }) {
      const isAgents = labelSelector.endsWith('=cilium');
      const container = kvstoremesh ? 'kvstoremesh' : 'apiserver';
      yield { items: [isAgents ? pod('cilium-1', 'cilium-agent', agent) : pod('server-1', container, server)] };
    },
    exec: async ({ container }: { container: string }) => ({
      stdout: JSON.stringify(container === 'kvstoremesh' ? [remote] : { 'cluster-mesh': { clusters: [remote] } }),
      ...{ stderr: '', exitCode: 0 },
    }),
  };
  return client as unknown as ClusterClient;
}

async function hintsAt(ages: Ages, kvstoremesh: boolean, says: object) {
  const target = { client: cluster(ages, kvstoremesh, says), namespace: 'kube-system' };
  const polled = await pollStatus(flow, target, { parallel: 5, nodeTimeoutMs: 1000 });
  const clusters = judgeStanding([{ ...polled, report: { ...polled.report, faults: [] } }], NOW);
  const known = new Map([['mesh-2', 'two']]);
  return reasonsOf({ clusters }, known).filter(({ places }) => places.length > 0);
}

/** What a program says of a peer, one after the other, from its start until it is connected (pkg/clustermesh/common/remote_cluster.go). */
const STATES: Readonly<Record<string, object>> = {
  'it waits for the first connection': { status: 'Waiting for initial connection to be established' },
  'it is connected, and has read nothing': {
    connected: true,
    status: 'etcd: 1/1 connected',
    config: { required: true },
  },
  'it reads what the peer has': {
    connected: true,
    ...{ status: 'etcd: 1/1 connected', config: { required: true, retrieved: true }, synced: { nodes: true } },
  },
};

const BEGINNINGS: readonly (readonly [string, Ages])[] = [
  ['who dials was just started', { agent: 1, server: 1 }],
  ['an agent was just started', { agent: 1, files: 600 }],
  ['the connection broke just now, as where the peer is rolled', { broke: 1 }],
  ['the peering file was just written', { files: 1 }],
];

/** Whether an agent is all that was started: what KVStoreMesh says all the same, lasts. */
const isAgentAlone = ({ agent, server }: Ages) => agent === 1 && server !== 1;

describe.each(BEGINNINGS)('while %s', (_when, ages) => {
  describe.each([true, false])('KVStoreMesh: %j', (kvstoremesh) => {
    it.each(Object.entries(STATES))('when %s, the next step is to wait', async (_state, says) => {
      const reasons = await hintsAt(ages, kvstoremesh, says);
      expect(reasons.map(({ cause }) => cause?.says)).toEqual([undefined, ...reasons.slice(1).map(() => undefined)]);
      for (const { places, hint } of reasons) {
        const isOfOld = places.every(({ problem }) => problem.component === 'kvstoremesh' && isAgentAlone(ages));
        if (!isOfOld) expect(hint).toMatch(/^(It passes .*: )?meshctl clustermesh status .*--wait/);
      }
    });
  });
});

it.each([true, false])('what is not read for longer is published anew: KVStoreMesh %j', async (kvstoremesh) => {
  const says = STATES['it is connected, and has read nothing'] ?? {};
  const hints = (await hintsAt({ broke: 9 }, kvstoremesh, says)).map(({ hint }) => hint);
  expect(hints.join()).toContain('rollout restart deployment/clustermesh-apiserver');
});

it('an etcd that was just started may not have its users yet, and refuses those of agents for that', async () => {
  const says = { status: 'etcdserver: permission denied' };
  const ofCache = async (server: number) =>
    (await hintsAt({ server }, true, says))
      .filter(({ places }) => places.some(({ problem }) => problem.component === 'agent'))
      .map(({ id }) => id);
  expect(await ofCache(1)).toEqual(['starting']);
  expect(await ofCache(9)).toEqual(['permission-denied']);
});
