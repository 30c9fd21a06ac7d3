import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmptyFolder, emptyFolder, LAST_LINES, runIn } from '../support/packed.ts';
import { released, THIS_TARGET } from '../support/released.ts';

const ARCHITECTURE = THIS_TARGET.endsWith('arm64') ? 'arm64' : 'amd64';
const hasDpkg = await execa('dpkg-deb', ['--version'], { reject: false }).then(({ exitCode }) => exitCode === 0);

/** Installed into a root of its own, so that the machine stays as it is. */
describe.skipIf(!hasDpkg)('the Debian package', () => {
  let folder: EmptyFolder;
  const deb = () => released(new RegExp(`_${ARCHITECTURE}\\.deb$`));

  beforeAll(async () => {
    folder = await emptyFolder();
    await execa('dpkg-deb', ['--extract', deb(), folder.path]);
  });
  afterAll(() => folder.remove());

  it('says what it needs', async () => {
    const { stdout } = await execa('dpkg-deb', ['--field', deb()]);
    expect(stdout).toMatch(/^Package: meshctl$/m);
    expect(stdout).toMatch(/^Depends: libc6 \(>= 2\.28\), libstdc\+\+6/m);
    const { stdout: files } = await execa('dpkg-deb', ['--contents', deb()]);
    expect(files.split('\n').filter((line) => !/ root\/root /.test(line))).toEqual([]);
  });

  it('runs, under both names, with completions where the shells look', async () => {
    const program = join(folder.path, 'usr/bin/meshctl');
    const demo = await runIn(folder.path, program, ['demo', '--no-pause']);
    expect(demo.stdout.trimEnd().endsWith(LAST_LINES)).toBe(true);
    const plugin = join(folder.path, 'usr/bin/kubectl-clustermesh');
    expect(await readlink(plugin)).toBe('meshctl');
    expect((await runIn(folder.path, plugin, ['status', '--help'])).stdout).toMatch(/^Usage: kubectl clustermesh /);
    const man = join(folder.path, 'usr/share/man/man1/meshctl-clustermesh-status.1');
    expect(await readFile(man, 'utf8')).toMatch(/^\.TH /m);
    const script = join(folder.path, 'usr/share/bash-completion/completions/meshctl');
    const sourced = await runIn(folder.path, '/bin/bash', ['-c', `. ${script} && complete -p meshctl`]);
    expect(sourced.stdout).toContain('-F _meshctl meshctl');
  });
});
