import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { inject } from 'vitest';
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

const DIST = 'dist';
const MODULES = 'modules.json';

/** Bundles `src/`, which takes more than a second of the processor: one file of a run does it for all. @returns the folder */
async function buildOnce(checkout: string): Promise<string> {
  const folder = inject('buildFolder');
  const built = join(folder, 'built');
  if (existsSync(built)) return built;
  const own = join(folder, String(process.pid));
  const build = ['.ci/build.mjs', '--outdir', join(own, DIST), '--modules', join(own, MODULES)];
  await execa(process.execPath, build, { cwd: checkout });
  // Whole or not at all; one that another file has made meanwhile is as good.
  await rename(own, built).catch((error) => {
    if (!existsSync(built)) throw error;
  });
  return built;
}

export async function installMeshctl(): Promise<InstalledMeshctl> {
  const root = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  const checkout = fileURLToPath(PACKAGE_ROOT);
  const built = await buildOnce(checkout);
  await cp(join(built, DIST), join(root, DIST), { recursive: true });
  await cp(join(checkout, 'bin'), join(root, 'bin'), { recursive: true });
  await cp(join(checkout, 'package.json'), join(root, 'package.json'));
  await cp(join(checkout, 'templates'), join(root, 'templates'), { recursive: true });
  return {
    root,
    entry: join(root, 'bin/meshctl.js'),
    modules: JSON.parse(await readFile(join(built, MODULES), 'utf8')) as InstalledMeshctl['modules'],
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
