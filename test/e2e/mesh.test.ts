import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import {
  AGENT_PEERS_SECRET,
  AGENT_SELECTOR,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  configMapRef,
  KVSTOREMESH_CONTAINER,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../../src/mesh/objects/names.ts';
import { remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { adviceForFailure } from '../../src/mesh/status/failure-reason.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, healthyText, waitForStatus } from '../support/e2e-cli.ts';
import { namedContexts, openTwoContexts, type TwoContexts } from '../support/e2e-contexts.ts';
import { deleteObjectsBeyond, objectSet, runningPods } from '../support/e2e-objects.ts';
import { eventually } from '../support/sandbox-mesh.ts';

/**
 * The main flows, one after the other, on a sandbox or on the two real clusters that KUBECONFIG and
 * MESHCTL_E2E_CONTEXTS=a,b name. Those must have Cilium and no Cluster Mesh, and are left as they were.
 */
const NAMESPACE = 'kube-system';
const real = namedContexts(process.env) !== undefined;

interface ResultSteps {
  steps: { action: string; object: { kind: string; name: string } }[];
}
interface EnabledClusters {
  clusters: (ResultSteps & { context: string; cluster: { name: string; id: number } })[];
}

let mesh: TwoContexts;
let a: string;
let b: string;
let before: Map<string, string>[];
/** Names in the mesh, in the contexts' order. */
let names: string[];

const clientOf = (context: string): ClusterClient => (context === a ? mesh.clients[0] : mesh.clients[1]);
const peerOf = (context: string): string | undefined => names[context === a ? 1 : 0];
const actionsIn = ({ steps }: ResultSteps) => [...new Set(steps.map(({ action }) => action))];

/** Polls until the status of a context is so; gives that report. */
function statusBecomes(context: string, accept: (report: StatusReport) => boolean, what: string) {
  return eventually(() => mesh.meshctl.status(context), accept, `status of ${context}: ${what}`, mesh.patience.polling);
}

async function expectConnected(context: string): Promise<void> {
  const { stdout } = await mesh.meshctl.ok(waitForStatus(context, mesh.patience.flag));
  const { nodes } = await mesh.meshctl.status(context);
  expect(nodes.total).toBeGreaterThan(0);
  expect(stdout).toBe(healthyText(nodes.total, peerOf(context) ?? ''));
}

const apiserverPods = (context: string) =>
  clientOf(context).listAll({ apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE, labelSelector: APISERVER_SELECTOR });

async function scaleApiserver(context: string, replicas: number): Promise<void> {
  await clientOf(context).patch(apiserverDeploymentRef(NAMESPACE), { spec: { replicas } });
  const count = async () => (await apiserverPods(context)).length;
  await eventually(count, (pods) => pods === replicas, `${replicas} pods in ${context}`, mesh.patience.polling);
}

/** Until the peer has noticed: a load balancer without a backend refuses, or does not answer at all. */
async function scaleDown(context: string): Promise<void> {
  await scaleApiserver(context, 0);
  const isUnreachable = ({ problems }: StatusReport) =>
    problems.some(({ class: reason }) => reason === 'refused' || reason === 'timed-out');
  const { healthy } = await statusBecomes(context === a ? b : a, isUnreachable, 'unreachable');
  expect(healthy).toBe(false);
}

/** What KVStoreMesh of a context finds when it connects to its peer once more. */
async function troubleshoot(context: string): Promise<string> {
  const [pod] = await apiserverPods(context);
  const { stdout } = await clientOf(context).exec({
    namespace: NAMESPACE,
    pod: pod?.metadata.name ?? '',
    container: KVSTOREMESH_CONTAINER,
    command: ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'troubleshoot'],
    timeoutMs: 30_000,
  });
  return stdout;
}

describe('enable, connect, status, break, mend, disconnect', { timeout: real ? 900_000 : 60_000 }, () => {
  beforeAll(async () => {
    mesh = await openTwoContexts(process.env);
    [a, b] = mesh.contexts;
    before = await Promise.all(mesh.clients.map(objectSet));
    for (const [index, objects] of before.entries()) {
      const enabled = [...objects.keys()].filter((name) => name.includes('clustermesh'));
      if (enabled.length > 0)
        throw new Error(`${mesh.contexts[index]} has Cluster Mesh already: ${enabled.join(', ')}`);
    }
  });

  afterAll(async () => {
    if (before) {
      await Promise.all(mesh.clients.map((client, index) => deleteObjectsBeyond(client, before[index] ?? new Map())));
    }
    await mesh?.close();
  });

  it('enables both', async () => {
    const result = jsonOf(await mesh.meshctl.ok(enable(`${a},${b}`, '-o', 'json'))) as unknown as EnabledClusters;
    names = result.clusters.map(({ cluster }) => cluster.name);
    expect(result.clusters.map(({ context }) => context)).toEqual([a, b]);
    for (const cluster of result.clusters) expect(actionsIn(cluster)).toContain('create');
  });

  it('changes nothing the second time', async () => {
    const enabled = await Promise.all(mesh.clients.map(objectSet));
    const result = jsonOf(await mesh.meshctl.ok(enable(`${a},${b}`, '-o', 'json'))) as unknown as EnabledClusters;
    expect(result.clusters.map(actionsIn)).toEqual([['keep'], ['keep']]);
    expect(await Promise.all(mesh.clients.map(objectSet))).toEqual(enabled);
  });

  it('is not connected yet, says status', async () => {
    const { exitCode, stdout } = await mesh.meshctl(['clustermesh', 'status', '--context', a]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`⚠️  ${names[0]} is connected to no cluster\n`);
    // It is named where the kubeconfig has no further one.
    const next = [`connect --context ${a} --destination-context ${b}`, ...(real ? [`invite --context ${a}`] : [])];
    expect(next.some((command) => stdout.endsWith(`meshctl clustermesh ${command}\n`))).toBe(true);
  });

  it('connects, and no agent or apiserver restarts', async () => {
    const pods = () =>
      Promise.all(
        mesh.clients.flatMap((client) => [
          runningPods(client, AGENT_SELECTOR),
          runningPods(client, APISERVER_SELECTOR),
        ]),
      );
    const running = await pods();
    expect(running.map((some) => Object.keys(some).length)).not.toContain(0);
    const { stdout } = await mesh.meshctl.ok(connect(a, b));
    expect(stdout).toContain(`✅ ${names[0]} and ${names[1]} are set up to dial each other\n`);
    await expectConnected(a);
    await expectConnected(b);
    expect(await pods()).toEqual(running);
  });

  it('reports the healthy mesh as data', async () => {
    const report = await mesh.meshctl.status(a);
    const { total } = report.nodes;
    expect(report).toMatchObject({
      kind: 'StatusReport',
      context: a,
      cluster: { name: names[0] },
      healthy: true,
      nodes: { total, connected: total },
      kvstoremesh: { enabled: true, replicas: 1, connected: 1 },
      peers: [
        {
          name: names[1],
          agents: { configured: total, connected: total, total },
          kvstoremesh: { configured: 1, connected: 1, total: 1 },
        },
      ],
      problems: [],
    });
  });

  it('changes nothing when connected again, from either side', async () => {
    for (const argv of [connect(a, b, '-o', 'json'), connect(b, a, '-o', 'json')]) {
      expect(actionsIn(jsonOf(await mesh.meshctl.ok(argv)) as unknown as ResultSteps)).toEqual(['keep']);
    }
  });

  it('turns unhealthy when the apiserver of the peer is scaled to zero, and recovers', async () => {
    await scaleDown(b);
    const { exitCode, stdout } = await mesh.meshctl(['clustermesh', 'status', '--context', b]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('its clustermesh-apiserver is scaled to 0');
    await scaleApiserver(b, 1);
    await expectConnected(b);
    await expectConnected(a);
  });

  it('turns unhealthy when the peer has deleted the user, and connect mends it', async () => {
    const users = configMapRef(NAMESPACE, REMOTE_USERS_CONFIGMAP);
    await clientOf(b).patch(users, { data: { 'users.yaml': remoteUsersFile([]) } });
    const isGone = (said: string) => said.includes('permission denied');
    await eventually(() => troubleshoot(a), isGone, 'the user is gone', mesh.patience.polling);
    // etcd asks who someone is at each request, but not again for a watch that is open: that ends with the pod.
    await scaleDown(b);
    await scaleApiserver(b, 1);
    const { problems } = await statusBecomes(
      a,
      (report) => report.problems.some(({ class: reason }) => reason === 'permission-denied'),
      'permission denied',
    );
    expect(problems[0]).toMatchObject({ peer: names[1] });
    const { exitCode, stdout } = await mesh.meshctl(['clustermesh', 'status', '--context', a]);
    expect(exitCode).toBe(1);
    const place = { context: a, namespace: 'kube-system', peer: names[1] ?? '' };
    expect(stdout).toContain(adviceForFailure('permission-denied', place).says);
    await mesh.meshctl.ok(connect(a, b));
    await expectConnected(a);
  });

  it('can be disconnected by hand', async () => {
    for (const [context, peer] of [
      [a, names[1]],
      [b, names[0]],
    ]) {
      const client = clientOf(context ?? '');
      const keys = [peer, ...['-ca.crt', '.crt', '.key'].map((end) => `${peer}.etcd-client${end}`)];
      const data = Object.fromEntries(keys.map((key) => [key, null]));
      for (const name of [AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET]) {
        await client.patch(secretRef(NAMESPACE, name), { data });
      }
      const users = { data: { 'users.yaml': remoteUsersFile([]) } };
      await client.patch(configMapRef(NAMESPACE, REMOTE_USERS_CONFIGMAP), users);
    }
    for (const context of mesh.contexts) {
      const report = await statusBecomes(context, ({ peers }) => peers.length === 0, 'no peers');
      expect(report).toMatchObject({ healthy: false, enabled: true });
    }
  });

  it('leaves the clusters as they were', async () => {
    await Promise.all(mesh.clients.map((client, index) => deleteObjectsBeyond(client, before[index] ?? new Map())));
    for (const [index, client] of mesh.clients.entries()) {
      await eventually(
        () => objectSet(client),
        (objects) => objects.size === before[index]?.size,
        'all deleted',
        mesh.patience.polling,
      );
      expect(await objectSet(client)).toEqual(before[index]);
    }
  });
});
