import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmptyFolder, emptyFolder, LAST_LINES, runIn } from '../support/packed.ts';
import { ON_WINDOWS, RELEASE_FOLDER, released, THIS_TARGET } from '../support/released.ts';

/** The executable of this machine, alone in a folder, and nothing on the PATH: no Node.js is found. */
let folder: EmptyFolder;
let program: string;
const archive = () => released(new RegExp(`^meshctl-${THIS_TARGET}\\.tar\\.gz$`));
/** Windows itself needs it. */
const SYSTEM = ON_WINDOWS ? { SystemRoot: process.env.SystemRoot ?? '' } : {};
const meshctl = (...args: string[]) => runIn(folder.path, program, args, { PATH: '/nonexistent', ...SYSTEM });

beforeAll(async () => {
  folder = await emptyFolder();
  const unpacked = join(folder.path, 'archive');
  await mkdir(unpacked);
  await extract({ file: archive(), cwd: unpacked });
  program = join(folder.path, ON_WINDOWS ? 'meshctl.exe' : 'meshctl');
  await cp(join(unpacked, ON_WINDOWS ? 'meshctl.exe' : 'meshctl'), program);
});
afterAll(() => folder.remove());

it('comes with licences, manual and roles', async () => {
  expect((await readdir(join(folder.path, 'archive'))).sort()).toEqual(
    ['LICENSE', 'LICENSE-node', 'THIRD-PARTY-NOTICES', ON_WINDOWS ? 'meshctl.exe' : 'meshctl', 'man', 'rbac'].sort(),
  );
});

describe('alone', () => {
  it('knows what it is made of', async () => {
    expect((await meshctl('version', '--client')).stdout).toMatch(/^meshctl \d+\.\d+\.\d+.* \(.*Node\.js v22\./);
  });

  it('completes, and shows help', async () => {
    const completion = await meshctl('completion', 'bash');
    expect(completion.stdout).toMatch(/^complete .* meshctl$/m);
    expect((await meshctl('--help')).stdout).toMatch(/^Usage: meshctl /);
    expect((await meshctl('__complete', '--bash=:', '--', 'meshctl clustermesh stat')).stdout).toContain('status');
  });

  it('tells the article’s story to its end', async () => {
    const { stdout } = await meshctl('demo', '--no-pause');
    expect(stdout.trimEnd().endsWith(LAST_LINES)).toBe(true);
  });

  it('runs a sandbox in the background', async () => {
    const up = await meshctl('sandbox', 'up', '--detach', '--clusters', '1');
    expect(up).toMatchObject({ exitCode: 0 });
    const down = await meshctl('sandbox', 'down');
    expect(down.stdout).toBe('The cluster mesh-1 is gone.');
  });

  it.skipIf(ON_WINDOWS)('is a plugin of kubectl by a link of that name', async () => {
    await symlink(program, join(folder.path, 'kubectl-clustermesh'));
    const { stdout } = await runIn(folder.path, join(folder.path, 'kubectl-clustermesh'), ['status', '--help']);
    expect(stdout).toMatch(/^Usage: kubectl clustermesh status /);
  });
});

/** A root directory with the libraries that it is linked to, and nothing else: no shell, no Node.js, no certificates. */
it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('runs in a tree of its own', async () => {
  const root = join(folder.path, 'root');
  const { stdout: libraries } = await execa('ldd', [program]);
  for (const [library] of libraries.matchAll(/\/\S+/g)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await cp(library, join(root, library), { dereference: true });
  }
  await mkdir(join(root, 'tmp'));
  await chmod(join(root, 'tmp'), 0o1777);
  await cp(program, join(root, 'meshctl'));
  const demo = await execa('chroot', [root, '/meshctl', 'demo', '--no-pause'], {
    extendEnv: false,
    env: { PATH: '/usr/sbin:/usr/bin' },
  });
  expect(demo.stdout.trimEnd().endsWith(LAST_LINES)).toBe(true);
  await rm(root, { recursive: true });
});

it('has the sum that SHA256SUMS has', async () => {
  const sums = await readFile(join(RELEASE_FOLDER, 'SHA256SUMS'), 'utf8');
  const sum = createHash('sha256')
    .update(await readFile(archive()))
    .digest('hex');
  expect(sums).toContain(`${sum}  meshctl-${THIS_TARGET}.tar.gz\n`);
});

it('lists what is inside, Node.js too', async () => {
  const bom = JSON.parse(await readFile(released(/\.cdx\.json$/), 'utf8'));
  expect(bom).toMatchObject({
    bomFormat: 'CycloneDX',
    metadata: { component: { name: 'meshctl', type: 'application' } },
  });
  const names = (bom.components as { name: string }[]).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['node', 'commander', 'yaml', '@kubernetes/client-node']));
  expect(names.filter((name) => /^@types|vitest|esbuild/.test(name))).toEqual([]);
});
