import { existsSync } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';

/** `sandbox up --detach` starts a process of its own: the installed program, as an operator has it. */
let installed: InstalledMeshctl;

beforeAll(async () => {
  installed = await installMeshctl();
});

const folder = () => join(installed.root, 'state', 'meshctl', 'sandboxes');
const meshctl = (...argv: string[]) =>
  execa(process.execPath, [installed.entry, ...argv], {
    reject: false,
    extendEnv: false,
    env: { HOME: installed.root, XDG_STATE_HOME: join(installed.root, 'state') },
  });

/** What a sandbox leaves behind whose process is gone. */
async function pretend(name: string, contexts: readonly string[]): Promise<string> {
  // More than Linux and macOS give.
  const pid = 2 ** 22 + 1;
  const left = join(folder(), name);
  await mkdir(left, { recursive: true });
  await writeFile(join(left, 'up.json'), JSON.stringify({ contexts, pid }));
  return left;
}

afterAll(async () => {
  await meshctl('sandbox', 'down', '--all');
  await installed.remove();
});

it('goes on in the background, for its owner alone, until it is told to end', async () => {
  const rule = 'drop:mesh-1>mesh-2:udp/8472';
  const up = await meshctl('sandbox', 'up', '--detach', '--nodes', '1', '--provider', 'kind', '--break', rule);
  expect(up).toMatchObject({ exitCode: 0 });
  const [, kubeconfig = ''] = /kubeconfig +(\S+)/.exec(up.stdout) ?? [];
  expect(dirname(dirname(kubeconfig))).toBe(folder());
  expect((await stat(dirname(kubeconfig))).mode & 0o077).toBe(0);
  const name = basename(dirname(kubeconfig));
  expect(up.stdout.endsWith(`\nEnd them: meshctl sandbox down ${name}`)).toBe(true);
  // It is the only one, so that it need not be named.
  const broken = await meshctl('sandbox', 'break');
  expect(broken).toMatchObject({ exitCode: 0, stdout: `Broken between the clusters\n  ${rule}` });
  const version = await meshctl('version', '--kubeconfig', kubeconfig, '--all');
  expect(version).toMatchObject({ exitCode: 0 });
  expect(version.stdout).toMatch(/\nmesh-2 +mesh-2 /);
  // Another one under the same account is somebody else's, unless it is named, or all are.
  await pretend('sandbox-other', ['east']);
  const unnamed = await meshctl('sandbox', 'down');
  expect(unnamed).toMatchObject({ exitCode: 2, stdout: '' });
  expect(unnamed.stderr).toMatch(/2 sandboxes run in the background: .*sandbox-other \(east\)/);
  expect(unnamed.stderr).toMatch(/meshctl sandbox down sandbox-\w+\n.*meshctl sandbox down --all$/s);
  expect((await meshctl('sandbox', 'down', 'nobody')).exitCode).toBe(2);
  const down = await meshctl('sandbox', 'down', name);
  expect(down).toMatchObject({ exitCode: 0, stdout: 'The clusters mesh-1, mesh-2 are gone.' });
  expect(await readdir(folder())).toEqual(['sandbox-other']);
  expect((await meshctl('version', '--kubeconfig', kubeconfig)).exitCode).not.toBe(3);
  expect(await meshctl('sandbox', 'down')).toMatchObject({ exitCode: 0, stdout: 'The cluster east is gone.' });
  expect(await meshctl('sandbox', 'down')).toMatchObject({ exitCode: 0, stdout: 'No sandbox runs in the background.' });
});

it('that does not come up says why, and leaves nothing', async () => {
  const { exitCode, stderr } = await meshctl('sandbox', 'up', '--detach', '--clusters', '300');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('✖ the sandbox did not start: A sandbox has 1 to 255 clusters, not 300');
  expect(await readdir(folder())).toEqual([]);
});

it('whose process is gone is cleared away', async () => {
  const left = await pretend('sandbox-left', ['mesh-1']);
  expect(await meshctl('sandbox', 'down')).toMatchObject({ exitCode: 0, stdout: 'The cluster mesh-1 is gone.' });
  expect(existsSync(left)).toBe(false);
});
