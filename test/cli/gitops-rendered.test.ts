import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { applyAs } from '../support/helm-apply.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** As docs/gitops.md has it ("Only the mesh in the repository"): Argo CD applies what `render` prints for mesh-1. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let manifests: KubeObject[];
const BOTH = ['--context', 'mesh-1,mesh-2'];

/** A sync of Argo CD's, which takes over what others have set. */
function sync(more: (object: KubeObject) => KubeObject = (object) => object): void {
  const annotations = { 'argocd.argoproj.io/tracking-id': 'clustermesh' };
  for (const object of manifests) {
    const metadata = { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } };
    applyAs(found(sandbox.clusters[0], 'mesh-1'), 'argocd-controller', more({ ...object, metadata }), true);
  }
}

const ownership = () => meshctl(['clustermesh', 'check', ...BOTH, '--category', 'ownership', '--fail-on', 'warn']);

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, clusters: 2 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  const identity = ['--cilium-version', '1.20.0', '--cluster-name', 'mesh-1', '--cluster-id', '1'];
  const { stdout } = await meshctl.ok(['clustermesh', 'render', ...identity, '--service-type', 'LoadBalancer']);
  manifests = parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
  sync();
  await meshctl.ok(enable('mesh-1,mesh-2'));
});

afterAll(() => sandbox.close());

it('what Argo CD applies of render holds peers that no sync takes out, so nothing is said of them', async () => {
  const { stderr } = await meshctl.ok(connect('mesh-1', 'mesh-2'));
  expect(stderr).not.toContain('next sync');
  const one = found(sandbox.clusters[0], 'mesh-1');
  const held = [refs.configMap('clustermesh-remote-users'), refs.secret('cilium-kvstoremesh')];
  const before = held.map((ref) => found(one.store.get(ref), ref.name).data);
  sync();
  expect(held.map((ref) => found(one.store.get(ref), ref.name).data)).toEqual(before);
  const { exitCode, stdout } = await ownership();
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toContain('3 passed');
});

it('what it applies with data of its own is told', async () => {
  const users = refOf(
    found(
      manifests.find(({ kind }) => kind === 'ConfigMap'),
      'the users',
    ),
  );
  sync((object) => (object.kind === 'ConfigMap' ? { ...object, data: { 'other.yaml': '' } } : object));
  const { exitCode, stdout } = await ownership();
  expect(exitCode, stdout).toBe(1);
  expect(stdout).toContain(`${users.name} is made by Argo CD`);
});
