#!/usr/bin/env node
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packArchive } from './archives.mjs';
import { writeChecksums } from './checksums.mjs';
import { makeDeb } from './deb.mjs';
import { bundleForExecutable, makeExecutable } from './executable.mjs';
import { homebrewFormula } from './homebrew-formula.mjs';
import { krewManifest } from './krew-manifest.mjs';
import { packNpmPackage } from './npm-package.mjs';
import { RELEASE } from './release.mjs';
import { changesOf, releaseNotes } from './release-notes.mjs';
import { licenseOfNode, runtimeOf, TARGETS, THIS_TARGET } from './runtimes.mjs';
import { writeSbom } from './sbom.mjs';

/**
 * Makes everything that a release has, in `release/`: `npm run dist [-- STEP…]`, all steps by default. `npm`: the package.
 * `executables`: one for each platform, or each `--target`. `packages`: what is made of the executables that are there.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string', default: join(root, 'release') },
    target: { type: 'string', multiple: true, default: Object.keys(TARGETS) },
  },
});
const output = resolve(values.output);
const cache = join(root, 'node_modules', '.cache', 'meshctl-dist');
const packageFolder = join(output, 'npm');
const fileOf = (target) =>
  join(output, 'executables', target, target.startsWith('windows') ? 'meshctl.exe' : 'meshctl');

const STEPS = {
  async npm() {
    const modules = await packNpmPackage({ root, folder: packageFolder, output });
    writeSbom(root, modules, join(output, 'meshctl.cdx.json'));
  },
  async executables() {
    const script = join(output, 'executables', 'meshctl.cjs');
    await bundleForExecutable(root, script);
    const here = await runtimeOf(THIS_TARGET, cache);
    for (const target of values.target) {
      console.log(`  ${target}`);
      const node = target === THIS_TARGET ? here : await runtimeOf(target, cache);
      await makeExecutable({ script, root, node, here, output: fileOf(target) });
    }
    rmSync(script);
  },
  async packages() {
    const notices = [join(packageFolder, 'THIRD-PARTY-NOTICES'), await licenseOfNode(cache)];
    const archives = {};
    for (const target of Object.keys(TARGETS).filter((name) => existsSync(fileOf(name)))) {
      console.log(`  ${target}`);
      const parts = { root, program: fileOf(target), target, notices, manual: join(packageFolder, 'man'), output };
      archives[target] = await packArchive(parts);
      makeDeb(parts);
    }
    const missing = Object.keys(TARGETS).filter((target) => !(target in archives));
    if (missing.length > 0)
      console.warn(`no krew manifest and no formula: there is no executable for ${missing.join(', ')}`);
    else {
      writeFileSync(join(output, 'clustermesh.yaml'), krewManifest(archives));
      writeFileSync(join(output, 'meshctl.rb'), homebrewFormula(archives));
    }
    const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
    const changes = changesOf(changelog, RELEASE.version) ?? changesOf(changelog, 'Unreleased') ?? '';
    writeFileSync(join(output, 'NOTES.md'), releaseNotes(changes));
    writeChecksums(output);
  },
};

// A release of everything has nothing of an earlier one.
if (positionals.length === 0) rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
mkdirSync(cache, { recursive: true });
for (const step of positionals.length > 0 ? positionals : Object.keys(STEPS)) {
  if (!(step in STEPS)) throw new Error(`there is no step ${step}; there are ${Object.keys(STEPS).join(', ')}`);
  console.log(`${step} …`);
  await STEPS[step]();
}
