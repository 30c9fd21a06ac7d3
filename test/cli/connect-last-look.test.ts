import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { briskClock, NEVER_BACK } from '../support/brisk-clock.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
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

const DISCONNECT = ['clustermesh', 'disconnect', ...PAIR, '--yes'];

/** What is written last in each cluster, by which it is all written. */
function onceAllIsWritten(
  last = 'clustermesh-remote-users',
): (request: { context: string; verb: string; name?: string; dryRun: boolean }) => boolean {
  const left = new Set(['mesh-1', 'mesh-2']);
  return ({ context, verb, name, dryRun }) => {
    if (left.size === 0) return verb === 'get' || verb === 'list' || verb === 'patch' || verb === 'create';
    if (!['get', 'list', 'watch'].includes(verb) && !dryRun && name === last) left.delete(context);
    return false;
  };
}

it('of a disconnect that does not wait: nor does it for an API server that is away by then', async () => {
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2', '--yes'));
  const isWritten = onceAllIsWritten();
  clusters.fault = async (request) => (isWritten(request) && request.context === 'mesh-2' ? 'drop' : undefined);
  const { exitCode, stderr } = await clusters.meshctl([...DISCONNECT, '--no-wait'], { clock: briskClock(NEVER_BACK) });
  expect(exitCode, stderr).toBe(3);
  expect(stderr).not.toContain('it is asked again');
  expect(stderr).toContain('could not be seen');
});

it('of a disconnect: what the wait has not seen is said beside what it could not see', async () => {
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2', '--yes'));
  const isWritten = onceAllIsWritten();
  let isHeard = true;
  clusters.fault = async (request) => {
    const { context, subresource, name = '' } = request;
    if (!isWritten(request)) return undefined;
    if (context === 'mesh-1' && subresource === 'exec' && name.startsWith('cilium')) {
      isHeard = false;
      throw new ApiError(403, 'Forbidden', 'no');
    }
    if (context === 'mesh-2' && !isHeard && request.verb === 'get' && LOOKED_AT.includes(name))
      throw new ApiError(503, 'ServiceUnavailable', 'restarting');
    return undefined;
  };
  const run = await clusters.meshctl([...DISCONNECT, '-o', 'json'], { clock: briskClock() });
  expect(run.exitCode, run.stderr).toBe(3);
  const { warnings } = jsonOf(run) as { warnings: string[] };
  expect(warnings).toContainEqual(expect.stringMatching(/^context "mesh-1": cilium-\w+ did not say whether/));
  expect(warnings).toContainEqual(expect.stringMatching(/^context "mesh-2": .+could not be seen$/));
});

it('of an apply: no API server that is away by then is waited for longer than --wait-duration says', async () => {
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2', '--yes'));
  const base = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'base', namespace: 'default' } };
  for (const { store } of clusters.clusters) store.create({ ...base, spec: { ports: [{ port: 80 }] } });
  const clock = briskClock(NEVER_BACK);
  const unheard: number[] = [];
  let written = 0;
  clusters.fault = async ({ context, verb, resource, dryRun }) => {
    if (resource !== 'services' || dryRun) return undefined;
    if (verb === 'patch') written += 1;
    if (written < 2 || context !== 'mesh-2' || verb !== 'get') return undefined;
    unheard.push(clock.ms());
    return 'drop';
  };
  const input = meshText({
    clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
    topology: { type: 'mesh' },
    services: [{ namespace: 'default', name: 'base' }],
  });
  const argv = ['apply', '-f', '-', '--yes', '--wait-duration', '2s'];
  const { exitCode, stderr } = await clusters.meshctl(argv, { clock, input });
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain('could not be seen');
  const waitedMs = Math.max(...unheard) - Math.min(...unheard);
  expect(waitedMs, stderr).toBeLessThan(30_000);
});
