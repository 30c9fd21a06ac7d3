import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { clusterAt, eventually, execInside, refs } from '../support/sandbox-mesh.ts';

/** Agents that begin to wait for their first connection with a CA that is then replaced: they go on with it for 15 minutes. */
let clusters: ConnectClusters;
let laterMs = 0;
const MINUTE_MS = 60_000;
const BOTH = ['--context', 'mesh-1,mesh-2'];

beforeAll(async () => {
  clusters = await startConnectClusters(2, { clock: () => new Date(Date.now() + laterMs) });
});

afterAll(() => clusters?.close());

const ok = async (argv: readonly string[]) => {
  const result = await clusters.meshctl(argv);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  return result;
};

const isConnected = async () => {
  const { stdout } = await execInside(clusters, 'mesh-1', 'cilium', 'cilium-agent', ['cilium', 'status', '-o', 'json']);
  return JSON.parse(stdout)['cluster-mesh'].clusters[0].connected === true;
};

it('is told by the plan, and by status with how long to wait, which mends it', async () => {
  await ok(connect('mesh-1', 'mesh-2'));
  await ok(['clustermesh', 'status', ...BOTH, '--wait']);
  const { store, settled } = clusterAt(clusters, 'mesh-1');
  const scale = (replicas: number) =>
    store.update(refs.deployment('clustermesh-apiserver'), (deployment: KubeObject) => {
      Object.assign(deployment.spec as object, { replicas });
    });
  scale(0);
  await settled();
  await eventually(isConnected, (connected) => !connected, 'the loss');
  // The client that takes the place of the lost one has read the CA.
  laterMs = 3 * MINUTE_MS;
  const attempts = async () =>
    (await clusters.meshctl(['clustermesh', 'status', ...BOTH])).stdout.includes('apiserver-scaled-down');
  expect(await attempts()).toBe(true);
  const replace = enable('mesh-1', '--replace-ca', '--replicas', '1', '--force-conflicts');
  expect((await ok([...replace, '--dry-run'])).stdout).toContain('go on with the former CA, for up to 15 minutes');
  await ok([...replace, '--yes']);
  const agents = store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
  for (const { metadata } of agents) expect(metadata.annotations).toHaveProperty(['meshctl.io/nudged-at']);
  await ok([...connect('mesh-1', 'mesh-2'), '--yes']);
  const waiting = await clusters.meshctl(['clustermesh', 'status', ...BOTH, '--wait', '--wait-duration', '3s']);
  expect([waiting.exitCode, waiting.stdout.replaceAll(/\s+/g, ' ')]).toEqual([
    1,
    expect.stringContaining(
      'within 15 minutes where a CA was replaced meanwhile: meshctl clustermesh status --context mesh-1 --wait --wait-duration 16m',
    ),
  ]);
  laterMs += 16 * MINUTE_MS;
  await ok(['clustermesh', 'status', ...BOTH, '--wait']);
});
