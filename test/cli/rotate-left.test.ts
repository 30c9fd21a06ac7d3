import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { OWN_CERTIFICATES } from '../support/mesh-names.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** The certificates of mesh-2 are somebody else's; those of mesh-1 are meshctl's. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;

const HELM = { 'meta.helm.sh/release-name': 'cilium' };
const CERT_MANAGER = { 'cert-manager.io/certificate-name': 'NAME' };

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  two = found(sandbox.clusters[1], 'mesh-2');
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
});

afterAll(() => sandbox.close());

function madeBy(annotations: Record<string, string>): void {
  for (const ref of OWN_CERTIFICATES.map(refs.secret)) {
    const { metadata, ...content } = structuredClone(found(two.store.get(ref), ref.name));
    const { name, namespace } = metadata;
    two.store.delete(ref);
    // cert-manager has a Certificate for each.
    const marks = Object.fromEntries(
      Object.entries(annotations).map(([key, text]) => [key, text.replace('NAME', name)]),
    );
    two.store.create({ ...content, metadata: { name, namespace, annotations: marks } } as KubeObject, 'tool');
  }
}

const certificates = () => OWN_CERTIFICATES.map((name) => found(two.store.get(refs.secret(name)), name).data);
const said = (text: string) => text.replaceAll(/\s+/g, ' ');
const rotate = (...more: string[]) => ['clustermesh', 'certs', 'rotate', ...more];

describe.each([
  ['Helm release cilium', HELM, 'an upgrade reissues it', 'meshctl clustermesh enable --context mesh-2 --via-helm'],
  [
    'cert-manager',
    CERT_MANAGER,
    'ert-manager made them, and reissues each once its Secret is gone',
    `kubectl --context mesh-2 -n kube-system delete secret ${OWN_CERTIFICATES.join(' ')}`,
  ],
])('certificates that %s makes', (owner, annotations, how, command) => {
  beforeAll(() => madeBy(annotations));

  const left = `Secrets ${OWN_CERTIFICATES.join(', ')} stay as they are, since ${owner} makes them`;

  it('are named by a run that renews nothing else, with how they are made anew, and it exits 1', async () => {
    const before = certificates();
    const run = await meshctl(rotate('--context', 'mesh-2', '--yes'));
    expect(run.exitCode, run.stdout + run.stderr).toBe(1);
    expect(run.stdout).toContain('✗ No certificate was renewed');
    expect(said(run.stdout)).toContain(`‼ mesh-2: ${left}`);
    expect(said(run.stdout)).toContain(how);
    expect(said(run.stdout)).toContain(command);
    expect(run.stdout).not.toMatch(/was due|✅/);
    expect(certificates()).toEqual(before);
  });

  it('are named by its dry run and its document, too', async () => {
    const dry = await meshctl(rotate('--context', 'mesh-2', '--dry-run'));
    expect(dry.exitCode).toBe(1);
    expect(said(dry.stdout)).toContain(`‼ mesh-2: ${left}`);
    for (const more of [['--yes'], ['--dry-run']]) {
      const { exitCode, stdout } = await meshctl(rotate('--context', 'mesh-2', ...more, '-o', 'json'));
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ left: [{ context: 'mesh-2', owner, secrets: OWN_CERTIFICATES }] });
    }
  });

  it('are left aside by a run that renews others, which says so at once, or only what is old, where that is not amiss', async () => {
    const some = await meshctl.ok(rotate('--context', 'mesh-1,mesh-2', '--yes'));
    expect(some.stdout).toMatch(/^⚠️ {2}Renewed 6 certificates, but not all that were asked for$/m);
    expect(some.stdout).not.toContain('✅');
    expect(said(some.stdout)).toContain(`‼ mesh-2: ${left}`);
    const old = await meshctl.ok(rotate('--context', 'mesh-1,mesh-2', '--older-than', '0h', '--yes'));
    expect(old.stdout).toContain('✅ Renewed');
    expect(said(old.stdout)).toContain(`• mesh-2: ${left}`);
    expect(old.stderr).not.toContain('stay as they are');
    const young = await meshctl.ok(rotate('--context', 'mesh-2', '--older-than', '10d', '--yes'));
    expect(young.stdout).toContain('✅ No certificate was due');
    expect(young.stderr).not.toContain('mesh-1');
  });
});

it('a certificate that is due and that a cluster issues which was not named is no tick, by text, document and exit status', async () => {
  for (const more of [['--yes'], ['--dry-run']]) {
    const alone = rotate('--context', 'mesh-2', '--older-than', '0h', ...more);
    const run = await meshctl(alone);
    expect(run.exitCode, run.stdout).toBe(1);
    expect(run.stdout).not.toContain('✅ No');
    expect(run.stdout).toContain('✗ mesh-2: the certificate for dialling mesh-1 is due and stays');
    const hint = 'Name its context too: meshctl clustermesh certs rotate --context mesh-2,mesh-1 --peer mesh-1';
    expect(said(run.stdout)).toContain(`→ ${hint}`);
    const { stdout, exitCode } = await meshctl([...alone, '-o', 'json']);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ unissued: [{ context: 'mesh-2', peer: 'mesh-1', hint }] });
  }
  const mended = await meshctl.ok(rotate('--context', 'mesh-2,mesh-1', '--peer', 'mesh-1', '--yes'));
  expect(mended.stdout).toContain('✅ Renewed 1 certificate');
});

it('certificates for dialling a peer that Helm brings are left to it by --peer, and named', async () => {
  const ref = refs.secret('cilium-kvstoremesh');
  const { metadata, ...content } = structuredClone(found(two.store.get(ref), ref.name));
  two.store.delete(ref);
  const { name, namespace } = metadata;
  two.store.create({ ...content, metadata: { name, namespace, annotations: HELM } } as KubeObject, 'tool');
  const run = await meshctl(rotate('--context', 'mesh-1,mesh-2', '--peer', 'mesh-1', '--yes'));
  expect(run.exitCode, run.stdout + run.stderr).toBe(1);
  expect(said(run.stdout)).toContain(
    '‼ mesh-2: Secret cilium-kvstoremesh stays as it is, since Helm release cilium makes it → Put a new certificate for mesh-1 where',
  );
});
