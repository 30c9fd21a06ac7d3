import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Installation } from '../mesh/installation.ts';
import { remembered } from '../mesh/remembered.ts';
import { programNameOf } from './program-name.ts';

/** More than a package has; each cluster of a check is compared with all templates. */
const MOST_FILES = 100;

/**
 * A package in a folder, with `bin`, `templates` and package.json, as npm installs it.
 * @param root ends with a slash
 * @param program the file by which it was called
 */
export function installedPackage(root: URL, program = 'meshctl'): Installation {
  return {
    name: programNameOf(program),
    folder: fileURLToPath(root),
    command: [process.execPath, fileURLToPath(new URL('bin/meshctl.js', root))],
    read: remembered((path: string) => readFile(new URL(path, root), 'utf8'), MOST_FILES),
  };
}
