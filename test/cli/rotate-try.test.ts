import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
}, 60000);
afterAll(() => sandbox.close());
it('tries', async () => {
  const both = ['--context', 'mesh-1,mesh-2'];
  for (const more of [['--dry-run'], ['--ca', '--dry-run'], ['--ca', '--dry-run=server'], [], ['--ca', '--yes'], ['--dry-run']]) {
    const t = Date.now();
    const r = await meshctl(['clustermesh', 'certs', 'rotate', ...both, ...more]);
    console.log(more.join(' '), r.exitCode, Date.now() - t, '\n' + r.stderr + '\n' + r.stdout);
  }
  for (const argv of [['connect', '--all', '--connection-mode', 'mesh', '--dry-run'], ['enable', ...both, '--dry-run'], ['check', ...both, '--category', 'tls,peers', '-o', 'short']]) {
    const r = await meshctl(['clustermesh', ...argv]);
    console.log(argv.join(' '), r.exitCode, '\n' + r.stderr + '\n' + r.stdout.split('\n').filter((l) => !/= keep/.test(l)).join('\n'));
  }
  await meshctl.ok(waitForStatus('mesh-1', '20s'));
  expect(1).toBe(1);
}, 120000);
