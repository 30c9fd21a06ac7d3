import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
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
  /** Which modules of the checkout are in which file of `dist`. */
  modules: Readonly<Record<string, readonly string[]>>;
  remove(): Promise<void>;
}

export async function installMeshctl(): Promise<InstalledMeshctl> {
  const root = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  const checkout = fileURLToPath(PACKAGE_ROOT);
  const account = join(root, 'modules.json');
  const build = ['.ci/build.mjs', '--outdir', join(root, 'dist'), '--modules', account];
  await execa(process.execPath, build, { cwd: checkout });
  await cp(join(checkout, 'bin'), join(root, 'bin'), { recursive: true });
  await cp(join(checkout, 'package.json'), join(root, 'package.json'));
  await cp(join(checkout, 'templates'), join(root, 'templates'), { recursive: true });
  return {
    root,
    entry: join(root, 'bin/meshctl.js'),
    modules: JSON.parse(await readFile(account, 'utf8')) as InstalledMeshctl['modules'],
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
