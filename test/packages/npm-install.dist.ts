import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EmptyFolder, emptyFolder, LAST_LINES } from '../support/packed.ts';
import { released } from '../support/released.ts';

/** npm and npx with the tarball, in an empty folder. The cache is empty too, and nobody is asked: nothing else is needed. */
let folder: EmptyFolder;
const tarball = () => released(/^meshctl-.*\.tgz$/);
const npm = (program: 'npm' | 'npx', ...args: string[]) =>
  execa(program, args, {
    cwd: folder.path,
    env: { npm_config_cache: join(folder.path, 'cache'), npm_config_offline: 'true', NO_COLOR: '1' },
  });

beforeAll(async () => {
  folder = await emptyFolder();
});
afterAll(() => folder.remove());

it('is what publint and attw ask of a package', async () => {
  const lint = await execa('npx', ['--no-install', 'publint', '--strict', tarball()]);
  expect(lint.stdout).toContain('All good!');
  const types = await execa('npx', ['--no-install', 'attw', '--format', 'json', tarball()]);
  expect(JSON.parse(types.stdout)).toMatchObject({ analysis: { types: false } });
});

it('is installed', async () => {
  await npm('npm', 'install', '--ignore-scripts=false', tarball());
  expect((await readdir(join(folder.path, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([
    'meshctl',
  ]);
  const { stdout } = await npm('npx', '--no-install', 'meshctl', 'completion', 'bash');
  expect(stdout).toMatch(/^complete .* meshctl$/m);
  const plugin = await npm('npx', '--no-install', 'kubectl-clustermesh', 'status', '--help');
  expect(plugin.stdout).toMatch(/^Usage: kubectl clustermesh status /);
});

it('is run by npx, and tells the article’s story to its end', async () => {
  const { stdout } = await npm('npx', '--yes', `--package=${tarball()}`, 'meshctl', 'demo', '--no-pause');
  expect(stdout.trimEnd().endsWith(LAST_LINES)).toBe(true);
});
