import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import { leaveFolder, runInBackground } from '../../src/commands/sandbox/background.ts';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';
import { CHECKOUT } from '../support/schemas.ts';

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

/** A sandbox that runs until it is told to end, and of which nothing is there but its folder. */
async function pretend(name: string, contexts: readonly string[]): Promise<void> {
  const left = join(folder(), name);
  await mkdir(left, { recursive: true });
  const { signal } = new AbortController();
  const world = { env: {}, clock: SYSTEM_CLOCK, signal, installation: CHECKOUT };
  void runInBackground(world, left, contexts).then(() => leaveFolder(left));
  while (!existsSync(join(left, 'up.json'))) await SYSTEM_CLOCK.sleep(10, signal);
}

/** What a sandbox leaves behind whose process has ended, or has another's number by now. */
async function leave(name: string, process: { pid: number; host?: string; begun?: string }): Promise<string> {
  const left = join(folder(), name);
  await mkdir(left, { recursive: true });
  const up = { contexts: ['mesh-1', 'mesh-2'], host: hostname(), ...process };
  await writeFile(join(left, 'up.json'), JSON.stringify(up));
  return left;
}

/** More than Linux and macOS give. */
const NO_PID = 2 ** 22 + 1;

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

it.runIf(process.platform === 'linux')('whose process is gone is none, and is cleared away', async () => {
  const left = [
    await leave('sandbox-left', { pid: NO_PID }),
    await leave('sandbox-long-ago', { pid: process.pid, begun: 'another start 1' }),
  ];
  const broken = await meshctl('sandbox', 'break');
  expect(broken.exitCode).toBe(2);
  expect(broken.stderr).toContain('none runs in the background');
  expect(await meshctl('sandbox', 'down')).toMatchObject({ exitCode: 0, stdout: 'No sandbox runs in the background.' });
  expect(left.map((one) => existsSync(one))).toEqual([false, false]);
});

it('of another machine with the same home is left alone', async () => {
  const left = await leave('sandbox-elsewhere', { pid: NO_PID, host: 'elsewhere' });
  await pretend('sandbox-here', ['east']);
  expect((await meshctl('sandbox', 'down')).stderr).toContain('2 sandboxes run in the background');
  await meshctl('sandbox', 'down', 'sandbox-here');
  expect(existsSync(left)).toBe(true);
  await rm(left, { recursive: true });
});
