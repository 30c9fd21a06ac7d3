/**
 * A cluster of a mesh of four is given the name or the id of another one. The other clusters have no fault: what is printed mends the one
 * that has it, and leaves them alone.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { isLook, type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import { type IdentityMesh, startIdentityMesh } from '../support/wrong-identity.ts';

let mesh: IdentityMesh;

beforeAll(async () => {
  mesh = await startIdentityMesh();
});
afterAll(async () => {
  expect(mesh.sandbox.errors).toEqual([]);
  await mesh.sandbox.close();
});

const clustermesh = (...argv: string[]) => ['clustermesh', ...argv];
const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-4'];

/** What an operator may run when something is wrong. Nothing of it is to change anything. */
const COMMANDS: readonly string[][] = [
  clustermesh('status', '--all'),
  clustermesh('status', '--context', 'mesh-4,mesh-3,mesh-1'),
  clustermesh('status', '--context', 'mesh-4'),
  clustermesh('check', '--all'),
  clustermesh('check', '--context', 'mesh-4,mesh-3,mesh-2,mesh-1'),
  clustermesh('check', '--context', 'mesh-1,mesh-4'),
  clustermesh('check', '--context', 'mesh-4'),
  clustermesh('check', '--pre', '--all'),
  clustermesh('connect', '--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3,mesh-4', '--dry-run'),
  clustermesh('connect', ...PAIR, '--dry-run'),
  clustermesh('disconnect', ...PAIR, '--dry-run'),
  clustermesh('enable', '--context', 'mesh-4', '--dry-run'),
  clustermesh('enable', '--context', 'mesh-3', '--dry-run'),
  clustermesh('disable', '--context', 'mesh-4', '--disconnect', '--dry-run'),
  clustermesh('certs', 'rotate', '--all', '--dry-run'),
  clustermesh('invite', '--context', 'mesh-4'),
  ['export', '--all'],
  ['diff', '-f', '-'],
  ['apply', '-f', '-', '--dry-run'],
  ['service', 'list', '--all'],
];

const run = (argv: readonly string[]): Promise<CliResult> =>
  mesh.meshctl(argv, argv.includes('-f') ? { input: mesh.file } : {});

/** The contexts that a command changes, or is run with. */
function contextsOf({ argv }: PrintedCommand): string[] {
  return argv.flatMap((word, at) => (/^--(destination-)?context$/.test(argv[at - 1] ?? '') ? word.split(',') : []));
}

/** Commands that would change clusters, and not the one that is wrong; or that part others from one that is well. */
function astray(commands: readonly PrintedCommand[]): string[] {
  return commands
    .filter(
      (command) =>
        (!isLook(command) && command.program === 'kubectl') ||
        / (connect|disconnect|enable|disable) /.test(command.line),
    )
    .filter((command) => command.argv.includes('--peer') || !contextsOf(command).includes('mesh-4'))
    .map(({ line }) => line);
}

describe.each<[what: string, settings: Record<string, string>]>([
  ['the name', { 'cluster-name': 'mesh-3' }],
  ['the id', { 'cluster-id': '3' }],
  ['the name and the id', { 'cluster-name': 'mesh-3', 'cluster-id': '3' }],
])('a cluster with %s of another one', (_what, settings) => {
  beforeAll(() => mesh.misname(settings));
  afterAll(() => mesh.restore());

  it.each(COMMANDS.map((argv) => [argv.join(' '), argv] as const))(
    'meshctl %s: sends nobody to another cluster',
    async (_line, argv) => {
      const result = await run(argv);
      expect(astray(printedCommands(result)), `${result.stdout}\n${result.stderr}`).toEqual([]);
    },
  );
});
