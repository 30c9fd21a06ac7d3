import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failureOf, runCli } from '../support/cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** What is wrong with the kubeconfig of the destinations is mended there: no hint names the flags, or the file, of the source. */
let sandbox: TestSandbox;
let folder: string;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  folder = await mkdtemp(join(tmpdir(), 'meshctl-destination-'));
  const text = await readFile(sandbox.kubeconfigPath, 'utf8');
  await writeFile(join(folder, 'other.yaml'), text.replaceAll('mesh-2', 'a,b'), { mode: 0o600 });
  await writeFile(join(folder, 'torn.yaml'), text.replaceAll('cluster: mesh-2', 'cluster: nowhere'), { mode: 0o600 });
  await writeFile(join(folder, 'none.yaml'), '{}', { mode: 0o600 });
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await sandbox.close();
});

it.each<[what: string, file: string, destinations: string[], hint: RegExp]>([
  ['is not there', 'gone.yaml', ['mesh-2'], /Give --destination-kubeconfig FILE/],
  ['has nothing', 'none.yaml', ['mesh-2'], /the kubeconfig holds no contexts/],
  ['has nothing, with --all', 'none.yaml', ['--all'], /: --destination-kubeconfig FILE\.$/],
  ['has no such contexts', 'other.yaml', ['x-*'], /kubectl --kubeconfig \S*other\.yaml config get-contexts/],
  ['has a comma in a context', 'other.yaml', ['a'], /: --destination-context 'a\\,b'$/],
  ['has a broken context', 'torn.yaml', ['mesh-2'], /kubectl --kubeconfig \S*torn\.yaml config view/],
])('where it %s', async (_what, file, destinations, hint) => {
  const path = join(folder, file);
  const to = destinations[0] === '--all' ? destinations : ['--destination-context', ...destinations];
  for (const command of ['connect', 'disconnect']) {
    const argv = ['clustermesh', command, '--context', 'mesh-1', ...to, '--destination-kubeconfig', path];
    for (const own of [[], ['--kubeconfig', sandbox.kubeconfigPath]]) {
      const { says, exitCode } = failureOf(
        await runCli([...argv, ...own], { env: { KUBECONFIG: sandbox.kubeconfigPath } }),
      );
      expect(exitCode).toBeGreaterThan(0);
      expect(says.trim()).toMatch(hint);
      expect(says).not.toMatch(/ (--context|KUBECONFIG)\b/);
      expect(says).not.toContain(sandbox.kubeconfigPath);
    }
  }
});
