import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { lasting, serverCertificateSpec } from '../support/certificate-specs.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { SERVER_CERT, serveWith } from '../support/fault-parts.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** The server certificate of mesh-2 has expired, and is not meshctl's: what is printed sends to who makes it. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  two = found(sandbox.clusters[1], 'mesh-2');
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await serveWith(two, serverCertificateSpec(two), { signer: two, options: lasting(-1) });
});

afterAll(() => sandbox.close());

const madeBy = (annotations: Record<string, string>) => {
  const ref = refs.secret(SERVER_CERT);
  const { metadata, ...content } = structuredClone(found(two.store.get(ref), SERVER_CERT));
  const { name, namespace } = metadata;
  two.store.delete(ref);
  two.store.create({ ...content, metadata: { name, namespace, annotations } } as KubeObject, 'tool');
};

const said = (text: string) => text.replaceAll(/\s+/g, ' ');

async function requireSaid(mend: string): Promise<void> {
  const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
  expect(said(status.stdout)).toContain(mend);
  const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-2', '--category', 'tls']);
  expect(said(check.stdout)).toContain(mend);
}

describe('a server certificate', () => {
  it('of Helm is renewed by an upgrade', async () => {
    madeBy({ 'meta.helm.sh/release-name': 'cilium' });
    await requireSaid('else an upgrade makes it anew: meshctl clustermesh enable --context mesh-2 --via-helm');
  });

  it('of cert-manager, whose CA is nowhere in the cluster, is renewed by that', async () => {
    madeBy({ 'cert-manager.io/certificate-name': 'server' });
    two.store.delete(refs.secret('cilium-ca'));
    const mend = `kubectl --context mesh-2 -n kube-system delete secret ${SERVER_CERT}`;
    await requireSaid(mend);
    const refused = await meshctl(connect('mesh-1', 'mesh-2', '--dry-run'));
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(said(refused.stderr)).toContain('expired on');
    expect(said(refused.stderr)).toContain(mend);
  });
});
