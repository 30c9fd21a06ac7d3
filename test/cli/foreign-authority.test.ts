import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/pki/authority.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Secret cilium-ca of mesh-1 holds another CA than the one that signed what is in use. */
const BACK = 'meshctl clustermesh enable --context mesh-1 --ca-from-context mesh-2';
const OVER = 'meshctl clustermesh certs rotate --context mesh-1,mesh-2';
const NEW = 'meshctl clustermesh enable --context mesh-1 --replace-ca';
const typed = (line: string) => line.split(' ').slice(1);
const CHECK = ['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'tls'];

interface Case {
  title: string;
  enabling: string[][];
  /** What is printed, and mends with nobody cut off. */
  way: string;
  other: string;
}

const CASES: Case[] = [
  {
    title: 'whose peer has the right one',
    enabling: [enable('mesh-1'), enable('mesh-2', '--ca-from-context', 'mesh-1', '--replace-ca', '--yes')],
    way: BACK,
    other: NEW,
  },
  { title: 'whose peers have their own', enabling: [enable('mesh-1,mesh-2')], way: OVER, other: 'from backup' },
];

describe.each(CASES)('a CA that signed none of the certificates in use, $title', ({ enabling, way, other }) => {
  let sandbox: TestSandbox;
  let meshctl: Meshctl;
  let one: SandboxCluster;
  const unwrapped = (text: string) => text.replaceAll(/\s+/g, ' ');

  beforeAll(async () => {
    sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
    meshctl = meshctlWith(sandbox.kubeconfigPath);
    one = found(sandbox.clusters[0], 'mesh-1');
    for (const argv of [...enabling, enable('mesh-3')]) await meshctl.ok(argv);
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    const foreign = await createAuthority({ commonName: 'Other CA' });
    setSecret(one, 'cilium-ca', { 'ca.crt': foreign.certificate, 'ca.key': foreign.privateKey });
  });

  afterAll(() => sandbox.close());

  it('is found by check and told by enable, with ways by which no peer is cut off unasked', async () => {
    const check = await meshctl(CHECK);
    // A warning, as long as no certificate has to be issued: all goes on.
    expect(check.exitCode).toBe(0);
    expect(check.stdout).toMatch(/‼.*\n.*\(tls-ca\)/);
    expect(unwrapped(check.stdout)).toContain(way);
    expect(unwrapped(check.stdout)).toContain(other);
    // Neither is mended by that.
    expect(check.stdout).not.toMatch(/clustermesh connect|enable --context mesh-1$/m);
    const plan = await meshctl.ok(enable('mesh-1', '--dry-run'));
    expect(plan.stdout).toContain('peer mesh-2 is cut off');
    expect(plan.stderr).toContain('holds a CA that signed none of the certificates in use');
    expect(unwrapped(plan.stderr)).toContain(way);
    expect(await meshctl(enable('mesh-1'))).toMatchObject({ exitCode: 2 });
  });

  it('is told by status and found before enable, and no new peer gets a weaker credential for it unasked', async () => {
    const status = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1']);
    expect(unwrapped(status.stdout)).toContain('it holds a CA that signed none of the certificates in use');
    expect(status.stdout).toContain('no connection is affected yet');
    const pre = await meshctl(['clustermesh', 'check', '--pre', '--context', 'mesh-1,mesh-2', '--category', 'tls']);
    expect(pre).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('(tls-ca)') });
    expect(unwrapped(pre.stdout)).toContain(way);
    const refused = await meshctl(connect('mesh-3', 'mesh-1', '--dry-run'));
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(unwrapped(refused.stderr)).toContain('holds a CA that signed none of the certificates in use');
    expect(refused.stderr).toContain('--credentials legacy');
    const chosen = await meshctl.ok(connect('mesh-3', 'mesh-1', '--credentials', 'legacy', '--dry-run'));
    expect(chosen.stdout).toContain('the remote-cert of mesh-1');
  });

  it('is not rotated to without the peers that trust the one in use', async () => {
    const secrets = () =>
      JSON.stringify(one.store.list({ apiVersion: 'v1', kind: 'Secret', namespace: one.namespace }));
    const before = secrets();
    for (const more of [[], ['--older-than', '30d'], ['--dry-run'], ['--force-conflicts']]) {
      const alone = await meshctl(['clustermesh', 'certs', 'rotate', '--context', 'mesh-1', ...more]);
      expect(alone.exitCode, alone.stdout + alone.stderr).toBeGreaterThan(0);
      if (way === BACK) {
        expect(unwrapped(alone.stderr)).toContain('mesh-2, which would be cut off, logs in by the one that did');
        continue;
      }
      expect(unwrapped(alone.stderr)).toContain('a new CA cuts off peers left out');
      expect(unwrapped(alone.stderr)).toContain(`Renew what they hold together: ${OVER} or forget`);
    }
    const single = await meshctl(['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2', '--peer', 'mesh-1']);
    expect(single.exitCode).toBe(1);
    expect(unwrapped(single.stderr)).toContain(way);
    expect(secrets()).toBe(before);
  });

  it('is mended by what is printed', async () => {
    if (way === BACK) {
      const rotate = await meshctl(typed(OVER));
      expect(rotate).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(BACK) });
    }
    const plan = await meshctl.ok([...typed(way), '--dry-run']);
    const mended = await meshctl.ok(typed(way));
    expect(mended.stdout + mended.stderr).not.toContain('cut off');
    if (way === OVER) {
      // What is told of both CAs is what became of them.
      expect(unwrapped(plan.stdout)).toContain('the CA in Secret cilium-ca takes the place of the one in use');
      expect(unwrapped(mended.stdout)).toContain('The CA in Secret cilium-ca is in use now in mesh-1: the former one');
      expect(plan.stdout + mended.stdout).not.toMatch(/not replaced|cilium-ca stays/);
    }
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    await meshctl.ok(CHECK);
  });
});
