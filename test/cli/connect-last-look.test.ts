import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** Two clusters, of which the second does not answer any more once all is written to both. */
let clusters: ConnectClusters;

beforeEach(async () => {
  clusters = await startConnectClusters(2);
});
afterEach(() => clusters?.close());

const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
const LOOKED_AT = ['cilium-kvstoremesh', 'cilium-clustermesh', 'clustermesh-remote-users', 'clustermesh-apiserver'];

const CASES: Record<string, { first?: string[]; argv: string[]; exitCode: number; dialled: string[][] }> = {
  'of a connect: what it has written and proved stays': {
    argv: connect('mesh-1', 'mesh-2', '--yes', '-o', 'json'),
    exitCode: 0,
    dialled: [['mesh-2'], ['mesh-1']],
  },
  'of a disconnect: it is done, and not verified': {
    first: connect('mesh-1', 'mesh-2', '--yes'),
    argv: ['clustermesh', 'disconnect', ...PAIR, '--yes', '--wait=false', '-o', 'json'],
    exitCode: 3,
    dialled: [[], []],
  },
};

it.each(Object.entries(CASES))('%s, and that it could not be seen is said', async (_what, one) => {
  if (one.first) await clusters.meshctl.ok(one.first);
  const written = new Set<string>();
  clusters.fault = async ({ context, verb, dryRun, name = '' }) => {
    const isWrite = !['get', 'list', 'watch'].includes(verb) && !dryRun;
    if (isWrite && name === 'cilium-clustermesh') written.add(context);
    if (written.size < 2 || context !== 'mesh-2' || verb !== 'get' || !LOOKED_AT.includes(name)) return;
    throw new ApiError(503, 'ServiceUnavailable', 'restarting');
  };
  const run = await clusters.meshctl(one.argv);
  const { exitCode, stderr } = run;
  expect(exitCode, stderr).toBe(one.exitCode);
  const dialled = clusters.clusters.map(({ store }) => store.get(refs.secret('cilium-clustermesh'))?.data ?? {});
  expect(dialled.map((data) => Object.keys(data))).toEqual(one.dialled);
  const { warnings } = jsonOf(run) as { warnings: string[] };
  const unseen = warnings.filter((words) => words.includes('could not be seen'));
  expect(unseen).not.toEqual([]);
  for (const words of unseen) {
    expect(words).toMatch(
      /^context "mesh-2": .+: whether others have undone meanwhile what this run has done there could not be seen$/,
    );
    expect(stderr).toContain(`⚠ ${words}`);
  }
});
