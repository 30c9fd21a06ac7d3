import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { templateSpec } from '../../src/mesh/objects/workload.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { enable } from '../support/e2e-cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** A mesh whose mesh-1 was handed over to Helm as printed, and has what Helm makes of it; mesh-2 is meshctl's. */
let mesh: ConnectedMesh;

const DEPLOYMENT = refs.deployment('clustermesh-apiserver');

/** The flags of its programs the other way round, as another tool writes them. */
const turnFlags = (deployment: KubeObject) => {
  for (const container of templateSpec(deployment).containers ?? []) {
    const [command = '', ...flags] = container.args ?? [];
    container.args = [command, ...flags.reverse()];
  }
};

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 }, '--service-type', 'LoadBalancer');
  handOverAsPrinted(mesh.one, (await mesh.meshctl.ok(['clustermesh', 'helm-values', '--context', 'mesh-1'])).stdout);
  // As seen of Helm 4.2 with the chart of 1.20.
  mesh.one.store.update(
    DEPLOYMENT,
    (deployment) => {
      turnFlags(deployment);
      for (const container of templateSpec(deployment).containers ?? [])
        Object.assign(container, { imagePullPolicy: 'Always' });
      deployment.metadata.labels = { ...deployment.metadata.labels, 'helm.sh/chart': 'cilium-1.20.0' };
    },
    'helm',
  );
});

afterAll(() => mesh.sandbox.close());

/** What a run changes, of the cluster that is Helm's. */
async function requireSettled(...flags: string[]): Promise<void> {
  const spec = () => structuredClone(mesh.one.store.get(DEPLOYMENT)?.spec);
  const before = spec();
  const planned = await mesh.meshctl.ok(enable('mesh-1', '--dry-run=server', ...flags));
  expect(planned.stdout).toMatch(/\nPlan: \d+ to keep\.\n/);
  const { stdout } = await mesh.meshctl.ok(enable('mesh-1', '--yes', ...flags));
  expect(stdout).toContain('Objects: nothing to change');
  expect(spec()).toEqual(before);
}

describe('enable', () => {
  it('leaves to Helm what does as well, and takes nothing over, by force either', async () => {
    await requireSettled();
    await requireSettled('--force-conflicts');
    await requireSettled();
  });

  it('takes fields over by force, and the object stays the release’s: the next run has nothing to change', async () => {
    const set = 'Deployment:spec.template.spec.containers[etcd].imagePullPolicy=Never';
    const refused = await mesh.meshctl(enable('mesh-1', '--set', set, '--yes'));
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr.replaceAll(/\s+/g, ' ')).toContain(
      'Set clustermesh.apiserver.image.pullPolicy in the values of Helm release cilium, or take the fields over',
    );
    await mesh.meshctl.ok(enable('mesh-1', '--set', set, '--yes', '--force-conflicts'));
    const labels = { 'app.kubernetes.io/managed-by': 'Helm' };
    expect(mesh.one.store.get(DEPLOYMENT)).toMatchObject({ metadata: { labels } });
    await requireSettled();
    await requireSettled('--force-conflicts');
    await mesh.meshctl.ok(
      enable('mesh-1', '--unset', 'Deployment:spec.template.spec.containers[etcd].imagePullPolicy', '--yes'),
    );
    await requireSettled();
  });

  it('overrules nobody who has turned the flags of a program, whose order says nothing', async () => {
    mesh.two.store.update(DEPLOYMENT, turnFlags, 'kubectl-edit');
    await mesh.meshctl.ok(enable('mesh-2', '--set', 'Deployment:spec.minReadySeconds=1', '--yes'));
  });
});

describe('disable', () => {
  const users = refs.configMap('clustermesh-remote-users');

  it('leaves what the pods of Helm cannot start without, and has the line that removes them', async () => {
    const { stdout } = await mesh.meshctl.ok([
      'clustermesh',
      'disable',
      '--context',
      'mesh-1',
      '--disconnect',
      '--dry-run',
    ]);
    expect(stdout).toContain(
      '(then disable again, which removes ConfigMap kube-system/clustermesh-remote-users too): helm upgrade cilium ' +
        'cilium/cilium --version 1.20.0 --namespace kube-system --kube-context mesh-1 --reuse-values --set clustermesh.useAPIServer=false',
    );
    const argv = ['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect', '--yes'];
    const { exitCode, stdout: ended } = await mesh.meshctl(argv);
    expect(exitCode).toBe(1);
    expect(ended).not.toContain('✅');
    expect(ended).toContain(
      '❌ Cluster Mesh is still enabled in mesh-1 (context mesh-1): ' +
        'Deployment kube-system/clustermesh-apiserver and Service kube-system/clustermesh-apiserver stay: made by Helm release cilium',
    );
    expect(ended.trimEnd().split('\n').at(-1)).toMatch(/^ +helm upgrade cilium .* clustermesh\.useAPIServer=false$/);
    expect(mesh.one.store.get(users)?.data).toEqual({ 'users.yaml': expect.not.stringContaining('remote-mesh-2') });
    await mesh.meshctl.ok(enable('mesh-1'));
    await requireSettled();
    // Also where meshctl has nothing left to remove.
    for (const argv of [['--yes'], ['--yes', '-o', 'json']]) {
      const { exitCode, stdout: again } = await mesh.meshctl([
        'clustermesh',
        'disable',
        '--context',
        'mesh-1',
        ...argv,
      ]);
      expect(exitCode).toBe(1);
      expect(again).toContain('clustermesh-apiserver stay: made by Helm release cilium');
    }
    expect(mesh.one.store.get(users)).toBeDefined();
  });

  it('removes it once Helm has removed the Deployment', async () => {
    mesh.one.store.delete(DEPLOYMENT);
    mesh.one.store.delete(refs.service('clustermesh-apiserver'));
    await mesh.meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-1', '--yes']);
    expect(mesh.one.store.get(users)).toBeUndefined();
  });
});
