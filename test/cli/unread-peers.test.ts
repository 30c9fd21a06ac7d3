/** A peer that this user may not read is none that does not answer: the right that is missing is named, with who grants it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { meshctlWith } from '../support/e2e-cli.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let isDown = false;
const ofMesh1 = ['--context', 'mesh-1'];
const run = (...argv: string[]) => meshctlWith(sandbox.kubeconfigPath)(argv);

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: 2,
    nodes: 1,
    intercept: async (context, { user }) =>
      isDown && context === 'mesh-2' && !user.startsWith('system:serviceaccount:') ? 'drop' : undefined,
  });
  for (const argv of [
    ['enable', '--context', 'mesh-1,mesh-2'],
    ['connect', ...ofMesh1, '--destination-context', 'mesh-2'],
  ])
    expect((await run('clustermesh', ...argv)).exitCode).toBe(0);
  grantAnn([found(sandbox.clusters[0], 'mesh-1')], undefined);
});

afterAll(() => sandbox.close());

const COMMANDS: readonly (readonly string[])[] = [
  ['clustermesh', 'disable', ...ofMesh1, '--disconnect', '--yes'],
  ['clustermesh', 'disable', ...ofMesh1, '--yes'],
  ['clustermesh', 'disable', ...ofMesh1, '--disconnect=false', '--dry-run'],
  ['clustermesh', 'disable', '--all', '--disconnect', '--dry-run'],
  ['clustermesh', 'certs', 'rotate', '--all', '--ca', '--dry-run'],
  ['clustermesh', 'certs', 'rotate', '--all', '--dry-run'],
];

describe.each(COMMANDS.map((argv) => [argv.slice(1).join(' '), argv] as const))('%s', (_line, argv) => {
  it('says which right is missing, and what grants it', async () => {
    const { stdout, stderr } = await run(...argv, '--as', 'ann');
    const says = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    expect(says).toContain('may not be read by this user');
    expect(says).not.toMatch(/(does|do|did) not answer|all contexts reply|that answers/);
    expect(says).toMatch(/user "ann" (may not|has none of|lacks)/i);
    expect(says).toContain('kubectl --context mesh-2 ');
  });

  it('says that it does not answer where it does not', async () => {
    isDown = true;
    const { stdout, stderr } = await run(...argv).finally(() => {
      isDown = false;
    });
    const says = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    expect(says).toMatch(/(does|did) not answer|cannot be reached|not reachable|that answers/);
    expect(says).not.toContain('may not be read');
  });
});
