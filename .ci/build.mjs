#!/usr/bin/env node
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, context } from 'esbuild';

/**
 * Bundles src/ into dist/, or `--outdir`. `--metafile FILE` writes esbuild's account of what is in which file; `--watch` goes on.
 * The commit goes into the bundle, so that an installed meshctl knows of which it was made.
 */
const root = fileURLToPath(new URL('../', import.meta.url));
const { values } = parseArgs({
  options: { outdir: { type: 'string', default: 'dist' }, metafile: { type: 'string' }, watch: { type: 'boolean' } },
});

/** Empty outside of a checkout, and where this folder is only a part of somebody's repository. */
function commit() {
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const [prefix, hash = ''] = execFileSync('git', ['rev-parse', '--show-prefix', 'HEAD'], options).split('\n');
    return prefix === '' ? hash : '';
  } catch {
    return '';
  }
}

/** @type {import('esbuild').BuildOptions} */
const options = {
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outdir: values.outdir,
  entryNames: '[name]',
  chunkNames: 'chunks/[name]-[hash]',
  alias: { punycode: 'punycode/punycode.js' },
  define: { MESHCTL_COMMIT: JSON.stringify(commit()) },
  legalComments: 'none',
  logLevel: 'warning',
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
