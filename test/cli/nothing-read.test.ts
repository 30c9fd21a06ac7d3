/** Clusters of which none can be read: no command says of them that they are well, or that there is nothing in them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import type { TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let isForbidden = false;

beforeAll(async () => {
  const intercept = async (context: string) => {
    if (isForbidden && context === 'mesh-2') throw new ApiError(403, 'Forbidden', 'not now');
    return undefined;
  };
  ({ sandbox, meshctl } = await startConnectedMesh({ nodes: 1, intercept }));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const clusters = [{ name: 'mesh-1' }, { name: 'mesh-2' }];
const input = meshText({ clusters, topology: { type: 'mesh' } });
/** Nobody has given joe any right. */
const asJoe = (line: string) => meshctl([...line.split(' '), '--as', 'joe'], { input });

describe('where no cluster can be read', () => {
  it.each([
    'diff -f -',
    'clustermesh check --all',
    'clustermesh status --all',
    'clustermesh routes --all',
    'clustermesh certs list --all',
    'clustermesh invitations list --all',
    'clustermesh firewall --all',
    'clustermesh graph --all',
    'service list --all',
    'service describe default/web --all',
    'service failover --all',
    'export --all',
    'version --all',
    'connectivity probe --all',
    'connectivity test --all',
  ])('%s neither ticks anything off nor finds that there is none', async (line) => {
    const { exitCode, stdout, stderr } = await asJoe(line);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 3,
      stdout: expect.not.stringMatching(/✅|^No (?!cluster could)/m),
    });
    expect(stderr).not.toMatch(/✔|(of|Reading|Read) *$/m);
    expect(`${stdout}${stderr}`).toContain('user "joe" may not get configmaps');
  });

  it.each([
    'diff -f -',
    'clustermesh check --all',
    'clustermesh status --all',
    'connectivity probe --all',
    'connectivity test --all',
  ])('%s -o junit has no case that passed', async (line) => {
    const { exitCode, stdout } = await asJoe(`${line} -o junit`);
    expect(exitCode).toBe(3);
    const [, tests, failures, skipped] =
      /<testsuites tests="(\d+)" failures="(\d+)" skipped="(\d+)"/.exec(stdout) ?? [];
    expect(Number(failures)).toBeGreaterThan(0);
    expect(Number(tests)).toBe(Number(failures) + Number(skipped));
  });

  it('diff -o junit skips what is between clusters where it saw one of them alone, and passes that one', async () => {
    isForbidden = true;
    const { exitCode, stdout } = await meshctl(['diff', '-f', '-', '-o', 'junit'], { input });
    isForbidden = false;
    expect(exitCode).toBe(3);
    expect(stdout).toContain('<testcase classname="cluster" name="mesh-1"/>');
    expect(stdout).toMatch(/name="what the file has is there">\s*<skipped message="Not all clusters could be read"/);
  });
});
