#!/usr/bin/env node
import { rmSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown, watch } from 'rolldown';
import { BUNDLE_OPTIONS } from './bundle-options.mjs';

/**
 * Bundles src/ into dist/, or `--outdir`. `--modules FILE` writes which modules are in which file, as JSON; `--watch` goes on.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const { values } = parseArgs({
  options: { outdir: { type: 'string', default: 'dist' }, modules: { type: 'string' }, watch: { type: 'boolean' } },
});

/** What is loaded before a command is: together it is one file, which starts sooner than twenty. */
const loadedAtStart = new Set();
const findLoadedAtStart = {
  name: 'find-loaded-at-start',
  /** @this {import('rolldown').PluginContext} */
  buildEnd() {
    loadedAtStart.clear();
    const add = (id) => {
      if (loadedAtStart.has(id)) return;
      loadedAtStart.add(id);
      for (const imported of this.getModuleInfo(id)?.importedIds ?? []) add(imported);
    };
    for (const id of this.getModuleIds()) if (this.getModuleInfo(id)?.isEntry && id.endsWith('main.ts')) add(id);
  },
};

/** @type {import('rolldown').InputOptions & { output: import('rolldown').OutputOptions }} */
const options = {
  ...BUNDLE_OPTIONS,
  // The GitHub Action, which is a checkout without packages, reads by it what meshctl prints as YAML.
  input: { main: 'src/main.ts', yaml: 'yaml' },
  plugins: [findLoadedAtStart],
  output: {
    dir: values.outdir,
    // Node.js starts it some 5 ms sooner than ECMAScript modules, for which it would also list all that is in `node:fs`.
    format: 'cjs',
    dynamicImportInCjs: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    comments: false,
    codeSplitting: { groups: [{ name: 'start', test: (id) => loadedAtStart.has(id) }] },
  },
};

rmSync(resolve(root, values.outdir), { recursive: true, force: true });
if (values.watch) watch(options);
else {
  const bundle = await rolldown(options);
  const { output } = await bundle.write(options.output);
  await bundle.close();
  if (values.modules) {
    const chunks = output.filter((file) => file.type === 'chunk');
    // What the bundler itself has made begins with NUL, also an empty module in the place of one that is left out.
    const filesOf = (ids) => ids.filter((id) => !id.startsWith('\0')).map((id) => relative(root, id));
    const modules = chunks.map(({ fileName, moduleIds }) => [fileName, filesOf(moduleIds)]);
    writeFileSync(values.modules, JSON.stringify(Object.fromEntries(modules)));
  }
}
