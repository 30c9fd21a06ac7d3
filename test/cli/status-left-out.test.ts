/** Nodes that the DaemonSet cilium leaves out: nobody counts them, and a status that is green over the others says so. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { edit, type Undo } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

const DAEMON_SET = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };
const NODE = { apiVersion: 'v1', kind: 'Node', name: 'mesh-1-node-2' };
const SAYS = 'the DaemonSet cilium leaves mesh-1-node-2 out by nodeSelector pool=mesh: its pods are not in the mesh';
const LOOK =
  / mesh-1: the DaemonSet cilium leaves .* \(agents-placed\)\n +→ Its nodeSelector, .*\n +kubectl --context mesh-1 -n kube-system get daemonset\/cilium -o yaml\n/;

let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;
let undo: Undo[] = [];

beforeAll(async () => {
  ({ sandbox, meshctl, one } = await startConnectedMesh({ clusters: [{ nodes: 2 }, { nodes: 1 }] }));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => sandbox?.close());

afterEach(async () => {
  for (const back of undo.reverse()) await back();
  undo = [];
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

/** Undone afterwards. */
function label(name: string, labels: Record<string, string>): void {
  const ref = { ...NODE, name };
  const before = one.store.get(ref)?.metadata.labels ?? {};
  const set = (wanted: Record<string, string>) =>
    one.store.update(ref, ({ metadata }) => {
      metadata.labels = wanted;
    });
  set({ ...before, ...labels });
  undo.push(() => set(before));
}

/** The first node alone is of the pool that agents are for. */
async function leaveOut(): Promise<void> {
  label('mesh-1-node-1', { pool: 'mesh' });
  undo.push(
    edit(one, DAEMON_SET, ({ spec }) => {
      const { template } = spec as { template: { spec: Record<string, unknown> } };
      template.spec.nodeSelector = { pool: 'mesh' };
    }),
  );
  await eventually(
    async () => (jsonOf(await status('mesh-1', '-o', 'json')) as unknown as StatusReport).nodes,
    ({ total, connected }) => total === 1 && connected === 1,
    'the agent of the other node is gone',
  );
}

const status = (contexts: string, ...more: string[]) =>
  meshctl(['clustermesh', 'status', '--context', contexts, ...more]);

it('a status of one cluster, and of several, names them, and does not fail for them', async () => {
  expect((await status('mesh-1')).stdout).not.toContain('leaves');
  await leaveOut();
  const alone = await status('mesh-1');
  expect(alone.stdout).toContain('✅ All 1 nodes are connected to all clusters\n');
  expect(alone.stdout).toContain(`⚠️  mesh-1: ${SAYS} (agents-placed)\n`);
  expect(alone.stdout).toMatch(LOOK);
  const both = await status('mesh-1,mesh-2');
  expect(both.stdout).toMatch(LOOK);
  expect([alone.exitCode, both.exitCode]).toEqual([0, 0]);
  expect((await status('mesh-1', '--sample', '50')).stdout).toContain(SAYS);
  expect((await status('mesh-1', '-o', 'junit')).stdout).toContain('name="no node is left out"');
  const leftOut = [{ by: 'nodeSelector pool=mesh', nodes: ['mesh-1-node-2'] }];
  const report = jsonOf(await status('mesh-1', '-o', 'json'));
  requireValid(report);
  expect(report).toMatchObject({ healthy: true, leftOut });
  const mesh = jsonOf(await status('mesh-1,mesh-2', '-o', 'json'));
  requireValid(mesh);
  const { clusters } = mesh as unknown as MeshStatusReport;
  expect(clusters.map((cluster) => cluster.leftOut)).toEqual([leftOut, undefined]);
});

it('so does a check, as a warning; and the probe sends nothing from there', async () => {
  await leaveOut();
  const { stdout, exitCode } = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2']);
  expect(stdout).toContain(SAYS);
  expect(exitCode).toBe(0);
  const probe = await meshctl(['connectivity', 'probe', '--context', 'mesh-1,mesh-2', '--via', 'agents']);
  expect(probe.stdout).toContain('mesh-1: 1 of 2 nodes: mesh-1-node-1; ');
  expect(probe.exitCode).toBe(0);
});

it('none is told that nobody expects Cilium on, and a cordon leaves none out', async () => {
  await leaveOut();
  undo.push(
    edit(one, NODE, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'eks.amazonaws.com/compute-type': 'fargate' };
    }),
    edit(one, { ...NODE, name: 'mesh-1-node-1' }, (node) =>
      Object.assign(node.spec as object, { unschedulable: true }),
    ),
  );
  const { stdout, exitCode } = await status('mesh-1');
  expect(stdout).not.toContain('leaves');
  expect(exitCode).toBe(0);
});
