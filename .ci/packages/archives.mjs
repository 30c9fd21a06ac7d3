import { chmodSync, cpSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { create } from 'tar';
import { commitDate } from './release.mjs';

/**
 * Packs an executable with its licences, its manual and the roles that operators need. The same input gives the same bytes.
 * @param {object} parts
 * @param {string} parts.root of the checkout
 * @param {string} parts.program the executable, alone in its folder
 * @param {string} parts.target e.g. `linux-x64`
 * @param {readonly string[]} parts.notices files about the licences of what is inside
 * @param {string} parts.manual the folder of the pages for man
 * @param {string} parts.output the folder of the archive
 * @returns {Promise<string>} the archive
 */
export async function packArchive({ root, program, target, notices, manual, output }) {
  const folder = dirname(program);
  // Whoever carries it from one machine to another may have lost that.
  chmodSync(program, 0o755);
  for (const file of [join(root, 'LICENSE'), ...notices]) cpSync(file, join(folder, basename(file)));
  cpSync(join(root, 'templates/rbac'), join(folder, 'rbac'), { recursive: true });
  cpSync(manual, join(folder, 'man'), { recursive: true });
  const file = join(output, `meshctl-${target}.tar.gz`);
  const names = [basename(program), 'LICENSE', ...notices.map((notice) => basename(notice)), 'man', 'rbac'];
  await create({ file, cwd: folder, gzip: true, portable: true, mtime: commitDate() }, names);
  return file;
}
