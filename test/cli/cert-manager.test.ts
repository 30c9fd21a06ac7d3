import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { lasting } from '../support/certificate-specs.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { OWN_CERTIFICATES } from '../support/mesh-names.ts';
import { found, refsOf, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const BOTH = ['--context', 'mesh-1,mesh-2'];
const said = (text: string) => text.replaceAll(/\s+/g, ' ');

let sandbox: TestSandbox;
let meshctl: Meshctl;

/** cert-manager has issued all certificates of each cluster, from a CA that is in no Secret of it. */
beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  for (const cluster of sandbox.clusters) {
    for (const ref of OWN_CERTIFICATES.map(refsOf(cluster).secret)) {
      const { metadata, ...content } = structuredClone(found(cluster.store.get(ref), ref.name));
      const { name, namespace } = metadata;
      const annotations = { 'cert-manager.io/certificate-name': name };
      cluster.store.delete(ref);
      cluster.store.create({ ...content, metadata: { name, namespace, annotations } } as KubeObject, 'cert-manager');
    }
    cluster.store.delete(refsOf(cluster).secret('cilium-ca'));
  }
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
});

afterAll(() => sandbox.close());

function setAuthority(texts: Record<string, string>): void {
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, btoa(text)]));
  for (const { store, namespace } of sandbox.clusters) {
    const ref = { apiVersion: 'v1', kind: 'Secret', name: 'cilium-ca', namespace };
    if (store.get(ref)) store.delete(ref);
    store.create(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: ref.name, namespace }, data } as KubeObject,
      'helm',
    );
  }
}

/** Hubble's: no certificate of the mesh is from it. */
const hubbles = async (days: number) => {
  const { certificate, privateKey } = await createAuthority(lasting(days));
  setAuthority({ 'ca.crt': certificate, 'ca.key': privateKey });
};

describe.each<[string, () => unknown]>([
  ['is not there', () => undefined],
  ["is Hubble's, and ends soon", () => hubbles(10)],
  ["is Hubble's, and has ended", () => hubbles(-1)],
  ["is Hubble's, and cannot be read", () => setAuthority({ 'ca.crt': 'nonsense' })],
])('a mesh of an issuer of its own, where Secret cilium-ca %s', (_what, arrange) => {
  beforeAll(() => arrange());

  it('is well to status and check, which name the issuer', async () => {
    await meshctl.ok(['clustermesh', 'status', ...BOTH, '--wait']);
    const check = await meshctl(['clustermesh', 'check', ...BOTH, '-o', 'short']);
    expect(check.stdout).not.toMatch(/‼|✖|×|❌/);
    expect(check.exitCode).toBe(0);
    const { stdout } = await meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']);
    expect(said(stdout)).toContain('cert-manager issues its certificates, from a CA of its own (tls-ca-expiry)');
  });

  it('stays as it is by enable and connect, which advise nothing', async () => {
    for (const line of [enable('mesh-1', '--dry-run'), connect('mesh-1', 'mesh-2', '--dry-run')]) {
      const { stdout, stderr } = await meshctl.ok(line);
      expect(stdout).toMatch(/^Plan: \d+ to keep\.$/m);
      expect(stdout + stderr).not.toMatch(/--replace-ca|--force-conflicts|cilium-ca/);
    }
  });

  it('has a CA that meshctl does not rotate: its certificates are left to cert-manager', async () => {
    const plain = await meshctl(['clustermesh', 'certs', 'rotate', ...BOTH, '--yes']);
    expect(plain.exitCode).toBe(1);
    expect(said(plain.stdout)).toContain('stay as they are, since cert-manager makes them');
    const ca = await meshctl(['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--yes']);
    expect(ca.exitCode).toBe(1);
    expect(said(ca.stderr)).toContain('cert-manager issues the certificates, from a CA of its own');
    expect(ca.stderr).not.toContain('--ca-cert');
    const { stdout } = await meshctl(['clustermesh', 'certs', 'list', ...BOTH, '-o', 'json']);
    expect(JSON.parse(stdout).certificates.map(({ role }: { role: string }) => role)).not.toContain('ca');
  });
});
