import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Installation } from '../mesh/installation.ts';
import { remembered } from '../mesh/remembered.ts';
import { programNameOf } from './program-name.ts';

/** More than a package has; each cluster of a check is compared with all templates. */
const MOST_FILES = 100;

/**
 * A package in a folder, with `bin`, `templates` and package.json, as npm installs it.
 * @param program the file by which it was called
 */
export function installedPackage(folder: string, program = 'meshctl'): Installation {
  return {
    name: programNameOf(program),
    folder: join(folder, sep),
    command: [process.execPath, join(folder, 'bin', 'meshctl.js')],
    // They are small, and --help would wait longer for what reads in the background than for package.json.
    read: remembered(async (path: string) => readFileSync(join(folder, path), 'utf8'), MOST_FILES),
  };
}
