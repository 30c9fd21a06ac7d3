import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tally } from '../../src/mesh/connectivity/connectivity.ts';
import { echoPodsOf, readSamples, requestCommand } from '../../src/mesh/connectivity/connectivity-requests.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { type FaultMesh, ONE, startFaultMesh, TWO } from '../support/fault-mesh.ts';
import { agentReports } from '../support/peer-reports.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { eventually, found } from '../support/sandbox-mesh.ts';

/** What is said of who serves whom, against what requests from pods of the sandbox get: its agents choose by rules of their own. */
const BOTH = ['--context', ONE, '--context', TWO];
const REQUESTS = 8;

let mesh: FaultMesh;

const deployment = (name: string, app: string, image: string, replicas: number): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default' } },
  spec: {
    replicas,
    selector: { matchLabels: { app } },
    template: { metadata: { labels: { app } }, spec: { containers: [{ name: app, image }] } },
  },
});

/** Two backends in mesh-1, none in mesh-2. */
function workload({ name }: SandboxCluster): KubeObject[] {
  const annotations = { 'service.cilium.io/global': 'true' };
  return [
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'echo', namespace: 'default', annotations } },
      spec: { clusterIP: '10.96.7.7', selector: { app: 'echo' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    deployment(`echo-${name}`, 'echo', 'ealen/echo-server:1.0', name === 'mesh-1' ? 2 : 0),
    deployment('x-wing', 'x-wing', 'curlimages/curl:8.9.1', 1),
  ];
}

/** The clusters that answer requests from a cluster's pods. */
async function answering({ context }: SandboxCluster): Promise<string[]> {
  const client = mesh.sandbox.client(context);
  const selection = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', labelSelector: 'app=x-wing' };
  const { name } = found((await client.listAll(selection))[0], 'x-wing').metadata;
  const command = requestCommand({ host: 'echo', port: 80, count: REQUESTS, timeoutMs: 1000 });
  const where = { namespace: 'default', pod: name, container: 'x-wing' };
  const { stdout } = await client.exec({ ...where, command, timeoutMs: 20_000 });
  const { answeredBy } = tally(readSamples(stdout, { answererOf: echoPodsOf(['mesh-1', 'mesh-2']) }));
  return Object.keys(answeredBy).sort();
}

interface Definition {
  uses: { cluster: string; lastHeard?: true }[];
  usesDisconnected: string[];
}

const service = (...argv: string[]) => mesh.meshctl(['service', ...argv, ...BOTH]);

async function definitionIn({ name }: SandboxCluster): Promise<Definition> {
  const { service: of } = jsonOf(await service('describe', 'default/echo', '-o', 'json')) as {
    service: { clusters: { cluster: string; definition: Definition }[] };
  };
  return found(
    of.clusters.find(({ cluster }) => cluster === name),
    name,
  ).definition;
}

function scaleApiserver({ store, namespace }: SandboxCluster, replicas: number): void {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'clustermesh-apiserver' };
  store.update(ref, ({ spec }) => Object.assign(spec as object, { replicas }));
}

function setBackends({ store, name }: SandboxCluster, replicas: number): void {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: `echo-${name}` };
  store.update(ref, ({ spec }) => Object.assign(spec as object, { replicas }));
}

const isLost = ({ context }: SandboxCluster) =>
  eventually(
    () => agentReports(mesh.sandbox, context).catch(() => []),
    (reports) => reports.length > 0 && reports.every(({ ready }) => ready !== true),
    `agents of ${context} are not connected`,
  );

/** KVStoreMesh of mesh-2 has noticed; its agents go on reading what it keeps. */
const isLostByCache = () =>
  eventually(
    async () => {
      const { peers } = jsonOf(await mesh.meshctl(['clustermesh', 'status', '--context', TWO, '-o', 'json'])) as {
        peers: { kvstoremesh: { connected: number } }[];
      };
      return peers[0]?.kvstoremesh.connected;
    },
    (connected) => connected === 0,
    'KVStoreMesh of mesh-2 is not connected',
  );

async function restartAgents({ store, namespace, settled }: SandboxCluster): Promise<void> {
  for (const { metadata } of store.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    labels: { 'k8s-app': 'cilium' },
  })) {
    store.delete({ apiVersion: 'v1', kind: 'Pod', namespace, name: metadata.name });
  }
  await settled();
}

beforeAll(async () => {
  mesh = await startFaultMesh();
  for (const cluster of [mesh.one, mesh.two]) {
    for (const object of workload(cluster)) cluster.store.create(object);
    await cluster.settled();
  }
});
beforeEach(async () => {
  await eventually(
    () => answering(mesh.two),
    (from) => from.join() === 'mesh-1',
    'mesh-1 serves mesh-2',
  );
});
afterAll(() => mesh.close());

/** Each leaves mesh-2 without its connection to mesh-1, or that as good as lost, in another way. */
const BREAKS: readonly (readonly [string, () => Promise<unknown>, lastHeard: true | undefined])[] = [
  ['nothing is broken', async () => undefined, undefined],
  [
    'its own clustermesh-apiserver is gone',
    async () => {
      scaleApiserver(mesh.two, 0);
      await isLost(mesh.two);
    },
    true,
  ],
  [
    'the clustermesh-apiserver of the other one is gone',
    async () => {
      scaleApiserver(mesh.one, 0);
      await isLostByCache();
    },
    true,
  ],
];

describe('who serves whom is what requests get', () => {
  it.each(BREAKS)('while %s', async (_, breakIt, lastHeard) => {
    await breakIt();
    await mesh.two.settled();
    const { uses, usesDisconnected } = await definitionIn(mesh.two);
    expect(uses.map(({ cluster }) => cluster)).toEqual(await answering(mesh.two));
    expect([uses[0]?.lastHeard, usesDisconnected]).toEqual([lastHeard, []]);
    scaleApiserver(mesh.one, 1);
    scaleApiserver(mesh.two, 1);
    await eventually(mesh.isConnected, (connected) => connected, 'all are connected');
  });

  it('and it is said what is only as last heard, until agents restart', async () => {
    scaleApiserver(mesh.two, 0);
    await isLost(mesh.two);
    const described = (await service('describe', 'default/echo')).stdout;
    expect(described).toMatch(/Uses now: +mesh-1 \(as last heard, 2 now\)/);
    expect(described).not.toContain('requests from mesh-2 fail');
    expect(described).toMatch(
      /⚠️ {2}mesh-2 is not connected to mesh-1, and goes on sending requests to the backends there that it last heard of, until its agents restart: 0 of 1 node connected/,
    );
    const lost = (await service('failover', 'default/echo', '--without', 'mesh-1')).stdout;
    expect(lost).toMatch(/mesh-1 +NO/);

    await restartAgents(mesh.two);
    await isLost(mesh.two);
    const { uses, usesDisconnected } = await definitionIn(mesh.two);
    expect([uses, usesDisconnected]).toEqual([[], ['mesh-1']]);
    expect(await answering(mesh.two)).toEqual([]);
    expect((await service('describe', 'default/echo')).stdout).toContain('requests from mesh-2 fail');
    scaleApiserver(mesh.two, 1);
    await eventually(mesh.isConnected, (connected) => connected, 'all are connected');
  });

  it('and it is no tick where KVStoreMesh has lost the other cluster, whatever backends that has by now', async () => {
    setBackends(mesh.two, 1);
    await eventually(
      () => answering(mesh.two),
      (from) => from.join() === 'mesh-1,mesh-2',
      'mesh-2 serves too',
    );
    const drained = ['failover', 'default/echo', '--drained', '--require-survivable'];
    expect(await service(...drained, '--without', 'mesh-1')).toMatchObject({ exitCode: 0 });
    scaleApiserver(mesh.one, 0);
    await isLostByCache();
    const { checks } = jsonOf(
      await mesh.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'peers', '-o', 'json']),
    ) as { checks: { id: string; severity: string; cluster?: string }[] };
    const answers = checks.filter(({ id }) => id === 'peers-answers');
    expect(answers.map(({ severity }) => severity)).toEqual(['skip', 'skip']);
    for (const replicas of [1, 0]) {
      setBackends(mesh.one, replicas);
      await mesh.one.settled();
      const described = (await service('describe', 'default/echo')).stdout;
      const now = replicas === 0 ? 'none' : String(replicas);
      expect(described).toMatch(new RegExp(`Uses now: .*mesh-1 \\(as last heard, ${now} now\\)`));
      expect(described).toContain('mesh-2 may hear nothing of mesh-1 any more, and goes on sending requests');
      expect(described).not.toContain('✅');
      const gate = await service(...drained);
      expect(gate, gate.stdout).toMatchObject({ exitCode: 1 });
      expect(gate.stdout).not.toContain('✅');
    }
    scaleApiserver(mesh.one, 1);
    setBackends(mesh.one, 2);
    setBackends(mesh.two, 0);
    await eventually(mesh.isConnected, (connected) => connected, 'all are connected');
  });

  it('and a replica that no node has room for takes nothing from what the other one hears', async () => {
    setBackends(mesh.two, 1);
    await eventually(
      () => answering(mesh.two),
      (from) => from.join() === 'mesh-1,mesh-2',
      'mesh-2 serves too',
    );
    const { store, namespace } = mesh.two;
    const labels = { 'k8s-app': 'clustermesh-apiserver' };
    const [running] = store.list({ apiVersion: 'v1', kind: 'Pod', namespace, labels });
    const { containers } = found(running, 'a replica').spec as { containers: object[] };
    const waiting = { apiVersion: 'v1', kind: 'Pod', namespace, name: 'clustermesh-apiserver-waiting' };
    store.create({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: waiting.name, labels } },
      spec: { containers, nodeSelector: { 'no-such': 'node' } },
    } as KubeObject);
    await mesh.two.settled();
    const status = await mesh.meshctl(['clustermesh', 'status', '--context', TWO]);
    expect(status.stdout).toContain('pod clustermesh-apiserver-waiting is not running');
    const described = (await service('describe', 'default/echo')).stdout;
    expect(described).not.toMatch(/as last heard|at risk|cannot count/);
    const gate = await service('failover', 'default/echo', '--drained', '--require-survivable');
    expect(gate, gate.stdout).toMatchObject({ exitCode: 0 });
    store.delete(waiting);
    setBackends(mesh.two, 0);
    await eventually(mesh.isConnected, (connected) => connected, 'all are connected');
  });

  it('and what failover prints ends requests to a cluster that is silent for good, and nothing else does', async () => {
    setBackends(mesh.two, 1);
    await eventually(
      () => answering(mesh.two),
      (from) => from.join() === 'mesh-1,mesh-2',
      'mesh-2 serves too',
    );
    const told = await service('failover', 'default/echo', '--without', 'mesh-1');
    expect(told.stdout).toMatch(/mesh-1 +yes +NO /);
    const forget = found(printedCommands(told).at(-1), 'a command');
    scaleApiserver(mesh.one, 0);
    mesh.shutDown(mesh.one);
    expect(await answering(mesh.two)).toEqual(['mesh-1', 'mesh-2']);
    // Who asks only now is told the same.
    const late = await service('failover', 'default/echo', '--without', 'mesh-1');
    expect(late.exitCode, late.stderr).toBe(3);
    expect(printedCommands(late).at(-1)?.line).toBe(forget.line);
    const done = await mesh.run([...forget.argv, '--yes']);
    expect(done.exitCode, forget.line + done.stderr).toBe(0);
    await eventually(
      () => answering(mesh.two),
      (from) => from.join() === 'mesh-2',
      'only mesh-2 serves',
    );
  });
});
