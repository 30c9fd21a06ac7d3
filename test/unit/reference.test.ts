import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { manualFiles, referenceFiles } from '../../.ci/reference/pages.ts';
import { optionsOf } from '../../src/commands/options/shared-options.ts';
import { COMMANDS } from '../../src/commands/registry.ts';

const FOLDER = new URL('../../docs/reference/', import.meta.url);

describe('the reference of commands', () => {
  it('says what --help says, of every command', async () => {
    const files = await referenceFiles();
    for (const [name, text] of files) await expect(text).toMatchFileSnapshot(new URL(name, FOLDER).pathname);
    expect((await readdir(FOLDER)).sort()).toEqual([...files.keys()].sort());
  });

  it('has a page of each for man, with its name and flags', async () => {
    const files = await manualFiles('1.2.3');
    const page = files.get('meshctl-clustermesh-connect.1') ?? '';
    expect(page).toMatch(/^\.TH "MESHCTL-CLUSTERMESH-CONNECT" "1" .*"meshctl 1\.2\.3"/m);
    for (const command of COMMANDS) {
      const name = ['meshctl', ...command.path].join('-');
      const own = files.get(`${name}.1`);
      expect(own, name).toContain(`\\fB${name}\\fR - `);
      const shown = optionsOf(command).filter(({ hidden }) => !hidden);
      const lines = shown.map(({ flags }) => `\\fB${flags.replace(/\[(.+)\]/, '\\[lB]$1\\[rB]')}\\fR: `);
      expect(lines.filter((line) => !own?.includes(line))).toEqual([]);
    }
    expect(page).toContain('.SH "EXAMPLES"');
  });
});
