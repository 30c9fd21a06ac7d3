/**
 * A cluster of a mesh of four is given the name or the id of another one. The other clusters have no fault: what is printed mends the one
 * that has it, and leaves them alone.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import { configure } from '../support/fault-parts.ts';
import { kubectlStandIn } from '../support/kubectl-stand-in.ts';
import { lookAtStatus, lookByChecks, untilHealthy } from '../support/open-look.ts';
import { isLook, type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import { clusterAt, eventually } from '../support/sandbox-mesh.ts';
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

/** Names of clusters, or of their contexts, that a command shows. */
interface Shown {
  clusters: { name?: string; cluster?: string | { name: string }; context: string }[];
  unreachable: { context: string; code: string; hint?: string }[];
}

const shownBy = async (...argv: string[]) => {
  const result = await run([...argv, '-o', 'json']);
  const { clusters, unreachable } = jsonOf(result) as unknown as Shown;
  return {
    exitCode: result.exitCode,
    contexts: clusters.map(({ context }) => context),
    left: unreachable.map(({ context, code, hint }) => [context, code, hint]),
  };
};
const LEFT_OUT = {
  exitCode: 3,
  contexts: ['mesh-1', 'mesh-2', 'mesh-3'],
  left: [['mesh-4', 'ClusterIdentity', expect.stringMatching(/^Restore the (name|id) .*kubectl --context mesh-4 /)]],
};

describe('what only looks shows the clusters that are well', () => {
  beforeAll(() => {
    for (const context of mesh.all) {
      const { store } = clusterAt(mesh.sandbox, context);
      store.create({
        ...{ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
        metadata: { name: 'web', namespace: 'default', annotations: { 'service.cilium.io/global': 'true' } },
      } as KubeObject);
    }
  });

  describe('where one has the name of another', () => {
    beforeAll(() => configure(mesh.wrong, { 'cluster-name': 'mesh-3' }));
    afterAll(() => configure(mesh.wrong, { 'cluster-name': 'mesh-4' }));

    it.each([
      [['service', 'list', '--all']],
      [['service', 'describe', 'web', '--all']],
      [['service', 'failover', '--all']],
      [['diff', '-f', '-']],
    ])('meshctl %j', async (argv) => {
      expect(await shownBy(...argv)).toEqual(LEFT_OUT);
    });

    it('meshctl apply -f - is refused, and the file is not blamed', async () => {
      const { exitCode, stderr } = await run(['apply', '-f', '-', '--dry-run']);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('cilium-config says "mesh-3" with the id 4, which is the name of context "mesh-3"');
      expect(stderr).not.toContain('in the file');
    });

    it('meshctl clustermesh graph has each cluster once', async () => {
      const { stdout } = await run(clustermesh('graph', '--all'));
      expect([...stdout.matchAll(/^ {2}(c\d)\["(.*?)<br/gm)].map(([, id, name]) => [id, name])).toEqual(
        ['mesh-1', 'mesh-2', 'mesh-3', 'mesh-3'].map((name, index) => [`c${index}`, name]),
      );
      expect(stdout).not.toContain('not asked');
    });

    it('meshctl clustermesh routes goes by the names that peers know', async () => {
      const { stdout } = await run(clustermesh('routes', '--all'));
      expect(stdout).not.toMatch(/^mesh-3 +\S+ +mesh-3 /m);
    });
  });

  it('where one has the id of another: meshctl diff', async () => {
    configure(mesh.wrong, { 'cluster-id': '3' });
    onTestFinished(() => configure(mesh.wrong, { 'cluster-id': '4' }));
    expect(await shownBy('diff', '-f', '-')).toEqual(LEFT_OUT);
  });
});

describe('what status says of a cluster with the name of another one', () => {
  beforeAll(() => configure(mesh.wrong, { 'cluster-name': 'mesh-3' }));
  afterAll(() => configure(mesh.wrong, { 'cluster-name': 'mesh-4' }));

  it('has its context, and whose name it is', async () => {
    const { stdout } = await run(clustermesh('status', '--all'));
    expect(stdout).toContain('mesh-3 (mesh-4): connected, but not after a restart: its clustermesh-apiserver runs as');
    expect(stdout).toContain('which is the name of context "mesh-3"');
    expect(stdout).not.toMatch(/⚠️ +mesh-3:/);
    // The row of each, and the column by which peers know it.
    expect(stdout).toMatch(/^ {2}mesh-3 +✓ 1\/1 +✓ 1\/1 +· +! 1\/1$/m);
    expect(stdout).toMatch(/^ {2}mesh-3 \(mesh-4\) +✓ 1\/1 +✓ 1\/1 +✓ 1\/1 +·$/m);
  });
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
