import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeManualPages } from './manual-pages.mjs';
import { noticesOf } from './notices.mjs';
import { npm } from './npm.mjs';
import { packageReadme } from './package-readme.mjs';

/** What of package.json is of use to whoever installs it. The bundle has all that it needs inside. */
const PUBLISHED_FIELDS = [
  ...['name', 'version', 'description', 'keywords', 'license', 'homepage', 'bugs', 'repository', 'type', 'engines'],
  ...['bin', 'exports', 'files', 'publishConfig'],
];

/**
 * Lays the package out as npm gets it, and packs it.
 * @param {{ root: string, folder: string, output: string }} places the checkout; where to lay it out; where the tarball goes
 * @returns {Promise<Record<string, string[]>>} the build's account of what is in which file
 */
export async function packNpmPackage({ root, folder, output }) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const account = join(folder, 'modules.json');
  const build = ['.ci/build.mjs', '--outdir', join(folder, 'dist'), '--modules', account];
  execFileSync(process.execPath, build, { cwd: root, stdio: 'inherit' });
  const modules = JSON.parse(readFileSync(account, 'utf8'));
  rmSync(account);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  await writeManualPages(root, join(folder, 'man'));
  const man = readdirSync(join(folder, 'man')).map((page) => `man/${page}`);
  const published = Object.fromEntries(PUBLISHED_FIELDS.map((field) => [field, manifest[field]]));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ ...published, man }, null, 2)}\n`);
  for (const name of ['bin', 'templates', 'docs/troubleshoot.md', 'CHANGELOG.md', 'LICENSE']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  writeFileSync(join(folder, 'README.md'), packageReadme(readme, manifest.homepage, `v${manifest.version}`));
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES'), noticesOf(root, modules));
  npm(['pack', '--pack-destination', output], folder);
  return modules;
}
