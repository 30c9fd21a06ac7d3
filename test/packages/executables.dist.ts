import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmptyFolder, emptyFolder } from '../support/packed.ts';
import { ON_WINDOWS, released } from '../support/released.ts';

/** What a program of each platform begins with: the format, and for which processor. */
const PLATFORMS = {
  'linux-x64': elf(0x3e),
  'linux-arm64': elf(0xb7),
  'macos-x64': machO(0x01000007),
  'macos-arm64': machO(0x0100000c),
  'windows-x64': portableExecutable(0x8664),
};
/** Node.js takes itself for a program with something inside where this is followed by 1; its own programs have 0. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';

let folder: EmptyFolder;
beforeAll(async () => {
  folder = await emptyFolder();
});
afterAll(() => folder.remove());

/** Those of other machines cannot be run here: they are looked at. */
describe.each(Object.entries(PLATFORMS))('the executable for %s', (target, isForPlatform) => {
  let program: Buffer;
  const name = target.startsWith('windows') ? 'meshctl.exe' : 'meshctl';

  beforeAll(async () => {
    const cwd = join(folder.path, target);
    await mkdir(cwd);
    await extract({ file: released(new RegExp(`^meshctl-${target}\\.tar\\.gz$`)), cwd }, [name]);
    const file = await open(join(cwd, name));
    program = await file.readFile();
    await file.close();
    if (!ON_WINDOWS) expect((await stat(join(cwd, name))).mode & 0o777).toBe(0o755);
  });

  it('is a program of that platform', () => {
    expect(isForPlatform(program)).toBe(true);
  });

  it('has meshctl inside, which Node.js looks for, and its templates', () => {
    const at = program.indexOf(FUSE);
    expect(program.subarray(at, at + FUSE.length + 1).toString('latin1')).toBe(`${FUSE}1`);
    for (const part of ['meshctl ended in the middle of its work', 'templates/demo/', '"name": "meshctl"']) {
      expect([part, program.includes(part)]).toEqual([part, true]);
    }
  });
});

function elf(machine: number) {
  return (program: Buffer) => program.toString('latin1', 0, 4) === '\x7fELF' && program.readUInt16LE(18) === machine;
}

function machO(processor: number) {
  return (program: Buffer) => program.readUInt32LE(0) === 0xfeedfacf && program.readUInt32LE(4) === processor;
}

function portableExecutable(machine: number) {
  return (program: Buffer) => {
    const header = program.readUInt32LE(0x3c);
    return program.toString('latin1', header, header + 4) === 'PE\0\0' && program.readUInt16LE(header + 4) === machine;
  };
}
