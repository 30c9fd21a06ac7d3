/** What `--wait` does where nothing that is waited for can come. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox.close());

const BOTH = ['--context', 'mesh-1,mesh-2'];

it('status says at once what enables clusters, then what connects them, and that does', async () => {
  const status = ['clustermesh', 'status', ...BOTH, '--wait'];
  const before = await meshctl(status);
  expect(before.exitCode).toBe(1);
  for (const context of ['mesh-1', 'mesh-2'])
    expect(before.stderr).toMatch(
      new RegExp(
        `⚠ context "${context}": Cluster Mesh is not enabled.*\n? *→ meshctl clustermesh enable --context ${context}\n`,
      ),
    );
  await meshctl.ok(enable('mesh-1,mesh-2'));
  const alone = await meshctl(status);
  expect(alone.exitCode).toBe(1);
  expect(alone.stderr).toMatch(
    /⚠ context "mesh-1", context "mesh-2": it is connected to no cluster, and none is on record as its peer.*\n? *→ meshctl clustermesh connect --context mesh-1 --destination-context mesh-2\n/,
  );
  expect(alone.stderr.match(/to mend it/g)).toHaveLength(1);
  // With one of them alone the other one is looked up, by each that says it.
  const one = await meshctl(['clustermesh', 'status', '--context', 'mesh-2', '--wait']);
  const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-2', '--category', 'peers']);
  for (const text of [one.stderr, one.stdout, check.stdout]) {
    expect(text).toContain('→ meshctl clustermesh connect --context mesh-2 --destination-context mesh-1\n');
    expect(text).not.toContain('<context');
  }
});

it('check ends at once where all is skipped because nobody has a peer, or no check is left', async () => {
  const check = (...more: string[]) => meshctl(['clustermesh', 'check', ...BOTH, '--wait', ...more]);
  const alone = await check('--category', 'peers');
  expect(alone.exitCode).toBe(1);
  expect(alone.stderr).not.toContain('Waiting until');
  const [, connect = ''] = /meshctl (clustermesh connect .*)$/m.exec(alone.stdout) ?? [];
  expect(connect).toBe('clustermesh connect --context mesh-1 --destination-context mesh-2');
  await meshctl.ok([...connect.split(' '), '--yes']);
  await meshctl.ok(['clustermesh', 'status', ...BOTH, '--wait']);
  expect((await check('--category', 'peers')).exitCode).toBe(0);
});
