import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { connect, enable, healthyText, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { missingProgram, programAgainst } from '../support/e2e-programs.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** The API server alone is measured in test/contract/apiserver-kubectl.test.ts; this is about clusters that do something. */
describe.skipIf(missingProgram('kubectl', 'version', '--client'))('kubectl on a sandbox', () => {
  let sandbox: TestSandbox;
  let meshctl: Meshctl;
  let run: ReturnType<typeof programAgainst>;
  const kubectl = (line: string, input?: string) => run(['-n', 'kube-system', ...line.split(' ')], input);

  beforeAll(async () => {
    sandbox = await startTestSandbox({ proxied: false });
    meshctl = meshctlWith(sandbox.kubeconfigPath);
    run = programAgainst(sandbox.kubeconfigPath, 'kubectl');
  });

  afterAll(async () => {
    expect(sandbox?.errors).toEqual([]);
    await sandbox?.close();
  });

  it('shows what an installed Cilium leaves', async () => {
    expect(await kubectl('config get-contexts -o name')).toBe('mesh-1\nmesh-2');
    expect(await kubectl('get nodes -o wide')).toMatch(/^NAME .*\n(mesh-1\S+ +Ready .*\n?){2}$/);
    expect(await kubectl('get pods -l k8s-app=cilium')).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE\n(cilium-\w+ +1\/1 +Running +0 .*\n?){2}$/,
    );
    expect(await kubectl('get ds cilium -o jsonpath={.status.numberReady} --context mesh-2')).toBe('2');
    expect(await kubectl('get ciliumnodes -o name')).toMatch(/^(ciliumnode.cilium.io\/mesh-1\S+\n?){2}$/);
  });

  it('applies what render prints, as in GitOps, and enable completes it', async () => {
    const line = 'clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1';
    const { stdout: manifests } = await meshctl.ok(line.split(' '));
    const applied = await kubectl('apply --server-side -f -', manifests);
    expect(applied).toContain('deployment.apps/clustermesh-apiserver serverside-applied');
    expect(await kubectl('apply -f - --dry-run=server', manifests)).toContain('deployment.apps/clustermesh-apiserver');
    await meshctl.ok(enable('mesh-1,mesh-2'));
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await meshctl.ok(waitForStatus('mesh-1', '2m'));
  });

  it('takes the manifests of what meshctl made beside meshctl: the same values are no conflict', async () => {
    const { stdout: manifests } = await meshctl.ok(enable('mesh-2', '--dry-run', '-o', 'manifests'));
    const applied = await kubectl('--context mesh-2 apply --server-side -f -', manifests);
    expect(applied).toContain('deployment.apps/clustermesh-apiserver serverside-applied');
    expect((await meshctl.ok(enable('mesh-2', '--dry-run'))).stdout).not.toMatch(/^ +[-+~] /m);
  });

  it('sees what meshctl made', async () => {
    expect(await kubectl('rollout status deploy/clustermesh-apiserver --timeout 10s')).toContain(
      'successfully rolled out',
    );
    expect(await kubectl('get svc clustermesh-apiserver')).toMatch(
      /clustermesh-apiserver +LoadBalancer +10\.\S+ +172\.18\.1\.100 +2379:3\d{4}\/TCP /,
    );
    const pods = await kubectl('describe pods -l k8s-app=clustermesh-apiserver');
    expect(pods).toMatch(/^Status: +Running$/m);
    for (const container of ['etcd', 'apiserver', 'kvstoremesh']) expect(pods).toContain(`\n  ${container}:\n`);
    expect(await kubectl('describe secret cilium-kvstoremesh')).toMatch(/^mesh-2\.etcd-client\.key: +\d+ bytes$/m);
    expect(await kubectl('get pods -A -o wide -l k8s-app=clustermesh-apiserver')).toMatch(/ 3\/3 +Running /);
  });

  it('asks the programs in the pods', async () => {
    const json = await kubectl('exec ds/cilium -c cilium-agent -- cilium status -o json');
    const status = JSON.parse(json) as { 'cluster-mesh': { clusters: { name: string; ready: boolean }[] } };
    expect(status['cluster-mesh'].clusters).toMatchObject([{ name: 'mesh-2', ready: true }]);
    const dbg = '/usr/bin/clustermesh-apiserver kvstoremesh-dbg troubleshoot';
    expect(await kubectl(`exec deploy/clustermesh-apiserver -c kvstoremesh -- ${dbg}`)).toContain(
      '✅ Etcd connection successfully established',
    );
    expect(await kubectl('logs deploy/clustermesh-apiserver -c etcd')).toContain('is simulated');
  });

  it('creates what its own commands make, and describes a Service with its endpoints', async () => {
    await run(['create', 'deployment', 'web', '--image=nginx', '--port=80', '--replicas=2']);
    await run(['rollout', 'status', 'deploy/web', '--timeout', '10s']);
    await run(['expose', 'deployment', 'web', '--target-port=8080']);
    const service = async () => run(['describe', 'svc', 'web']);
    await expect.poll(service).toMatch(/^Endpoints: +\d\S+:8080,\d\S+:8080$/m);
    await run(['create', 'deployment', 'idle', '--image=nginx', '--replicas=0', '--', 'sleep', '1d']);
    expect(await run(['get', 'deploy', 'idle', '-o', 'jsonpath={.spec.replicas} {..command}'])).toBe(
      '0 ["sleep","1d"]',
    );
    await run(['delete', 'deploy/web', 'deploy/idle', 'svc/web']);
  });

  it('breaks and mends the mesh', async () => {
    await kubectl('scale deploy/clustermesh-apiserver --replicas 0 --context mesh-2');
    await kubectl('wait --for delete pod -l k8s-app=clustermesh-apiserver --timeout 10s --context mesh-2');
    expect((await meshctl(['clustermesh', 'status', '--context', 'mesh-2'])).exitCode).toBe(1);
    await kubectl('scale deploy/clustermesh-apiserver --replicas 1 --context mesh-2');
    await kubectl('rollout restart ds/cilium');
    await kubectl('rollout status ds/cilium --timeout 10s');
    const { stdout } = await meshctl.ok(waitForStatus('mesh-1', '2m'));
    expect(stdout).toBe(healthyText(2, 'mesh-2'));
  });

  it('marks objects, and enable leaves the marks alone', async () => {
    await kubectl('annotate svc clustermesh-apiserver example.com/owner=team-a');
    await kubectl('label deploy clustermesh-apiserver example.com/tier=mesh');
    await kubectl('patch deploy clustermesh-apiserver --type merge -p {"metadata":{"annotations":{"note":"x"}}}');
    const { stdout } = await meshctl.ok(enable('mesh-1'));
    expect(stdout).toContain('• Objects: nothing to change\n');
    const service = JSON.parse(await kubectl('get svc clustermesh-apiserver -o json')) as KubeObject;
    expect(service.metadata.annotations).toMatchObject({ 'example.com/owner': 'team-a' });
  });
});
