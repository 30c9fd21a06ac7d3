import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Installation } from '../mesh/installation.ts';
import { nameOf } from './program-name.ts';

/**
 * A package in a folder, with `bin`, `templates` and package.json, as npm installs it.
 * @param root ends with a slash
 * @param program the file by which it was called
 */
export function installedPackage(root: URL, program = 'meshctl'): Installation {
  return {
    name: nameOf(program),
    folder: fileURLToPath(root),
    command: [process.execPath, fileURLToPath(new URL('bin/meshctl.js', root))],
    read: (path) => readFile(new URL(path, root), 'utf8'),
  };
}
