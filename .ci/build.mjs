#!/usr/bin/env node
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, context } from 'esbuild';
import { BUNDLE_OPTIONS } from './bundle-options.mjs';

/**
 * Bundles src/ into dist/, or `--outdir`. `--metafile FILE` writes esbuild's account of what is in which file; `--watch` goes on.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const { values } = parseArgs({
  options: { outdir: { type: 'string', default: 'dist' }, metafile: { type: 'string' }, watch: { type: 'boolean' } },
});

/** @type {import('esbuild').BuildOptions} */
const options = {
  ...BUNDLE_OPTIONS,
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  splitting: true,
  format: 'esm',
  outdir: values.outdir,
  entryNames: '[name]',
  chunkNames: 'chunks/[name]-[hash]',
  metafile: values.metafile !== undefined,
  banner: {
    js: "import { createRequire as nodeRequire } from 'node:module'; const require = nodeRequire(import.meta.url);",
  },
};

rmSync(resolve(root, values.outdir), { recursive: true, force: true });
if (values.watch) await (await context(options)).watch();
else {
  const { metafile } = await build(options);
  if (values.metafile) writeFileSync(values.metafile, JSON.stringify(metafile));
}
