import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { templateSpec } from '../../src/mesh/objects/workload.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import type { SandboxCluster } from '../../src/sandbox/cluster.ts';
import { readForParting, withServerCertificate } from '../../src/snapshot/read-for-parting.ts';
import { BUNDLE, joinByBundle, setBundle, untilReady } from '../support/bundled-mesh.ts';
import { meshctlWith } from '../support/e2e-cli.ts';
import { found, refsOf, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const SERVER = 'clustermesh-apiserver-server-cert';

let sandbox: TestSandbox;
let meshctl: ReturnType<typeof meshctlWith>;
let one: SandboxCluster;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  [one, two] = [found(sandbox.clusters[0], 'mesh-1'), found(sandbox.clusters[1], 'mesh-2')];
  await joinByBundle(sandbox, one, two);
});
afterAll(() => sandbox.close());

const both = ['--context', 'mesh-1,mesh-2'];
const podsOf = (cluster: SandboxCluster) =>
  cluster.store
    .list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } })
    .map(({ metadata }) => metadata.name);

describe('a mesh of clusters that trust each other by a bundle of CAs', () => {
  it('is healthy', async () => {
    const client = sandbox.client('mesh-1');
    // By whom it trusts hangs whether a proof that a peer is shut out can be had by that peer's certificate.
    const parting = await withServerCertificate(client, await readForParting(client, 'kube-system'));
    expect(parting.tlsSecrets.get(SERVER)?.bundle?.authorities).toHaveLength(2);
    expect((await meshctl.ok(['clustermesh', 'status', ...both])).stdout).toContain('✅');
    const { exitCode, stdout } = await meshctl(['clustermesh', 'check', ...both, '-o', 'short']);
    expect(stdout).not.toMatch(/‼|✖|❌/);
    expect(exitCode).toBe(0);
  });

  it('is as enable and connect would have it, and none of them cuts a peer off', async () => {
    const pods = podsOf(one);
    for (const force of [[], ['--force-conflicts']]) {
      const { stdout } = await meshctl.ok(['clustermesh', 'enable', '--context', 'mesh-1', '--dry-run', ...force]);
      expect(stdout).toMatch(/^Plan: 14 to keep\.$/m);
    }
    await meshctl.ok(['clustermesh', 'enable', '--context', 'mesh-1', '--force-conflicts']);
    expect(podsOf(one)).toEqual(pods);
    const connect = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
    expect((await meshctl.ok([...connect, '--dry-run'])).stdout).toMatch(/^Plan: 6 to keep\.$/m);
    // What is lost comes back, and is proved by the bundle.
    setSecret(one, 'cilium-kvstoremesh', { 'mesh-2': undefined });
    await meshctl.ok([...connect, '--yes']);
    await untilReady(sandbox, 'mesh-1');
    const { stdout } = await meshctl.ok(['clustermesh', 'helm-values', '--context', 'mesh-1', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ tls: { caBundle: { enabled: true, name: BUNDLE, key: 'ca.crt' } } });
  });

  it('gets its apiserver back with the bundle', async () => {
    const ref = refsOf(one).deployment('clustermesh-apiserver');
    const lost = found(one.store.get(ref), 'the Deployment');
    for (const gone of [ref, refsOf(one).secret(SERVER)]) one.store.delete(gone);
    await one.settled();
    const enable = ['clustermesh', 'enable', '--context', 'mesh-1'];
    await meshctl.ok([...enable, '--yes']);
    await untilReady(sandbox, 'mesh-1');
    await untilReady(sandbox, 'mesh-2');
    const volumes = (object: KubeObject | undefined) => templateSpec(object).volumes;
    expect(volumes(one.store.get(ref))).toEqual(volumes(lost));
    // What else is in the bundle is no trace of a rotation.
    const { stdout, stderr } = await meshctl.ok([...enable, '--dry-run']);
    expect(stdout).toMatch(/^Plan: 14 to keep\.$/m);
    expect(stdout + stderr).not.toContain('rotation');
    await meshctl.ok(['clustermesh', 'certs', 'rotate', ...both, '--dry-run']);
  });

  it('is told whom a CA cuts off that is not in the bundles of all', async () => {
    const former = secretTexts(found(one.store.get(refsOf(one).secret('cilium-ca')), 'Secret cilium-ca'));
    const server = secretTexts(found(one.store.get(refsOf(one).secret(SERVER)), 'its certificate'));
    const next = { ca: await createAuthority({ commonName: 'Cilium CA' }) } as unknown as SandboxCluster;
    const { certificate, privateKey } = found(next.ca, 'the new CA');
    setSecret(one, 'cilium-ca', { 'ca.crt': certificate, 'ca.key': privateKey });
    setSecret(one, SERVER, { 'tls.crt': 'lost' });
    setBundle(one, [one, two, next]);
    const plan = ['clustermesh', 'enable', '--context', 'mesh-1', '--force-conflicts', '--dry-run'];
    expect((await meshctl.ok(plan)).stdout).toContain('peer mesh-2 is cut off until it is connected again');
    setBundle(two, [one, two, next]);
    expect((await meshctl.ok(plan)).stdout).not.toContain('cut off');
    setSecret(one, 'cilium-ca', former);
    setSecret(one, SERVER, server);
    for (const cluster of [one, two]) setBundle(cluster, [one, two]);
  });

  it('keeps its CA: rotations do not reach the bundle', async () => {
    const rotate = ['clustermesh', 'certs', 'rotate', ...both, '--ca', '--dry-run'];
    const { exitCode, stderr } = await meshctl(rotate);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`go by the CAs of ConfigMap kube-system/${BUNDLE}`);
    const { stderr: refusal, exitCode: code } = await meshctl([
      'clustermesh',
      'enable',
      '--context',
      'mesh-1',
      '--replace-ca',
      '--yes',
    ]);
    expect(code).toBe(1);
    expect(refusal).toContain(`go by the CAs of ConfigMap kube-system/${BUNDLE}`);
  });

  it('is told what a bundle lacks', async () => {
    setBundle(one, [one]);
    const peer = await meshctl(['clustermesh', 'status', ...both]);
    expect(peer.exitCode).toBe(1);
    expect(peer.stdout).toContain('(peer-ca)');
    expect(peer.stdout.replace(/\s+/g, ' ')).toContain(
      `Add the CA of Secret cilium-ca of context "mesh-2" to ConfigMap kube-system/${BUNDLE} of context "mesh-1"`,
    );
    expect(peer.stdout).toContain(
      'kubectl --context mesh-1 -n kube-system rollout restart deployment/clustermesh-apiserver',
    );
    setBundle(one, [two]);
    const own = await meshctl(['clustermesh', 'status', ...both]);
    expect(own.exitCode).toBe(1);
    expect(own.stdout).toContain(`Add the CA of Secret cilium-ca to ConfigMap kube-system/${BUNDLE}`);
    const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-1', '--category', 'tls', '-o', 'short']);
    expect(check.stdout).toContain(`Add the CA of Secret cilium-ca to ConfigMap kube-system/${BUNDLE}`);
    setBundle(one, [one, two]);
    expect((await meshctl.ok(['clustermesh', 'status', ...both])).stdout).toContain('✅');
  });
});
