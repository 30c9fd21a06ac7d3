/**
 * A cluster of a mesh of four is given the name or the id of another one. The other clusters have no fault: what is printed mends the one
 * that has it, and leaves them alone.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import { configure } from '../support/fault-parts.ts';
import { kubectlStandIn } from '../support/kubectl-stand-in.ts';
import { lookAtStatus, lookByChecks, untilHealthy } from '../support/open-look.ts';
import { isLook, type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import { eventually } from '../support/sandbox-mesh.ts';
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

/** Types what was printed, in its order; `status --wait` only where nothing else was. */
async function typeAll(commands: readonly PrintedCommand[]): Promise<void> {
  for (const { program, argv, input } of commands) {
    if (program === 'kubectl') kubectlStandIn(mesh.sandbox.clusters, undefined, argv, input);
    else await mesh.meshctl(argv);
  }
  await mesh.wrong.settled();
}

const STATUS = clustermesh('status', '--context', 'mesh-4,mesh-3');
const withReasons = (argv: readonly string[]) => mesh.meshctl([...argv, '-o', 'json']);

describe.each<[what: string, settings: Record<string, string>, left: Record<string, string>]>([
  ['the name', { 'cluster-name': 'mesh-3' }, { 'cluster-name': 'mesh-3' }],
  ['the id', { 'cluster-id': '3' }, { 'cluster-id': '3' }],
  ['the name, put back since', { 'cluster-name': 'mesh-3' }, { 'cluster-name': 'mesh-4' }],
  ['the id, put back since', { 'cluster-id': '3' }, { 'cluster-id': '4' }],
])('agents that were started with %s of another cluster', (_what, settings, left) => {
  beforeAll(async () => {
    await mesh.misname(settings);
    configure(mesh.wrong, left);
    const lacking = async () =>
      Promise.all(
        mesh.all.map(async (context) => (await lookAtStatus(mesh.sandbox, context)).problems.map(({ peer }) => peer)),
      );
    // Whoever has just started takes its other peers up first.
    await eventually(
      lacking,
      (peers) => JSON.stringify(peers) === '[[],[],[],["mesh-3"]]',
      'mesh-4 lacks mesh-3, and nothing else is lacking',
      { pollMs: 100 },
    );
  });
  afterAll(() => mesh.restore());

  it('are why they lack a peer, for status as for check', async () => {
    const { clusters } = jsonOf(await withReasons(STATUS)) as unknown as MeshStatusReport;
    const problems = clusters.flatMap((cluster) => cluster.problems);
    expect(problems.map(({ cause }) => cause?.id)).toEqual(
      problems.map(() => expect.stringMatching(/^(agents|identity)-outdated$/)),
    );
    expect(problems).not.toEqual([]);
    const entries = await lookByChecks(mesh.sandbox, ['mesh-4', 'mesh-3'], ['identity', 'peers']);
    const failing = entries.filter(({ severity }) => severity === 'fail');
    expect(failing.map(({ id }) => id)).toEqual([
      expect.stringMatching(/^(identity-running|cluster-name-unique|cluster-id-unique)$/),
    ]);
    const restart = 'rollout restart daemonset/cilium deployment/cilium-operator';
    for (const { hint } of [...failing, ...problems]) expect(hint).toContain(restart);
  });

  it('run as they shall once all that status says was typed, and nothing is said twice', async () => {
    const typed = new Set<string>();
    for (;;) {
      const result = await mesh.meshctl(STATUS);
      const commands = printedCommands(result);
      if (result.exitCode === 0) break;
      expect(commands, result.stdout).not.toEqual([]);
      expect(
        commands.filter(({ line }) => typed.has(line)),
        result.stdout,
      ).toEqual([]);
      for (const { line } of commands) typed.add(line);
      await typeAll(commands);
      await untilHealthy(mesh.sandbox, ['mesh-4', 'mesh-3']);
    }
    expect([...typed]).toEqual([expect.stringContaining('rollout restart')]);
  });
});
