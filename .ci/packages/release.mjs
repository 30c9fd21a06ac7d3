import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { version, description, homepage, license, repository } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

/** What is released, and from where it will be downloaded. */
export const RELEASE = {
  version,
  description,
  homepage,
  license,
  /** A file's address, once the release is published. */
  urlOf: (file) => `${repository.url.replace(/^git\+|\.git$/g, '')}/releases/download/v${version}/${file}`,
};

/** Of the checkout, for what shall come out the same when it is made again. */
export function commitDate() {
  try {
    return new Date(execFileSync('git', ['log', '-1', '--format=%cI'], { cwd: root, encoding: 'utf8' }).trim());
  } catch {
    return new Date(0);
  }
}

/** The SHA-256 of a file, in hexadecimal digits. */
export function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
