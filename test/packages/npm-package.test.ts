import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmptyFolder, emptyFolder, runIn } from '../support/packed.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** The package as npm would publish it, unpacked where an install would put it. It needs no other package, so this is all. */
let folder: EmptyFolder;
let tarball: string;
let installed: string;

beforeAll(async () => {
  folder = await emptyFolder();
  const dist = ['.ci/packages/dist.mjs', 'npm', '--output', join(folder.path, 'release')];
  await execa(process.execPath, dist, { cwd: fileURLToPath(PACKAGE_ROOT) });
  const files = await readdir(join(folder.path, 'release'));
  tarball = join(folder.path, 'release', files.find((name) => name.endsWith('.tgz')) ?? '');
  await extract({ file: tarball, cwd: folder.path });
  installed = join(folder.path, 'package');
});
afterAll(() => folder.remove());

const meshctl = (...args: string[]) =>
  runIn(folder.path, process.execPath, [join(installed, 'bin/meshctl.js'), ...args]);

it('is small, and has nothing in it that only a checkout needs', async () => {
  expect((await stat(tarball)).size).toBeLessThan(2_000_000);
  const files = await readdir(installed, { recursive: true });
  expect([...new Set(files.map((file) => file.split('/')[0]))].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'THIRD-PARTY-NOTICES',
    'bin',
    'dist',
    'docs',
    'man',
    'package.json',
    'templates',
  ]);
  expect(files.filter((file) => /\.(ts|map|tgz)$|(^|\/)\./.test(file))).toEqual([]);
});

it('says by whom and how it is made, runs nothing when it is installed, and needs no other package', async () => {
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({
    name: 'meshctl',
    repository: { type: 'git' },
    publishConfig: { access: 'public', provenance: true },
    exports: { './package.json': './package.json' },
    man: expect.arrayContaining(['man/meshctl-clustermesh-status.1']),
  });
  for (const field of ['scripts', 'dependencies', 'devDependencies', 'private']) {
    expect(manifest).not.toHaveProperty(field);
  }
  const notices = await readFile(join(installed, 'THIRD-PARTY-NOTICES'), 'utf8');
  expect(notices).toMatch(/^commander \d.*\(MIT\)$/m);
  expect(notices).toMatch(/^@kubernetes\/client-node \d.*\(Apache-2.0\)$/m);
});

it('has a README without pictures, and without what only the checkout has', async () => {
  const readme = await readFile(join(installed, 'README.md'), 'utf8');
  expect(readme).toContain('npx meshctl demo');
  expect(readme).not.toMatch(/!\[|<!--|npm (ci|run|link)|node \.ci|^## Development/m);
  const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
  expect(links.filter((link) => !/^(https:|#)/.test(link))).toEqual([]);
});

describe('unpacked in an empty folder, it', () => {
  it('knows its version, and what it was made of', async () => {
    const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    expect((await meshctl('version', '--client')).stdout).toMatch(new RegExp(`^meshctl ${version} \\(`));
  });

  it('has its templates', async () => {
    expect((await meshctl('completion', 'bash')).stdout).toMatch(/^complete .* meshctl$/m);
    const render = ['clustermesh', 'render', '--cilium-version', '1.20.0', '--cluster-name', 'a', '--cluster-id', '1'];
    expect((await meshctl(...render)).stdout).toContain('name: clustermesh-apiserver');
    expect((await meshctl('explain', 'refused')).stdout).toMatch(/^Something answers at the address and refuses/m);
  });

  it('reads YAML, for the GitHub Action', () => {
    const { parse } = createRequire(installed)(join(installed, 'dist/yaml.cjs'));
    expect(parse('says: >-\n  one\n  clause\n')).toEqual({ says: 'one clause' });
  });

  it('is a plugin of kubectl, too', async () => {
    const plugin = join(installed, 'bin/kubectl-clustermesh.js');
    const { stdout } = await runIn(folder.path, process.execPath, [plugin, 'status', '--help']);
    expect(stdout).toMatch(/^Usage: kubectl clustermesh status /);
  });
});
