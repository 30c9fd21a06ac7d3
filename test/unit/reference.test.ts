import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { manualFiles, referenceFiles } from '../../.ci/reference/pages.ts';

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
    expect(page).toContain('\\fBmeshctl-clustermesh-connect\\fR - ');
    expect(page).toContain('\\fB-n, --namespace <namespace>\\fR: ');
    expect(page).toContain('.SH "EXAMPLES"');
  });
});
