import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { checkEntries, configure, edit } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { enable, type Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh({ nodes: 1 }));
  await untilHealthy(sandbox, ['mesh-1']);
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

interface Plan {
  clusters: {
    peers: { peer: string; becomes: string; why: string; mend: string }[];
    steps: { action: string; object: { name: string }; why: string }[];
  }[];
}

it('a cluster of another size: what becomes of its peers is not known, so the operator is asked', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  const undo = configure(two, { 'max-connected-clusters': '511' });
  const [cluster] = (jsonOf(await meshctl(enable('mesh-2', '--dry-run', '-o', 'json'))) as unknown as Plan).clusters;
  expect(cluster?.peers).toMatchObject([
    { peer: 'mesh-1', becomes: 'unknown', why: expect.stringContaining('was 255 and becomes 511') },
  ]);
  expect(await meshctl(enable('mesh-2'))).toMatchObject({ exitCode: 2 });
  undo();
  expect(await meshctl(enable('mesh-2'))).toMatchObject({ exitCode: 0 });
});

it('a version that does not run there is refused, and nothing is changed', async () => {
  const { exitCode, stderr } = await meshctl(enable('mesh-2', '--cilium-version', '1.16.0'));
  expect(exitCode).toBe(2);
  expect(stderr).toContain('--cilium-version 1.16.0 differs from what runs there, which is Cilium 1.20.0');
});

it("a cluster whose id was overwritten with its peer's: one finding, with the way back, and nobody makes it worse", async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  onTestFinished(() => void undo());
  const undo = configure(two, { 'cluster-id': '1' });
  const back =
    "kubectl --context mesh-2 -n kube-system patch configmap cilium-config --type merge --patch '" +
    `{"data":{"cluster-id":"2"}}'`;
  const refused = await meshctl(enable('mesh-2', '--yes'));
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`${back}\n`) });
  const check = await checkEntries(meshctl, 'mesh-1,mesh-2');
  const wrong = check.filter(({ severity }) => severity === 'fail' || severity === 'warn');
  expect(wrong).toMatchObject([{ id: 'cluster-id-unique', cluster: 'mesh-2', hint: expect.stringContaining(back) }]);
  undo();
  await meshctl.ok(enable('mesh-2'));
});

it('a Cilium whose ConfigMap is gone is not installed anew', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
  const before = found(two.store.get(ref), 'cilium-config');
  const { resourceVersion: _version, uid: _uid, ...metadata } = before.metadata;
  two.store.delete(ref);
  onTestFinished(() => void two.store.create({ ...before, metadata }));
  const contexts = ['--context', 'mesh-1,mesh-2'];
  for (const argv of [
    ['status', ...contexts],
    ['check', ...contexts],
    ['status', '--all'],
    ['check', '--all'],
    ['enable', '--context', 'mesh-2'],
  ]) {
    const { exitCode, stdout, stderr } = await meshctl(['clustermesh', ...argv]);
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toContain(
      'Cilium runs in namespace kube-system, but its ConfigMap cilium-config is missing',
    );
    expect(stdout + stderr).not.toMatch(/Install Cilium|admin-default|clustermesh enable/);
  }
});

it('a cluster that was renamed would not come back, and gets no certificates of its next name before it has it', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  const undo = configure(two, { 'cluster-name': 'west' });
  const runs = 'runs as "mesh-2" with the id 2, and cilium-config says "west" with the id 2';
  const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
  expect(status.exitCode).toBe(1);
  expect(status.stdout).toContain('connected, but not after a restart');
  expect(status.stdout).toContain(runs);
  for (const argv of [
    ['certs', 'rotate', '--context', 'mesh-2', '--yes'],
    ['connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'],
    ['invite', '--context', 'mesh-2'],
  ]) {
    const refused = await meshctl(['clustermesh', ...argv]);
    expect(refused.exitCode, argv.join(' ')).toBe(1);
    expect(refused.stderr).toContain(runs);
    expect(refused.stderr).toMatch(
      /\{"data":\{"cluster-name":"mesh-2"\}\}'\s+or make everything follow, [\s\S]*&&\s+meshctl clustermesh enable/,
    );
  }
  undo();
  await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-2']);
});

it('a cluster that was renamed: the pods follow with their certificates and users, and the peers that knew it are named', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  configure(two, { 'cluster-name': 'west', 'cluster-id': '7' });
  const [cluster] = (jsonOf(await meshctl(enable('mesh-2', '--dry-run', '-o', 'json'))) as unknown as Plan).clusters;
  const changed = cluster?.steps.filter(({ action }) => action !== 'keep').map(({ object, why }) => [object.name, why]);
  expect(changed).toEqual([
    ['clustermesh-apiserver-admin-cert', 'it is for "admin-mesh-2", not "admin-west"'],
    ['clustermesh-apiserver-local-cert', 'it is for "local-mesh-2", not "local-west"'],
    ['clustermesh-apiserver', 'differs; its programs read the name and the id of the cluster only when they start'],
  ]);
  expect(cluster?.peers).toEqual([
    {
      peer: 'mesh-1',
      becomes: 'cut',
      why: 'it knows this cluster as "mesh-2"',
      mend:
        'meshctl clustermesh disconnect --context mesh-1 --peer mesh-2 && ' +
        'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1',
    },
  ]);
  expect(await meshctl(enable('mesh-2'))).toMatchObject({ exitCode: 2 });
  await meshctl.ok(enable('mesh-2', '--yes'));
  expect(two.store.get(refs.deployment('clustermesh-apiserver'))).toMatchObject({
    spec: { template: { metadata: { annotations: { 'meshctl.io/cluster': 'west/7' } } } },
  });
  // Agents are restarted by hand, as the hint says.
  const pods = two.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  for (const { metadata } of pods.filter(({ metadata: { labels } }) => labels?.['k8s-app'] === 'cilium')) {
    two.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: metadata.name });
  }
  await two.settled();
  for (const line of (cluster?.peers[0]?.mend ?? '').split(' && ')) {
    await meshctl.ok([...line.split(' ').slice(1), ...(line.includes('disconnect') ? ['--yes'] : [])]);
  }
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

it('a cluster that Helm has made, and whose id was changed: its etcd tells the former one, and the operator is asked', async () => {
  const two = found(sandbox.clusters[1], 'mesh-2');
  edit(two, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
    const { metadata } = (spec as { template: { metadata: { annotations?: Record<string, string> } } }).template;
    delete metadata.annotations?.['meshctl.io/cluster'];
  });
  await two.settled();
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  configure(two, { 'cluster-id': '8' });
  const [cluster] = (jsonOf(await meshctl(enable('mesh-2', '--dry-run', '-o', 'json'))) as unknown as Plan).clusters;
  expect(cluster?.peers).toMatchObject([{ peer: 'mesh-1', becomes: 'unknown', why: expect.stringContaining('was 7') }]);
  expect(await meshctl(enable('mesh-2'))).toMatchObject({ exitCode: 2 });
});
