import { describe, expect, it } from 'vitest';
import { asMeshctl, programNameOf } from '../../src/cli/program-name.ts';
import { COMMAND_ALIASES, COMMANDS } from '../../src/commands/registry.ts';
import { runCli } from '../support/cli.ts';

const VOCABULARY = { commands: COMMANDS, aliases: COMMAND_ALIASES };
const plugin = (argv: readonly string[]) => runCli(argv, { name: 'kubectl clustermesh' });

it.each([
  ['/usr/local/bin/kubectl-clustermesh', 'kubectl clustermesh'],
  ['node_modules/meshctl/bin/kubectl-clustermesh.js', 'kubectl clustermesh'],
  ['kubectl-clustermesh.exe', 'kubectl clustermesh'],
  ['/usr/bin/meshctl', 'meshctl'],
  ['bin/meshctl.js', 'meshctl'],
])('what is started as %s names itself in hints: %s', (file, name) => {
  expect(programNameOf(file)).toBe(name);
});

it.each([
  ['status', 'clustermesh status'],
  ['status --context a,b', 'clustermesh status --context a,b'],
  ['--context a status', 'clustermesh status --context a'],
  ['certs list', 'clustermesh certs list'],
  ['certs', 'clustermesh certs'],
  ['clustermesh status', 'clustermesh status'],
  ['service list --all', 'service list --all'],
  ['version', 'version'],
  ['help enable', 'help clustermesh enable'],
  ['--help', '--help'],
  ['', ''],
])('reads `kubectl clustermesh %s` as `meshctl %s`', (typed, own) => {
  const words = (line: string) => line.split(' ').filter(Boolean);
  expect(asMeshctl('kubectl clustermesh', VOCABULARY, words(typed))).toEqual(words(own));
  expect(asMeshctl('meshctl', VOCABULARY, words(typed))).toEqual(words(typed));
});

describe('the plugin names commands as they are typed there', () => {
  it('in help', async () => {
    const { stdout } = await plugin(['connect', '--help']);
    expect(stdout).toMatch(/^Usage: kubectl clustermesh connect /);
    expect(stdout).not.toMatch(/\bmeshctl (clustermesh|service|--|\[)/);
    expect((await plugin(['--help'])).stdout).toMatch(/^Usage: kubectl clustermesh \[options\]/);
  });

  it('in hints, also those with the flags of the run', async () => {
    const unknown = await plugin(['statsu', '--context', 'a']);
    expect(unknown).toMatchObject({ exitCode: 2 });
    expect(unknown.stderr).toContain('Did you mean: kubectl clustermesh status --context a');
    const missing = await plugin(['status', '--kubeconfig', '/no/such/file', '-o', 'json']);
    expect(missing.stdout).not.toMatch(/meshctl (clustermesh|--)/);
    const render = await plugin(['render', '--cilium-version', '1.20.0', '--cluster-id', '1']);
    expect(render.stderr).not.toContain('meshctl clustermesh');
  });

  it('but the scripts for completion are those of meshctl', async () => {
    const { stdout } = await plugin(['completion', 'bash']);
    expect(stdout).toBe((await runCli(['completion', 'bash'])).stdout);
  });
});
