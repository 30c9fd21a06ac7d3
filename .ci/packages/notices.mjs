import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the npm package that a file of a bundle is from; undefined for sources of our own. */
const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;

/**
 * The packages that a bundle is made of.
 * @param {Record<string, string[]>} modules the build's account of what is in which file
 * @returns {string[]} their folders, from the root
 */
export function packagesIn(modules) {
  const files = Object.values(modules).flat();
  return [...new Set(files.flatMap((file) => PACKAGE_FOLDER.exec(file)?.[0] ?? []))].sort();
}

/**
 * What the licences of bundled packages ask for: their names and texts.
 * @param {string} root of the checkout
 * @param {Record<string, string[]>} modules
 * @throws Error for a package that comes without a licence text, and says of none that we know
 */
export function noticesOf(root, modules) {
  const entries = packagesIn(modules).map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file ? readFileSync(join(root, folder, file), 'utf8').trim() : '';
    if (!text && !license) throw new Error(`${name}@${version} says nothing about its licence`);
    return `${name} ${version} (${license ?? 'see below'})\n\n${text || `Licensed under ${license}.`}\n`;
  });
  const line = `\n${'-'.repeat(80)}\n\n`;
  return `meshctl contains the following packages.\n${line}${entries.join(line)}`;
}
