import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type KubeObject, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { enable } from '../support/e2e-cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** A connected mesh for Helm: what it would do to it is refused or said, by `helm-values` as by `enable --via-helm`. */
let mesh: ConnectedMesh;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1, clusters: [{ ciliumVersion: '1.18.12' }, { ciliumVersion: '1.18.12' }] });
});

afterAll(() => mesh.sandbox.close());

const helmValues = (...flags: string[]) =>
  mesh.meshctl(['clustermesh', 'helm-values', '--context', 'mesh-1', ...flags]);

/** The lines for people. */
const comments = (yaml: string) => yaml.split('\n').filter((line) => line.startsWith('# '));

/** Runs `work` while an object of mesh-1 is not there. */
async function without(ref: ObjectRef, work: () => Promise<void>): Promise<void> {
  const { metadata, ...content } = structuredClone(found(mesh.one.store.get(ref), ref.name));
  const { resourceVersion: _version, uid: _uid, ...kept } = metadata;
  mesh.one.store.delete(ref);
  try {
    await work();
  } finally {
    mesh.one.store.create({ ...content, metadata: kept } as KubeObject, 'meshctl');
  }
}

it('says whom the values let in who was kept out', async () => {
  const ranges = (loadBalancerSourceRanges: string[]) =>
    mesh.one.store.update(refs.service('clustermesh-apiserver'), (service) => {
      Object.assign(service.spec as object, { loadBalancerSourceRanges });
    });
  ranges(['172.18.0.0/16']);
  const { stdout } = await helmValues('--load-balancer-source-ranges', '0.0.0.0/0');
  ranges([]);
  expect(comments(stdout).join('\n')).toContain(
    'clients in 0.0.0.0/0 get in too, until now only those in 172.18.0.0/16',
  );
});

it('says of several clusters what is wrong in each of them', async () => {
  const setId = (id: (own: string) => string) => {
    for (const { store } of mesh.sandbox.clusters) {
      store.update(refs.configMap('cilium-config'), (config) => {
        const data = config.data as Record<string, string>;
        data['cluster-id'] = id(found(data['cluster-id'], 'cluster-id'));
      });
    }
  };
  setId((own) => `${own}000`);
  const { exitCode, stderr } = await mesh.meshctl(['clustermesh', 'helm-values', '--context', 'mesh-1,mesh-2']);
  setId((own) => own.replace(/000$/, ''));
  expect(exitCode).toBe(1);
  for (const context of ['mesh-1', 'mesh-2']) expect(stderr).toMatch(new RegExp(`context "${context}": .*000`));
});

/** What both refuse, in the same words. */
async function requireRefused(says: RegExp, ...flags: string[]): Promise<void> {
  for (const result of [
    await helmValues(...flags),
    await mesh.meshctl(enable('mesh-1', '--via-helm', '--dry-run', ...flags)),
  ]) {
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toMatch(says);
  }
}

describe('what Helm would do to a mesh that works', () => {
  it('is said of each peer that it cuts off, in comments of the values, as warnings, and by --via-helm', async () => {
    const cut = /mesh-1: peer mesh-2 (is|may be) cut off/;
    const flags = ['--service-type', 'NodePort'];
    const yaml = await helmValues(...flags);
    expect(yaml).toMatchObject({ exitCode: 0, stderr: '' });
    expect(comments(yaml.stdout).join('\n')).toMatch(cut);
    expect(parse(yaml.stdout)).toMatchObject({ clustermesh: { apiserver: { service: { type: 'NodePort' } } } });
    expect((await helmValues(...flags, '-o', 'json')).stderr).toMatch(cut);
    expect((await mesh.meshctl(enable('mesh-1', '--via-helm', '--dry-run', ...flags))).stderr).toMatch(cut);
    expect(comments((await helmValues()).stdout).join('\n')).not.toContain('cut off');
  });

  it('is said of one that only its own cluster tells of, too', async () => {
    const lost = [
      ...['cilium-clustermesh', 'cilium-kvstoremesh'].map(refs.secret),
      refs.configMap('clustermesh-remote-users'),
    ];
    const { store } = mesh.one;
    const values = async () => {
      // Its etcd would tell.
      for (const pod of store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } }))
        store.delete(refOf(pod));
      const { stdout } = await helmValues('--service-type', 'NodePort');
      expect(comments(stdout).join('\n')).toMatch(/mesh-1: peer mesh-2 (is|may be) cut off/);
    };
    await lost.reduce((work, ref) => () => without(ref, work), values)();
  });

  it('is refused where it would make another CA', () =>
    without(refs.secret('cilium-ca'), () => requireRefused(/Helm would make a new CA and cut every peer off/)));

  it('is refused where KVStoreMesh would be switched', () =>
    requireRefused(/Helm cannot switch KVStoreMesh while mesh-2 is connected/, '--enable-kvstoremesh=false'));

  it('is nothing to what meshctl made, once that is handed over as printed', async () => {
    const before = (await helmValues()).stdout;
    const [handOver = ''] = comments(before).filter((line) => line.includes('refuses to adopt'));
    const kinds = handOverAsPrinted(mesh.one, handOver);
    const all = ['deployment', 'service', 'serviceaccount', 'clusterrole', 'clusterrolebinding'];
    expect(kinds[0]).toEqual(expect.arrayContaining(all.map((kind) => `${kind}/clustermesh-apiserver`)));
    // The chart of this version makes the users, and Secrets of peers only where it knows the certificates.
    const data = ['secret/cilium-ca', 'secret/clustermesh-apiserver-server-cert', 'configmap/clustermesh-remote-users'];
    expect(kinds[0]).toEqual(expect.arrayContaining(data));
    expect(kinds[0]).not.toContain('secret/cilium-kvstoremesh');
    expect(kinds[1]).toEqual(kinds[0]);
    const after = (await helmValues()).stdout;
    expect(parse(after)).toEqual(parse(before));
    expect(after).not.toContain('refuses to adopt');
    const made = mesh.one.store.get(refs.secret('cilium-ca'))?.metadata;
    expect(made).toMatchObject({
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': 'kube-system' },
    });
    await mesh.meshctl.ok([...enable('mesh-1'), '--force-conflicts']);
  });

  it('goes on by cert-manager where that issues what peers see, and not where it has only issued another certificate', async () => {
    const ref = refs.secret('clustermesh-apiserver-server-cert');
    const another = refs.secret('clustermesh-apiserver-admin-cert');
    const mark = { 'cert-manager.io/certificate-name': 'c' };
    mesh.one.store.update(another, ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, ...mark };
    });
    await without(refs.secret('cilium-ca'), () => requireRefused(/Helm would make a new CA and cut every peer off/));
    expect(parse((await helmValues()).stdout).clustermesh.apiserver.tls.auto.method).toBe('helm');
    mesh.one.store.update(another, ({ metadata }) => {
      delete metadata.annotations?.['cert-manager.io/certificate-name'];
    });
    const marks = { 'certificate-name': 'c', 'issuer-name': 'mesh', 'issuer-kind': 'ClusterIssuer' };
    const names = Object.entries(marks).map(([mark, value]) => [`cert-manager.io/${mark}`, value]);
    mesh.one.store.update(ref, ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, ...Object.fromEntries(names) };
    });
    await without(refs.secret('cilium-ca'), async () => {
      const { stdout } = await helmValues();
      expect(parse(stdout).clustermesh.apiserver.tls.auto).toEqual({
        ...{ enabled: true, method: 'certmanager' },
        certManagerIssuerRef: { group: 'cert-manager.io', kind: 'ClusterIssuer', name: 'mesh' },
      });
    });
    mesh.one.store.update(ref, ({ metadata }) => {
      for (const [name = ''] of names) delete metadata.annotations?.[name];
    });
  });

  it('is left to certgen where Argo CD renders the chart, and a helm of one’s own is refused', async () => {
    const agents = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };
    const mark = (annotations: Record<string, string>) =>
      mesh.one.store.update(agents, ({ metadata }) => {
        metadata.annotations = annotations;
      });
    mark({ 'argocd.argoproj.io/tracking-id': 'cilium:apps/DaemonSet:kube-system/cilium' });
    const { stdout } = await helmValues();
    expect(parse(stdout).clustermesh.apiserver.tls.auto.method).toBe('cronJob');
    expect(stdout).toMatch(/^# These values are for: Argo CD, which applies Cilium's chart 1\.18\.12\n/);
    expect(stdout).not.toMatch(/--via-helm|helm upgrade|refuses to adopt/);
    expect(await mesh.meshctl(enable('mesh-1', '--via-helm', '--dry-run', '--replicas', '3'))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(
        /Argo CD applies Cilium's chart, so .+\n.*helm-values --context mesh-1 --replicas 3\n/,
      ),
    });
    mark({});
  });

  it('is refused in the middle of a rotation', async () => {
    const stop = new AbortController();
    await mesh.meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', '--context', 'mesh-1,mesh-2'], {
      signal: stop.signal,
      onOutput: (text) => {
        if (text.includes('Phase 2 of')) stop.abort();
      },
    });
    await requireRefused(/a rotation of the CA is unfinished.+Helm would issue every certificate/);
  });
});
