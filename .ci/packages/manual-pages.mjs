import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { BUNDLE_OPTIONS } from '../bundle-options.mjs';
import { RELEASE } from './release.mjs';

/**
 * Writes a page for man for each command, of the specs that `--help` is made of.
 * @param {string} root of the checkout
 * @param {string} folder
 */
export async function writeManualPages(root, folder) {
  mkdirSync(folder, { recursive: true });
  // The oldest Node.js that this runs on cannot read TypeScript.
  const script = join(folder, 'pages.mjs');
  const bundle = await rolldown({ ...BUNDLE_OPTIONS, cwd: root, input: join(root, '.ci/reference/pages.ts') });
  await bundle.write({ file: script, format: 'esm', codeSplitting: false });
  await bundle.close();
  const { manualFiles } = await import(pathToFileURL(script).href);
  rmSync(script);
  for (const [name, text] of await manualFiles(RELEASE.version)) writeFileSync(join(folder, name), text);
}
