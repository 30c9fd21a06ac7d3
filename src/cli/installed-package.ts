import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Installation } from '../mesh/installation.ts';

/** A package in a folder, with `bin`, `templates` and package.json, as npm installs it. @param root ends with a slash */
export function installedPackage(root: URL, name = 'meshctl'): Installation {
  return {
    name,
    command: [process.execPath, fileURLToPath(new URL('bin/meshctl.js', root))],
    read: (path) => readFile(new URL(path, root), 'utf8'),
  };
}
