import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from './release.mjs';

const NAME = 'SHA256SUMS';

/** Writes the sums of all files of a folder, as `sha256sum --check` reads them. */
export function writeChecksums(folder) {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== NAME);
  const lines = files.map(({ name }) => `${sha256(join(folder, name))}  ${name}\n`);
  writeFileSync(join(folder, NAME), lines.sort().join(''));
}
