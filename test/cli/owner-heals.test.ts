import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** Argo CD makes an object of mesh-1, and puts it back at once when a run has changed it: no run says that it is done. */
let clusters: ConnectClusters;
let end = (): void => undefined;

const mesh = (...words: string[]) => ['clustermesh', ...words];
const base = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'base' };
const users = refs.configMap('clustermesh-remote-users');

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  const { store } = found(clusters.clusters[0], 'mesh-1');
  const annotations = { 'service.cilium.io/global': 'true' };
  const metadata = { name: base.name, namespace: base.namespace, annotations };
  const service = { apiVersion: base.apiVersion, kind: base.kind, metadata, spec: { ports: [{ port: 80 }] } };
  store.create(service as KubeObject, 'argocd-controller');
});
afterEach(() => end());
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/** From now on, the object is as it is now. */
function heal(ref: ObjectRef): void {
  const { store } = found(clusters.clusters[0], 'mesh-1');
  const tracked = { 'argocd.argoproj.io/tracking-id': 'cilium' };
  store.update(
    ref,
    ({ metadata }) => Object.assign(metadata, { annotations: { ...metadata.annotations, ...tracked } }),
    'argocd-controller',
  );
  const { data, spec, metadata } = structuredClone(found(store.get(ref), ref.name));
  let isBusy = false;
  const wanted = JSON.stringify([data, spec, metadata.annotations]);
  end = store.subscribe(({ object }) => {
    if (isBusy || object.kind !== ref.kind || object.metadata.name !== ref.name) return;
    if (JSON.stringify([object.data, object.spec, object.metadata.annotations]) === wanted) return;
    isBusy = true;
    store.update(
      ref,
      (live) => {
        if (data) live.data = data;
        if (spec) live.spec = spec;
        live.metadata.annotations = metadata.annotations ?? {};
      },
      'argocd-controller',
    );
    isBusy = false;
  });
}

const WRITERS: Record<string, { ref: ObjectRef; argv: string[]; input?: string; first?: string[]; says: RegExp }> = {
  connect: {
    ref: users,
    argv: connect('mesh-1', 'mesh-2', '--yes', '--no-proof'),
    says: /user remote-mesh-2 in ConfigMap .* meanwhile → Argo CD makes ConfigMap kube-system\/clustermesh-remote-users: its values .* must name mesh-2 .*helm-values --context mesh-1 --destination-context mesh-2/,
  },
  enable: {
    ref: refs.deployment('clustermesh-apiserver'),
    argv: enable('mesh-1', '--replicas', '2', '--force-conflicts', '--yes'),
    says: /has spec\.replicas as before: someone else has undone it meanwhile → Argo CD makes Deployment kube-system\/clustermesh-apiserver: set clustermesh\.apiserver\.replicas in/,
  },
  apply: {
    ref: refs.deployment('clustermesh-apiserver'),
    argv: ['apply', '-f', '-', '--force-conflicts', '--yes'],
    input: meshText({
      clusters: [{ name: 'mesh-1' }],
      defaults: { enable: { replicas: 2 } },
      topology: { type: 'mesh' },
    }),
    says: /has spec\.replicas as before: someone else has undone it meanwhile → Argo CD makes Deployment kube-system\/clustermesh-apiserver: set clustermesh\.apiserver\.replicas in/,
  },
  'service global': {
    ref: base,
    argv: ['service', 'global', 'default/base', '--context', 'mesh-1', '--remove', '--yes'],
    says: /Service default\/base has metadata\.annotations\.service\.cilium\.io\/global as before: .* → Argo CD makes Service default\/base/,
  },
  disconnect: {
    first: connect('mesh-1', 'mesh-2', '--yes'),
    ref: users,
    argv: mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes', '--wait=false'),
    says: /user remote-mesh-2 in ConfigMap .*: someone else has put it there again meanwhile → Argo CD makes ConfigMap kube-system\/clustermesh-remote-users: its values .* must not name mesh-2/,
  },
  disable: {
    first: connect('mesh-1', 'mesh-2', '--yes'),
    ref: users,
    argv: mesh('disable', '--context', 'mesh-2', '--disconnect', '--yes'),
    says: /user remote-mesh-2 in ConfigMap \S+: someone else has put it there again meanwhile .*→ Argo CD makes ConfigMap \S+: its values .* must not name mesh-2/,
  },
};

it('has values that name a peer before it is connected, where that is told', async () => {
  const values = (...more: string[]) => clusters.meshctl.ok(mesh('helm-values', '--context', 'mesh-1', ...more));
  expect((await values()).stdout).not.toContain('name: mesh-2');
  expect((await values('--destination-context', 'mesh-2')).stdout).toMatch(/clusters:\n +- name: mesh-2\n/);
});

it.each(Object.entries(WRITERS))('%s', async (_what, { ref, argv, input, first, says }) => {
  if (first) await clusters.meshctl.ok(first);
  heal(ref);
  const { exitCode, stdout, stderr } = await clusters.meshctl(argv, input === undefined ? {} : { input });
  expect(exitCode, `${stdout}${stderr}`).toBe(1);
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(says);
  expect(stdout).not.toContain('✅');
});

it('is told before, with the line of helm-values that has the flags of the run', async () => {
  const { store } = found(clusters.clusters[0], 'mesh-1');
  const ref = refs.service('clustermesh-apiserver');
  store.update(
    ref,
    ({ metadata }) => Object.assign(metadata, { annotations: { 'meta.helm.sh/release-name': 'cilium' } }),
    'helm',
  );
  const flags = ['--load-balancer-source-ranges', '10.0.0.0/8'];
  const { stdout, stderr } = await clusters.meshctl(enable('mesh-1', ...flags, '--dry-run'));
  expect(stderr.replaceAll(/\s+/g, ' '), stdout).toContain(
    `(clustermesh.apiserver.service.loadBalancerSourceRanges; clustermesh.apiserver.service.enableSessionAffinity, which helm-values leaves out): meshctl clustermesh helm-values --context mesh-1 ${flags.join(' ')}`,
  );
});
