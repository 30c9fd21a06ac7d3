import { afterEach, beforeEach, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';

/** What `apply --dry-run` says that it does to which object is what a run then does, whatever else the file changes. */
let clusters: ConnectClusters;

interface StepData {
  cluster?: string;
  action: string;
  object: { kind: string; name: string };
}

const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const ok = (...argv: string[]) => clusters.meshctl.ok(argv);
/** What is done to which object. In the cluster that leaves, a plan says of an object that goes only that. */
const said = (steps: readonly StepData[]) => {
  const changes = steps.filter(({ action }) => action !== 'keep');
  const goes = ({ cluster, object }: StepData) =>
    cluster === 'mesh-2' &&
    changes.some((one) => one.cluster === cluster && one.action === 'delete' && one.object.name === object.name);
  return changes
    .filter((step) => step.action === 'delete' || !goes(step))
    .map(({ cluster, action, object: { kind, name } }) => `${cluster}: ${action} ${kind}/${name}`)
    .sort();
};

beforeEach(async () => {
  clusters = await startConnectClusters(3);
});
afterEach(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const switched = (kvstoremesh: boolean, names: readonly string[], more: object = {}): WrittenSpec => ({
  clusters: names.map((name) => (name === 'mesh-1' ? { name, enable: { kvstoremesh, ...more } } : { name })),
  topology: { type: 'mesh' },
});
const ALL = ['mesh-1', 'mesh-2', 'mesh-3'];

it.each<[what: string, before: boolean, file: WrittenSpec, words: string[]]>([
  ['KVStoreMesh goes off in a cluster that gets a peer', true, switched(false, ALL), []],
  ['KVStoreMesh comes on in a cluster that gets a peer', false, switched(true, ALL), []],
  ['KVStoreMesh goes off in a cluster that loses a peer', true, switched(false, ['mesh-1', 'mesh-3']), ['--prune']],
  ['KVStoreMesh comes on in a cluster that loses a peer', false, switched(true, ['mesh-1', 'mesh-3']), ['--prune']],
  ['a cluster gets another Service and a peer', true, switched(true, ALL, { serviceType: 'NodePort' }), []],
])('apply does what its dry run has shown, and once: %s', async (_what, kvstoremesh, file, words) => {
  if (!kvstoremesh) await ok(...mesh('enable', '--context', 'mesh-1', '--enable-kvstoremesh=false'));
  await ok(...connect('mesh-1', 'mesh-2'));
  await ok(...mesh('status', '--context', 'mesh-1,mesh-2', '--wait'));
  const apply = (...more: string[]) =>
    clusters.meshctl(['apply', '-f', '-', '--yes', '-o', 'json', ...words, ...more], { input: meshText(file) });
  const planned = await apply('--dry-run');
  expect(planned.exitCode, planned.stderr).toBe(0);
  const tried = await apply('--dry-run=server');
  expect(tried.exitCode, tried.stdout).toBe(0);
  const done = await apply();
  expect(done.exitCode, done.stderr).toBe(0);
  const plan = (jsonOf(planned) as { clusters: { context: string; steps: StepData[] }[] }).clusters;
  const { steps } = jsonOf(done) as { steps: StepData[] };
  const foreseen = plan.flatMap(({ context, steps: own }) => own.map((step) => ({ ...step, cluster: context })));
  expect(said(foreseen)).toEqual(said(steps));
  const again = jsonOf(await apply('--dry-run')) as { clusters: { steps: StepData[] }[] };
  expect(said(again.clusters.flatMap((one) => one.steps))).toEqual([]);
});
