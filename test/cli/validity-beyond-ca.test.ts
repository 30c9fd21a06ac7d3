import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuthority } from '../../src/pki/authority.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { lasting } from '../support/certificate-specs.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { clusterAt, found, refs, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const SERVER = refs.secret('clustermesh-apiserver-server-cert');
const ROTATE = ['clustermesh', 'certs', 'rotate', '--context'];
const YEAR = ['--cert-validity', '365d'];

/** The CA of mesh-1 has 40 days left; that of mesh-2 is meshctl's own, that of mesh-3 ends soon. */
let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  const setAuthority = async (context: string, lifetime: Parameters<typeof createAuthority>[0]) => {
    const { certificate, privateKey } = await createAuthority(lifetime);
    setSecret(clusterAt(sandbox, context), 'cilium-ca', { 'ca.crt': certificate, 'ca.key': privateKey });
  };
  await setAuthority('mesh-1', { validityMs: 40 * DAY_MS });
  await setAuthority('mesh-3', lasting(10));
});

afterAll(() => sandbox.close());

const textOf = (context: string, name: string, key: string) => {
  const data = clusterAt(sandbox, context).store.get(refs.secret(name))?.data as Record<string, string> | undefined;
  return Buffer.from(found(data?.[key], key), 'base64').toString();
};
const serverEnd = (context: string) => readCertificate(textOf(context, SERVER.name, 'tls.crt')).notAfter;
const caEnd = (context: string) => readCertificate(textOf(context, 'cilium-ca', 'ca.crt')).notAfter;
const dayOf = (date: Date) => date.toISOString().slice(0, 10);
const inDays = (date: Date) => Math.round((date.getTime() - Date.now()) / DAY_MS);

/** The commands that a run prints to go on. */
const hints = (stderr: string) =>
  [...stderr.replaceAll(/\n\s+/g, ' ').matchAll(/→ meshctl (.*? --cert-validity \S+)/g)].map(([, line]) => line);

it('is what the plan says of certificates, in each of its plans, and what is read back', async () => {
  const until = `until its CA ends on ${dayOf(caEnd('mesh-1'))}`;
  for (const validity of [[], YEAR, ['--cert-validity', '999999d']]) {
    const { stdout } = await meshctl.ok(enable('mesh-1', ...validity, '--dry-run'));
    expect(stdout).toContain(`certificate admin-mesh-1 (${until})`);
    expect(stdout).not.toMatch(/certificate [^(\n]*\([^)]*\d+ days/);
  }
  await meshctl.ok(enable('mesh-1', ...YEAR));
  await meshctl.ok(enable('mesh-2', ...YEAR));
  expect(serverEnd('mesh-1')).toEqual(caEnd('mesh-1'));
  expect(inDays(serverEnd('mesh-2'))).toBe(365);
  const connecting = await meshctl.ok([...connect('mesh-2', 'mesh-1'), '--dry-run']);
  expect(connecting.stdout).toMatch(new RegExp(`remote-mesh-2 \\([^)]*${until}\\), issued by the CA of mesh-1`));
  await meshctl.ok(connect('mesh-2', 'mesh-1'));
  const rotating = await meshctl.ok([...ROTATE, 'mesh-1,mesh-2', ...YEAR, '--dry-run']);
  expect(rotating.stdout).toMatch(new RegExp(`certificate admin-mesh-1 \\(2048 bit, ${until}\\)`));
  expect(rotating.stdout).toContain('certificate admin-mesh-2 (2048 bit, 365 days)');
});

it('is not promised by a command that gives no more, and what is printed gives it, and is not printed again', async () => {
  const asked = await meshctl.ok(enable('mesh-1', ...YEAR));
  const renewed = await meshctl.ok([...ROTATE, 'mesh-1,mesh-2', ...YEAR]);
  expect(serverEnd('mesh-1')).toEqual(caEnd('mesh-1'));
  const [hint] = hints(asked.stderr);
  expect(hint).toBe('clustermesh certs rotate --context mesh-1,mesh-2 --ca --cert-validity 365d');
  expect(hints(renewed.stderr)).toEqual([hint]);
  await meshctl.ok([...found(hint, 'the hint').split(' '), '--yes']);
  expect([serverEnd('mesh-1'), serverEnd('mesh-2')].map(inDays)).toEqual([365, 365]);
  const again = await meshctl.ok(enable('mesh-1', ...YEAR));
  expect(hints(again.stderr)).toEqual([]);
  expect(inDays(serverEnd('mesh-1'))).toBe(365);
});

it('is told as out of reach where no CA lasts so long', async () => {
  const { stderr } = await meshctl.ok(enable('mesh-1', '--cert-validity', '999999d'));
  expect(stderr.replaceAll(/\s+/g, ' ')).toContain('no certificate outlives its CA, which ends on');
  expect(hints(stderr)).toEqual([]);
});

it('is warned of by a rotation on a schedule once the CA ends soon, and not before', async () => {
  await meshctl.ok(enable('mesh-3'));
  const rotate = (context: string) => meshctl.ok([...ROTATE, context, '--older-than', '0d', '--dry-run']);
  const [soon, late] = [await rotate('mesh-3'), await rotate('mesh-1,mesh-2')];
  expect(soon.stderr.replaceAll(/\s+/g, ' ')).toContain(
    `context "mesh-3": no certificate outlives its CA, which ends on ${dayOf(caEnd('mesh-3'))} → meshctl clustermesh certs rotate --context mesh-3 --ca`,
  );
  expect(late.stderr).not.toContain('outlives');
});
