import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOOPBACK } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { agentDaemonSetRef } from '../../src/mesh/objects/names.ts';
import { podSpec, templateSpec } from '../../src/mesh/objects/workload.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { serverCertificateSpec } from '../support/certificate-specs.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { SERVER_CERT } from '../support/fault-parts.ts';
import { found, refsOf, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** The server certificates are Helm's, as Cilium's chart makes them: for no address. Their CA's key is in each cluster. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
const BOTH = ['--context', 'mesh-1,mesh-2'];
const said = (text: string) => text.replaceAll(/\s+/g, ' ');

/** What each upgrade does: the Secret has another certificate by then, for the same names. */
async function upgrade(cluster: SandboxCluster): Promise<void> {
  const authority = found(cluster.ca, 'its CA');
  const spec = { ...serverCertificateSpec(cluster), ipAddresses: [...LOOPBACK] };
  const { certificate, privateKey } = await issueCertificate(authority, spec);
  const texts = { 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': privateKey };
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, btoa(text)]));
  const ref = refsOf(cluster).secret(SERVER_CERT);
  cluster.store.delete(ref);
  const annotations = { 'meta.helm.sh/release-name': 'cilium' };
  const metadata = { name: ref.name, namespace: cluster.namespace, annotations };
  cluster.store.create(
    { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data } as KubeObject,
    'helm',
  );
}

const certificates = () =>
  sandbox.clusters.map((cluster) => found(cluster.store.get(refsOf(cluster).secret(SERVER_CERT)), SERVER_CERT).data);

async function requireWell(): Promise<void> {
  await meshctl.ok(['clustermesh', 'status', ...BOTH, '--wait']);
  const { exitCode, stdout } = await meshctl(['clustermesh', 'check', ...BOTH, '-o', 'short']);
  expect(exitCode, stdout).toBe(0);
  expect(stdout).not.toMatch(/tls-names|ownership-peers/);
}

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  for (const cluster of sandbox.clusters) await upgrade(cluster);
});

afterAll(() => sandbox.close());

describe('clusters whose server certificates Helm makes', () => {
  it('are connected by these names too where no image tells a version, but an agent does', async () => {
    const one = found(sandbox.clusters[0], 'mesh-1');
    const daemonSet = found(one.store.get(agentDaemonSetRef(one.namespace)), 'the DaemonSet');
    const setImage = (image: string) => {
      for (const object of [
        daemonSet,
        ...one.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } }),
      ])
        one.store.update(refOf(object), (live) => {
          const spec = object === daemonSet ? templateSpec(live) : podSpec(live);
          for (const container of spec.containers ?? []) if (container.name === 'cilium-agent') container.image = image;
        });
    };
    const image = templateSpec(daemonSet).containers?.find(({ name }) => name === 'cilium-agent')?.image ?? '';
    setImage('registry.example/cilium/cilium:company-7');
    const { stdout, stderr } = await meshctl.ok([...connect('mesh-1', 'mesh-2'), '--dry-run']);
    setImage(image);
    expect(stdout).not.toMatch(/[~+].* Secret kube-system\/clustermesh-apiserver-server-cert/);
    expect(stderr).not.toContain('no version of Cilium');
  });

  it('are connected by the names that these cover, and Helm finds its Secrets as it has made them', async () => {
    const before = certificates();
    const { stdout, stderr } = await meshctl.ok(connect('mesh-1', 'mesh-2'));
    expect(certificates()).toEqual(before);
    expect(stdout).toContain('mesh-2 is dialled at mesh-2.mesh.cilium.io, which stands for 172.18.2.100:2379');
    expect(stderr).not.toContain('next sync');
    await requireWell();
    const again = await meshctl.ok(connect('mesh-1', 'mesh-2', '--dry-run'));
    expect(again.stdout).toMatch(/^Plan: \d+ to keep\.$/m);
  });

  it('stay connected through an upgrade', async () => {
    for (const cluster of sandbox.clusters) await upgrade(cluster);
    await requireWell();
  });
});

it('a peer that dials an address which an upgrade took out of the certificate is told, and mended as printed', async () => {
  const one = found(sandbox.clusters[0], 'mesh-1');
  one.store.update(
    refsOf(one).secret('cilium-kvstoremesh'),
    (secret) => {
      const text = atob((secret.data as Record<string, string>)['mesh-2'] ?? '');
      const direct = text
        .replace('mesh-2.mesh.cilium.io:', '172.18.2.100:')
        .replace(/^cilium-host-aliases[\s\S]*/m, '');
      secret.data = { ...(secret.data as object), 'mesh-2': btoa(direct) };
    },
    'meshctl',
  );
  const check = await meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']);
  expect(check.exitCode).toBe(1);
  expect(said(check.stdout)).toContain('it does not cover 172.18.2.100, which mesh-1 dials');
  expect(said(check.stdout)).toContain(
    'dial that instead: meshctl clustermesh connect --context mesh-2 --destination-context mesh-1',
  );
  await meshctl.ok(connect('mesh-2', 'mesh-1'));
  await requireWell();
});
