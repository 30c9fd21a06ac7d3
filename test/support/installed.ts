import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { PACKAGE_ROOT } from './schemas.ts';

/** meshctl as `npm run build` makes it, but not in the checkout. */
export interface InstalledMeshctl {
  root: string;
  /** What `node` is given to run it. */
  entry: string;
  /** esbuild's account of what is in which file. */
  meta: { outputs: Record<string, { inputs: Record<string, unknown> }> };
  remove(): Promise<void>;
}

export async function installMeshctl(): Promise<InstalledMeshctl> {
  const root = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  const checkout = fileURLToPath(PACKAGE_ROOT);
  const metafile = join(root, 'meta.json');
  const build = ['.ci/build.mjs', '--outdir', join(root, 'dist'), '--metafile', metafile];
  await execa(process.execPath, build, { cwd: checkout });
  await mkdir(join(root, 'bin'));
  await cp(join(checkout, 'bin/meshctl.js'), join(root, 'bin/meshctl.js'));
  await cp(join(checkout, 'package.json'), join(root, 'package.json'));
  await cp(join(checkout, 'templates'), join(root, 'templates'), { recursive: true });
  return {
    root,
    entry: join(root, 'bin/meshctl.js'),
    meta: JSON.parse(await readFile(metafile, 'utf8')) as InstalledMeshctl['meta'],
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
