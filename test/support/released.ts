import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from './schemas.ts';

/** What `npm run dist` has made; MESHCTL_RELEASE names another folder. */
export const RELEASE_FOLDER = process.env.MESHCTL_RELEASE ?? fileURLToPath(new URL('release/', PACKAGE_ROOT));

/** The file of a release whose name fits. @throws Error when it was not made */
export function released(pattern: RegExp): string {
  const name = existsSync(RELEASE_FOLDER) && readdirSync(RELEASE_FOLDER).find((file) => pattern.test(file));
  if (!name) throw new Error(`${RELEASE_FOLDER} has no ${pattern}: first, npm run dist`);
  return `${RELEASE_FOLDER}/${name}`;
}

const SYSTEMS: Readonly<Record<string, string>> = { darwin: 'macos', win32: 'windows' };

/** The platform of this machine, as the files of a release name it. */
export const THIS_TARGET = `${SYSTEMS[process.platform] ?? process.platform}-${process.arch}`;
export const ON_WINDOWS = process.platform === 'win32';
