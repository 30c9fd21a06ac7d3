import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { markedRuns, workingAnnotation } from '../../src/mesh/working-runs.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { CliOptions } from '../support/cli.ts';
import { type ConnectClusters, type SeenRequest, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubectlStandIn } from '../support/kubectl-stand-in.ts';
import { meshText } from '../support/mesh-files.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';

/** Runs that are killed at each of their writes. The marks that they leave are told by status, and go as its hints say. */
let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
});
afterAll(() => clusters?.close());

const LEASE = applyLeaseRef('kube-system');
const NAMES = 'mesh-1,mesh-2,mesh-3';
const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const marks = () => clusters.clusters.map(({ store }) => markedRuns(store.get(LEASE)));
const isWrite = ({ verb, resource, dryRun }: SeenRequest) =>
  !dryRun && ['create', 'patch', 'update', 'delete'].includes(verb) && !/review|portforward|exec/.test(resource);

/** Lets a run be cut off from all API servers for good once it has written so often: it takes nothing back, and no mark away. */
async function killAfter(writes: number, argv: readonly string[], options: CliOptions): Promise<boolean> {
  let written = 0;
  let isKilled = false;
  clusters.fault = async (request) => {
    if (isWrite(request) && request.resource !== 'leases') isKilled ||= ++written > writes;
    if (isKilled) throw new ApiError(403, 'Forbidden', 'killed');
    return undefined;
  };
  const { exitCode, stderr } = await clusters.meshctl(argv, options);
  clusters.fault = undefined;
  expect(exitCode === 0, stderr).toBe(!isKilled);
  // Its process is alive here, and its marks would be good for a minute.
  for (const { store } of clusters.clusters) {
    if (!store.get(LEASE)) continue;
    store.update(LEASE, (lease) => {
      const dead = markedRuns(lease).map((run) => workingAnnotation(run.run, { ...run, until: new Date(0) }));
      lease.metadata.annotations = Object.assign({}, ...dead);
    });
  }
  return isKilled;
}

interface Killed {
  argv: readonly string[];
  options?: CliOptions;
  /** What makes the clusters as they are to be before it. */
  before: readonly (readonly string[])[];
  /** How often it has written by then. */
  after: readonly number[];
}

const ENABLED = mesh('enable', '--context', NAMES);
const JOINED = [ENABLED, connect('mesh-1', 'mesh-2,mesh-3')];
const PARTED = mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3', '--yes');
const file = {
  clusters: ['mesh-1', 'mesh-2', 'mesh-3'].map((name) => ({ name })),
  topology: { type: 'mesh' as const },
};

const RUNS: Record<string, Killed> = {
  // As it parts its cluster, and as it takes away what enable has made there.
  disable: { argv: mesh('disable', '--context', 'mesh-1', '--disconnect', '--yes'), before: JOINED, after: [2, 8] },
  disconnect: { argv: PARTED, before: JOINED, after: [2] },
  connect: { argv: connect('mesh-1', 'mesh-2,mesh-3'), before: [ENABLED, PARTED], after: [3] },
  apply: {
    argv: ['apply', '-f', '-', '--yes'],
    options: { input: meshText(file) },
    before: [ENABLED, PARTED],
    after: [3],
  },
};

async function kill({ argv, options = {}, before }: Killed, writes: number): Promise<void> {
  for (const line of before) await clusters.meshctl.ok(line);
  expect(await killAfter(writes, argv, options)).toBe(true);
  expect(marks().flat()).not.toEqual([]);
}

const CASES = Object.entries(RUNS).flatMap(([name, run]) => run.after.map((writes) => [name, writes, run] as const));

it.each(CASES)('the line of a killed %s that is typed again takes all its marks away: %i writes', async (...of) => {
  const [, writes, run] = of;
  await kill(run, writes);
  await clusters.meshctl.ok(run.argv, run.options);
  expect(marks()).toEqual([[], [], []]);
});

it.each(CASES)('what status prints after a killed %s mends, typed as it is: %i writes', async (...of) => {
  const [name, writes, run] = of;
  await kill(run, writes);
  const status = mesh('status', '--context', NAMES);
  const printed = await clusters.meshctl(status);
  expect(printed.stdout).toContain(`another run, ${name} on `);
  for (const { program, argv, line } of printedCommands(printed)) {
    if (program === 'kubectl') kubectlStandIn(clusters.clusters, undefined, argv);
    else if (!isLook({ program, argv, line })) await clusters.meshctl.ok([...argv, '--yes']);
  }
  const { exitCode, stdout, stderr } = await clusters.meshctl([...status, '--wait']);
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 0, stdout: expect.not.stringContaining('another run') });
});

it.each([
  ['disconnect', RUNS.connect],
  ['connect', RUNS.disconnect],
] as const)('a %s that undoes what a killed run had begun takes its marks away', async (name, killed) => {
  const { argv = [], before = [], after: [writes = 0] = [] } = killed ?? {};
  await kill({ argv, before, after: [writes] }, writes);
  await clusters.meshctl.ok(
    name === 'connect' ? connect('mesh-1', 'mesh-2') : [...PARTED.slice(0, -2), 'mesh-2', '--yes'],
  );
  // The other pair is as it was left.
  expect(marks().map((runs) => runs.length)).toEqual([1, 0, 1]);
  await clusters.meshctl.ok(name === 'connect' ? connect('mesh-1', 'mesh-2,mesh-3') : PARTED);
  expect(marks()).toEqual([[], [], []]);
});
